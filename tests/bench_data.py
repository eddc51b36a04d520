"""What the bench measures: a synthetic repository that is always the same, pull requests, and patterns for ast-grep."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bot.demo.sample import git
from bot.ids import Sha

# As many Go files as a large engine has, with the sizes and the shares that its files have.
PACKAGES = 220
PULLS = (1, 1, 2, 3, 4, 6, 8, 12, 20, 40)

WORDS = (
    "start stop open close mount attach detach list prune build push pull check load store copy wait kill stat".split()
)


def synthetic(folder: Path) -> Path:
    """Make the repository, with a chain of commits that change more and more files."""
    draw = random.Random(1)  # noqa: S311 - the same repository each time
    files = {path: text for number in range(PACKAGES) for path, text in _package(number, draw).items()}
    folder.mkdir(parents=True)
    _git(folder, "init", "-q")
    _write(folder, files)
    _commit(folder, "all")
    paths = sorted(files)
    for count in PULLS:
        changed = {path: files[path] + f"\nvar changed{count} = 1\n" for path in draw.sample(paths, count)}
        files |= changed
        _write(folder, changed)
        _commit(folder, f"change {count} files")
    return folder


def _package(number: int, draw: random.Random) -> dict[str, str]:
    where, name = f"pkg/group{number % 20}/part{number}", f"part{number}"
    head = f'package {name}\n\nimport (\n\t"errors"\n\t"fmt"\n\n\t"example.com/engine/pkg/group{(number + 1) % 20}/part{(number + 1) % PACKAGES}"\n)\n\n'
    names = [f"{draw.choice(WORDS).title()}{n}" for n in range(6)]
    own = {
        "windows": "".join(
            f'func {n}(id string) error {{\n\treturn errors.New("not supported on Windows")\n}}\n\n' for n in names[:3]
        )
        + "".join(_function(n, draw) for n in names[3:]),
        "linux": "".join(_function(n, draw) for n in names),
    }
    files = {f"{where}/own_{system}.go": head + text for system, text in own.items()} if number % 3 == 0 else {}
    for n in range(5):
        files[f"{where}/shared{n}.go"] = head + "".join(_function(f"Shared{n}x{i}", draw) for i in range(3))
    for n in range(3):
        files[f"{where}/shared{n}_test.go"] = head + "".join(_function(f"Test{n}x{i}", draw) for i in range(4))
    return files


def _function(name: str, draw: random.Random) -> str:
    lines = [f"func {name}(id string) error {{"]
    for step in range(draw.randint(2, 12)):
        word = draw.choice(WORDS)
        lines += [
            f"\tvalue{step}, err := {word}(id, {draw.randint(0, 99)}, options{{Name: id, Force: true}})",
            "\tif err != nil {",
            f'\t\treturn fmt.Errorf("could not {word} %s: %w", id, err)',
            "\t}",
            f"\tfor _, item := range value{step}.Items {{",
            f"\t\titem.{word.title()}(func() {{ value{step}.Count++ }})",
            "\t}",
        ]
    return "\n".join([*lines, "\treturn nil", "}", "", ""])


def _write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "-A")
    _git(folder, "-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-qm", message)


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


def pulls(repo: Path, rev: str, count: int = 12) -> list[tuple[Sha, Sha]]:
    """The last first-parent changes with Go in them, as base and head; the smallest first."""
    log = _git(
        repo,
        "log",
        "--first-parent",
        "-m",
        "--format=@%H %P",
        "--numstat",
        "-n",
        str(count * 5),
        rev,
        "--",
        "*.go",
        ":!vendor",
    )
    found: list[tuple[int, Sha, Sha]] = []
    for entry in log.split("@")[1:]:
        head, *lines = entry.splitlines()
        shas = head.split()
        if len(shas) > 1:
            found.append((sum(bool(line) for line in lines), Sha(shas[1]), Sha(shas[0])))
    return [(base, head) for _, base, head in sorted(found[:count])]


def merged_heads(repo: Path, most: int) -> Iterator[str]:
    """The heads of the merged pull requests with Go files of their own among the last `most` merges, newest first."""
    for merge in git(repo, "log", "--merges", "--first-parent", "--format=%H", "-n", str(most), "HEAD").split():
        names = git(repo, "diff", "--name-only", f"{merge}^1...{merge}^2").split("\n")
        if any(name.endswith(".go") and not name.startswith("vendor/") for name in names):
            yield git(repo, "rev-parse", f"{merge}^2")


RULES = r"""
id: noop
language: go
rule:
  any: [{kind: function_declaration}, {kind: method_declaration}]
  has: {field: body, kind: block, regex: '^\{\s*\}$'}
---
id: zero
language: go
rule:
  any: [{kind: function_declaration}, {kind: method_declaration}]
  has: {field: body, kind: block, regex: '^\{\s*return( (nil|false|0|""))?(, (nil|false|0|""))*\s*\}$'}
---
id: error
language: go
rule:
  kind: return_statement
  regex: '(?i)not (yet )?(supported|implemented)|unsupported|unimplemented|errn?o?t?supported'
---
id: panic
language: go
rule: {pattern: panic($MESSAGE), regex: '(?i)not (supported|implemented)'}
---
id: guard
language: go
rule: {any: [{pattern: runtime.GOOS == $SYSTEM}, {pattern: runtime.GOOS != $SYSTEM}]}
"""
"""What ast-grep can say of stubs and guards without following a call."""
