"""Fuzz targets on what is read: hostile repositories, and configurations of repositories and servers. See `tests/fuzz.py`.

A repository goes the way of every pull request: real git serves it, real git fetches it into a mirror, a child process
reads and compares. Whatever it holds, a comparison ends, with findings or with a reason; and a mirror that something
ruined, too.
"""

import asyncio
import hashlib
import random
import shutil
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

import bot.analysis
from analyzer.model import Options
from bot.analysis import Analyst, Task
from bot.children import LimitError
from bot.config import ConfigError, Secret, Settings, environment
from bot.demo.github import StandIn
from bot.demo.sample import git
from bot.ids import Repo, Sha
from bot.repo_config import PATH, RepoConfig, read
from bot.source import SourceError
from tests.analyzer.hostile import SOURCES

# Seconds for one comparison, of which the product's own limit is the smaller part, and for one configuration.
LIMIT, PATIENCE, READS_WITHIN = 15, 40.0, 5.0
NAME = "example/berth"
# The part of trees and commits that no git would write.
WILD = 0.15
TODAY = date(2026, 1, 1)
_MODES = (b"100644", b"100755", b"120000", b"160000", b"40000", b"040000", b"100664", b"0", b"777777777", b"x", b"")
_NAMES = (
    *(b"a.go", b"a_windows.go", b"a_linux_test.go", b"go.mod", b"b", b"vendor", b"testdata", b".github", b"..", b"."),
    *(
        b".git",
        b".GIT",
        b"git~1",
        b"a/b.go",
        b"/a.go",
        b"x\ny.go",
        b"\xff\xfe.go",
        b"-x.go",
        b"CON.go",
        b"a" * 5_000 + b".go",
    ),
    *(b"\x1b[31m.go", b"", b" .go", "\u202e.go".encode(), b"a\\b.go", b".gitmodules", b".gitattributes", b"CODEOWNERS"),
)


class Forge:
    """Writes objects as they are given, right or not.

    Args:
        git_dir: a bare repository.
        chance: what they are made of.
    """

    def __init__(self, git_dir: Path, chance: random.Random) -> None:
        self._objects = git_dir / "objects"
        self._chance = chance
        self.blobs = [self.put(b"blob", data) for data in self._contents()]
        self.trees = [self.put(b"tree", b"")]
        self.commits: list[bytes] = []

    def put(self, kind: bytes, data: bytes) -> bytes:
        """Store an object; its name."""
        whole = kind + b" %d\0" % len(data) + data
        name = hashlib.sha1(whole, usedforsecurity=False).digest()
        path = self._objects / name.hex()[:2] / name.hex()[2:]
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(zlib.compress(whole, 1))
        return name

    def _contents(self) -> list[bytes]:
        chance = self._chance
        source = chance.choice([*SOURCES.values()])(chance.choice([10, 500]))
        words = b"package p\n\n//go:build " + chance.randbytes(20) + b"\nfunc F() {}\n"
        return [
            source,
            words,
            b"",
            b"\0" * 100,
            chance.randbytes(1_000),
            b"x" * chance.choice([10, 3_000_000]),
            b"rules: [\n",
        ]

    def tree(self) -> bytes:
        """A tree, and those below it."""
        chance = self._chance
        match chance.randrange(6):
            case 0:  # deep
                found = self.put(b"tree", self._entries(2))
                for _ in range(chance.choice([20, 99, 101, 600])):
                    found = self.put(b"tree", b"40000 " + chance.choice([b"d", b"pkg", b"\xff"]) + b"\0" + found)
            case 1:  # wide, by few objects
                found = self.put(b"tree", self._entries(2))
                width = chance.choice([2, 10, 60])
                for _ in range(chance.choice([3, 8, 30])):
                    found = self.put(b"tree", b"".join(b"40000 d%02d\0" % n + found for n in range(width)))
            case 2:  # many
                number = chance.choice([1_000, 20_000])
                found = self.put(b"tree", b"".join(b"100644 f%06d.go\0" % n + self.blobs[n % 2] for n in range(number)))
            case _:
                for _ in range(chance.randint(1, 6)):
                    self.trees.append(self.put(b"tree", self._entries(chance.randint(1, 8))))
                found = self.trees[-1]
        return found

    def _entries(self, number: int) -> bytes:
        """Most are what their modes say, and only have odd names; some are anything."""
        chance = self._chance
        kinds = [(b"100644", self.blobs), (b"100755", self.blobs), (b"120000", self.blobs), (b"40000", self.trees)]
        found: dict[bytes, tuple[bytes, bytes]] = {}
        for _ in range(number):
            mode, places = chance.choice(kinds)
            found[chance.choice(_NAMES)] = (mode, chance.choice(places))
        made = [(mode, name, at) for name, (mode, at) in found.items()]
        made.sort(key=lambda entry: entry[1] + b"/" * (entry[0] == b"40000"))
        if chance.random() < WILD:
            anything = [*self.blobs, *self.trees, *self.commits, b"\0" * 20, chance.randbytes(20)]
            made += [(chance.choice(_MODES), chance.choice(_NAMES), chance.choice(anything)) for _ in range(3)]
            chance.shuffle(made)
        data = b"".join(mode + b" " + name + b"\0" + at for mode, name, at in made)
        return data[: chance.randrange(len(data) + 1)] if chance.random() < WILD / 5 else data

    def commit(self, tree: bytes, parent: str) -> str:
        """A commit, mostly of the tree."""
        chance = self._chance
        lines = [
            b"tree " + tree.hex().encode(),
            b"parent " + (parent if chance.random() < 1 - WILD / 2 else "0" * 40).encode(),
        ]
        lines += [b"author A <a@example.com> 1700000000 +0000", b"committer A <a@example.com> 1700000000 +0000"]
        if chance.random() < WILD:
            lines[chance.randrange(4)] = chance.choice(
                [b"", b"tree x", b"gpgsig -----", b"author " + b"x" * 100_000, b"\0"]
            )
        self.commits.append(self.put(b"commit", b"\n".join(lines) + b"\n\nwords " + chance.randbytes(4)))
        return self.commits[-1].hex()


def _ruin(chance: random.Random, folder: Path) -> None:
    """Change, cut or remove one of a repository's files."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "winparity.lock"]
    if not files:
        return
    path = chance.choice(files)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    match chance.randrange(3):
        case 0 if data:
            for _ in range(chance.randint(1, 10)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            path.write_bytes(data)
        case 1:
            path.write_bytes(data[: chance.randrange(len(data) + 1)])
        case _:
            path.unlink()


async def _compare(analyst: Analyst, task: Task) -> str:
    """What came of one comparison, in a word. Whatever is no answer is raised."""
    try:
        async with asyncio.timeout(PATIENCE):
            found = await analyst.compare(task, "")
    except (SourceError, LimitError) as reason:
        return type(reason).__name__
    return "findings" if found.analysis.findings else "nothing"


async def _repositories(seconds: float, seed: int) -> tuple[int, str]:
    chance, until, outcomes = random.Random(seed), time.monotonic() + seconds, Counter[str]()  # noqa: S311 - the same each time
    bot.analysis.TIME_LIMIT = LIMIT
    with tempfile.TemporaryDirectory(prefix="wp-fuzz-") as name:
        folder = Path(name)
        empty = folder / "empty.git"
        empty.mkdir()
        git(empty, "init", "--quiet", "--bare", ".")
        github = StandIn(1, "", "")
        async with github.running():
            settings = Settings(
                1,
                Secret("k"),
                (Secret("s"),),
                data_dir=folder / "data",
                api_url=github.url,
                git_url=github.url,
                concurrency=1,
            )
            analyst = Analyst(settings)
            try:
                while time.monotonic() < until:
                    number = sum(outcomes.values())
                    git_dir = folder / "served.git"
                    shutil.copytree(empty, git_dir)
                    github.repositories.clear()
                    github.add_repository(NAME, git_dir, public=True)
                    forge = Forge(git_dir, chance)
                    base = forge.commit(forge.tree() if chance.random() < 0.3 else forge.trees[0], "0" * 40)
                    head = forge.commit(forge.tree(), base)
                    for ref, sha in (
                        ("heads/main", base),
                        ("pull/1/head", head),
                        ("heads/" + chance.choice(["x", "a" * 200]), head),
                    ):
                        (git_dir / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
                        (git_dir / "refs" / ref).write_text(sha + "\n")
                    if chance.random() < 0.2:
                        _ruin(chance, git_dir)
                    task = Task(Repo(NAME), Sha(base), Sha(head), 1)
                    (folder / "last.txt").write_text(f"seed {seed}, number {number}\n")
                    outcomes[await _compare(analyst, task)] += 1
                    mirror = folder / "data" / "mirrors" / f"{NAME}.git"
                    if chance.random() < 0.3 and mirror.exists():
                        _ruin(chance, mirror)
                        outcomes["ruined, then " + await _compare(analyst, task)] += 1
                    for gone in (git_dir, folder / "data" / "mirrors"):
                        shutil.rmtree(gone, ignore_errors=True)
            finally:
                await asyncio.to_thread(analyst.close)
        assert github.problems == [], github.problems
    return sum(outcomes.values()), f"{dict(outcomes)}"


def repositories(seconds: float, seed: int) -> tuple[int, str]:
    """Hostile git objects, and repositories that are ruined, there and here."""
    return asyncio.run(_repositories(seconds, seed))


# Configurations.

_YAML = """comment: findings
fail: regressions
target: windows
counterpart: linux
drafts: never
labels: true
rules:
  test-skipped: note
alerts: issue
alert_branches: [main, release/*]
accept:
  - symbol: daemon:Daemon.setupSeccomp
    rule: stub-added
    reason: seccomp is a mechanism of Linux
    issue: https://github.com/example/berth/issues/12
    expires: 2027-06-30
"""
_WORDS = (
    *(
        "&a",
        "*a",
        "!!python/object:os.system ",
        "<<: *a",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ": ",
        "\n",
        "  ",
        "\t",
        "'",
        '"',
        "|",
        ">",
        "---\n",
    ),
    *(
        "\0",
        "\ufeff",
        "\u202e",
        "~",
        "0x1F",
        "1e999",
        "2027-13-40",
        ".inf",
        "%YAML 9\n",
        "? ",
        "#",
        "[" * 2_000,
        "a: " * 500,
    ),
    *(
        "&a [" + ",".join(["x"] * 50) + "]\n",
        "- *a\n" * 50,
        "@",
        "`",
        "accept:\n",
        "rules: {}\n",
        "1" * 5_000,
        "\u2028",
        "𝕏",
    ),
)
_ENVIRONMENT = {
    "WINPARITY_APP_ID": "1",
    "WINPARITY_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleQ\n-----END PRIVATE KEY-----",
    "WINPARITY_WEBHOOK_SECRET": "secret-webhook",
    "WINPARITY_ALERT_SECRET": "secret-alert",
    "WINPARITY_PUBLIC_URL": "https://wp.example.com",
    "WINPARITY_CLIENT_ID": "Iv1.8a61f9b3a7aba766",
    "WINPARITY_CLIENT_SECRET": "secret-client",
    "WINPARITY_ADMINS": "octocat,somebody",
    "WINPARITY_ALERT_URLS": "https://hooks.example.com/secret-path slack+https://hooks.example.com/secret-slack",
    "REDIS_URL": "redis://:secret-password@store:6379/0",
    "WINPARITY_CONCURRENCY": "4",
    "WINPARITY_JOB_MEMORY": "2048",
    "WINPARITY_WRITE_SPACING": "1.0",
    "WINPARITY_GITHUB_URL": "https://github.example.com",
    "WINPARITY_SHADOW": "example/*",
    "WINPARITY_DATA_DIR": "data",
    "PORT": "8080",
}
_SECRET_NAMES = set(
    "WINPARITY_PRIVATE_KEY WINPARITY_WEBHOOK_SECRET WINPARITY_ALERT_SECRET WINPARITY_ALERT_URLS "
    "WINPARITY_CLIENT_SECRET REDIS_URL".split()
)
_SECRETS = (
    "c2VjcmV0LWtleQ",
    "secret-webhook",
    "secret-alert",
    "secret-client",
    "secret-path",
    "secret-slack",
    "secret-password",
)


def _changed(chance: random.Random, text: str) -> str:
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(text) + 1)
        end = at + chance.choice([0, 0, 1, 5, 40])
        start = chance.randrange(len(text) + 1)
        put = chance.choice([*_WORDS, text[start : start + 30], chr(chance.randrange(0xD800))])
        text = text[:at] + put + text[end:]
    return text


def _repository_settings(chance: random.Random, _folder: Path) -> str:
    data = _changed(chance, _YAML).encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        data = data.replace(b"a", chance.randbytes(1))
    config = read(data)
    assert isinstance(config, RepoConfig)
    assert isinstance(config.options(TODAY), Options)
    assert all(len(str(problem)) < 2_000 for problem in config.problems)
    return f"{PATH} with problems" if config.problems else f"{PATH} that is fine"


def _server_settings(chance: random.Random, _folder: Path) -> str:
    given = dict(_ENVIRONMENT)
    for name in chance.sample(sorted(given), chance.randint(1, 3)):
        given[name] = chance.choice(
            [
                "",
                " ",
                "-1",
                "nan",
                "1e999",
                "../..",
                "https://[::1",
                "\u0663",
                "x" * 9_000,
                _changed(chance, given[name]),
            ]
        )
    return _settings(given)


def _settings(given: dict[str, str]) -> str:
    try:
        settings = Settings.from_env(given)
    except ConfigError as problems:
        shown = str(problems)
    else:
        shown = repr(settings)
    # What a change has put where no secret belongs may be named.
    open_to_all = " ".join(value for name, value in given.items() if name not in _SECRET_NAMES)
    whole = [secret for secret in _SECRETS if secret not in open_to_all]
    assert not [secret for secret in whole if secret in shown], "a secret is shown"
    return "an environment"


def _file_of_settings(chance: random.Random, folder: Path) -> str:
    text = _changed(chance, "".join(f"{name}={value!r}\n" for name, value in _ENVIRONMENT.items()))
    file = folder / ".env"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(ConfigError):
        given = environment({}, file)
        assert all(isinstance(value, str) for value in given.values())
        _settings(given)
    return "a .env"


_KINDS: tuple[Callable[[random.Random, Path], str], ...] = (_repository_settings, _server_settings, _file_of_settings)


def configurations(seconds: float, seed: int) -> tuple[int, str]:
    """Settings of repositories, environments, and files with settings."""
    chance, until, outcomes = random.Random(seed), time.monotonic() + seconds, Counter[str]()  # noqa: S311 - the same each time
    with tempfile.TemporaryDirectory(prefix="wp-fuzz-") as folder:
        while time.monotonic() < until:
            start = time.process_time()
            outcomes[chance.choice(_KINDS)(chance, Path(folder))] += 1
            assert time.process_time() - start < READS_WITHIN, "it takes too long"
    return sum(outcomes.values()), f"{dict(outcomes)}"
