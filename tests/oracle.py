"""Compares `winparity files` with Go itself over whole repositories: `make oracle REPOS="NAME=PATH NAME=PATH@REV"`."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.analyzer.gotool import SYSTEMS, NoGoError, Oracle

USAGE = "usage: python -m tests.oracle NAME=PATH[@REV] ...   (PATH is a git directory, REV is HEAD without it)"
FILE_MODES = {b"100644", b"100755"}
LINK_MODE = b"120000"
# As contract and go command have it. Where the analyzer leaves out more or less than this, it shows as a difference.
LEFT_OUT = (b"vendor", b"testdata")


def _git(repo: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["git", "-c", "safe.directory=*", "-C", str(repo), *arguments]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout


def export(repo: Path, rev: str, folder: Path) -> None:
    """Write the .go files of a revision, byte for byte: an archive or a checkout would obey .gitattributes."""
    entries = [line.partition(b"\t") for line in _git(repo, "ls-tree", "-rz", "--full-tree", rev).split(b"\0") if line]
    wanted = [(head.split(), path) for head, _, path in entries if path.endswith(b".go") and _counts(path)]
    ids = b"\n".join(head[2] for head, _ in wanted)
    for (head, path), content in zip(wanted, _contents(_git(repo, "cat-file", "--batch", stdin=ids)), strict=True):
        place = os.path.join(os.fsencode(folder), path)  # noqa: PTH118 - names need not be text
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120 - same
        if head[0] in FILE_MODES:
            Path(os.fsdecode(place)).write_bytes(content)
        elif head[0] == LINK_MODE:
            os.symlink(content, place)  # noqa: PTH211 - same


def _counts(path: bytes) -> bool:
    return not any(part in LEFT_OUT or part.startswith((b".", b"_")) for part in path.split(b"/")[:-1])


def _contents(batch: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        size = int(batch[at:end].split()[2])
        yield batch[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def ours(repo: Path, rev: str) -> dict[str, dict[str, Any]]:
    """What `winparity files` prints, by directory."""
    command = [sys.executable, "-c", "from bot.cli import main; main()", "files", "--repo", str(repo), rev]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return {line["dir"]: line for line in map(json.loads, printed.splitlines())}


def differences(go: dict[str, dict[str, Any]], we: dict[str, dict[str, Any]]) -> Iterator[str]:
    """One line for each file or symbol that only one of the two has."""
    nothing: dict[str, Any] = {"files": {}, "symbols": {}, "broken": []}
    for where in sorted(go.keys() | we.keys()):
        theirs, own = go.get(where, nothing), we.get(where, nothing)
        for what in ("files", "symbols"):
            for goos in SYSTEMS:
                for name in sorted(set(theirs[what].get(goos, [])) ^ set(own[what].get(goos, []))):
                    who = "only Go has" if name in theirs[what].get(goos, []) else "only winparity has"
                    doubt = f" (Go cannot parse {', '.join(theirs['broken'])})" if theirs["broken"] else ""
                    yield f"{where} on {goos}: {who} {name}{doubt}"
        if theirs is nothing or own is nothing:
            yield f"{where}: {'only winparity' if theirs is nothing else 'only Go'} has the directory"


def compare(oracle: Oracle, name: str, repo: Path, rev: str) -> int:
    """Print the differences of one revision; how many there are."""
    with tempfile.TemporaryDirectory() as folder:
        export(repo, rev, Path(folder))
        go = oracle.tree(Path(folder))
    found = list(differences(go, ours(repo, rev)))
    for line in found:
        print(f"{name}: {line}")  # noqa: T201 - this is a command
    files = sum(len(line["files"][SYSTEMS[0]]) for line in go.values())
    symbols = sum(len(names) for line in go.values() for names in line["symbols"].values())
    print(  # noqa: T201 - same
        f"{name} {rev}: {len(found)} differences in {len(go):,} directories, {files:,} files on {SYSTEMS[0]}, "
        f"{symbols:,} symbols on {', '.join(SYSTEMS)}"
    )
    return len(found)


def main(arguments: list[str]) -> int:
    """Compare each repository; 1 when there is any difference, 2 for bad usage or no Go."""
    if not arguments or any("=" not in argument for argument in arguments):
        print(USAGE, file=sys.stderr)  # noqa: T201 - same
        return 2
    total = 0
    try:
        with Oracle() as oracle:
            for argument in arguments:
                name, _, place = argument.partition("=")
                path, _, rev = place.partition("@")
                total += compare(oracle, name, Path(path), rev or "HEAD")
    except NoGoError as error:
        print(error, file=sys.stderr)  # noqa: T201 - same
        return 2
    print(f"{total} differences")  # noqa: T201 - same
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
