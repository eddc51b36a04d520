"""The sample repository: two txtar files become a real git repository with a main branch and a pull request."""

import os
import subprocess
from importlib.resources import files
from pathlib import Path

from bot.ids import Sha

MARKER = "-- "
_WHO = {"NAME": "Demo", "EMAIL": "demo@example.com", "DATE": "2024-05-01T12:00:00+00:00"}


def parse_txtar(text: str) -> dict[str, str]:
    """The files of a txtar archive (golang.org/x/tools/txtar); what stands before the first one is prose."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if line.startswith(MARKER) and line.rstrip().endswith(" --"):
            name = line.strip().removeprefix(MARKER).removesuffix(" --").strip()
            found[name] = []
        elif name:
            found[name].append(line)
    return {path: "".join(lines) for path, lines in found.items()}


def sample(name: str) -> dict[str, str]:
    """The files of ``base`` or ``pull``."""
    return parse_txtar(files("bot.demo").joinpath("sample", f"{name}.txtar").read_text(encoding="utf-8"))


def git(folder: Path, *args: str, stdin: str = "") -> str:
    """Run git in a repository of our own, with nobody's configuration."""
    env = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _WHO.items()}
    env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ.get("PATH", "")}
    command = ["git", "-c", "safe.directory=*", "-c", "init.defaultBranch=main", "-C", str(folder), *args]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, env=env).stdout.strip()


def commit(folder: Path, tree: dict[str, str], message: str, parent: str = "") -> Sha:
    """Commit a whole tree to a bare repository, without a work tree."""
    git(folder, "read-tree", "--empty")
    entries = []
    for path, content in sorted(tree.items()):
        blob = git(folder, "hash-object", "-w", "--stdin", stdin=content)
        entries.append(f"100644 {blob}\t{path}")
    git(folder, "update-index", "--add", "--index-info", stdin="\n".join(entries) + "\n")
    parents = ["-p", parent] if parent else []
    return Sha(git(folder, "commit-tree", git(folder, "write-tree"), *parents, "-m", message))


def make_repository(folder: Path) -> tuple[Sha, Sha]:
    """Make the sample as a bare repository; ``main`` is its base. Returns base and head of the pull request."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--bare", ".")
    before = sample("base")
    base = commit(folder, before, "A small container engine")
    git(folder, "update-ref", "refs/heads/main", base)
    head = commit(folder, {**before, **sample("pull")}, "Restart containers that stop answering", base)
    git(folder, "update-ref", "refs/heads/restart-hung", head)
    return base, head
