"""What the tests of commands and buttons have in common: a pull request that is looked at, and people."""

import hashlib

from bot.demo.github import PullState
from tests.bot.line import LOST, Line, Tree

SUBJECT = "example/berth#1"
FREE = "implementation-lost:vol:Free"
QUIET_FROM = {"stranger": "read", "reader": "triage", "nobody": "none"}
HELP = "<details><summary>What can be said to winparity</summary>"
MEANING = "<details><summary>What the findings mean</summary>"
TROUBLE = "<details><summary>What was not understood</summary>"


async def looked_at(line: Line, tree: Tree = LOST) -> PullState:
    """A pull request of somebody's, which is looked at; a maintainer, and others."""
    line.repository.permissions |= {"maintainer": "write", **QUIET_FROM}
    pull = await line.open(tree)
    await line.hear("opened", pull)
    line.github.calls.clear()
    return pull


def id_of(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()
