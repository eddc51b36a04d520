"""What can be said to us: a line as a command, and the findings that a reference names. Values in, values out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.model import Finding, Level
from bot.finding_ids import finding_id
from bot.talk import MAX_REASON

SHORTEST_ID = 6
"""Hexadecimal digits of a finding's id that are enough, if they are unique."""

MAX_QUOTED = 100
"""Characters that are repeated of what was not understood."""

COMMANDS = {
    "rerun": "look at the newest commit again; ends `ignore`",
    "explain": "say what all findings mean",
    "explain ID": "say what one finding means; a symbol or a rule will do in the place of the id",
    "accept ID REASON": "accept a finding as it is: it no longer counts in this pull request, and the reason is shown",
    "ignore REASON": "keep quiet in this pull request; the reason may be left out",
    "help": "this list",
}
"""What can be said, and what it does. docs/commands.md says more."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """Look again."""


@dataclass(frozen=True, slots=True)
class Explain:
    """Explain what a reference names; "" for all findings."""

    what: str


@dataclass(frozen=True, slots=True)
class Accept:
    """Accept the one finding that a reference names."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class AcceptShown:
    """Accept all findings that a check run shows."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Keep quiet."""

    reason: str


@dataclass(frozen=True, slots=True)
class Help:
    """Say what can be said."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """It is none of these.

    Attributes:
        words: why, for the person who said it; may quote what was said.
    """

    words: str


Command = Rerun | Explain | Accept | AcceptShown | Ignore | Help | Unclear

BUTTONS: dict[str, Command] = {"recompute": Rerun(), "accept": AcceptShown(), "explain": Explain("")}
"""The buttons of the check run by their identifiers."""

_HEX = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},64}}")


class UnclearError(Exception):
    """A command cannot be carried out; the text is for the person who gave it."""


def parse(line: str) -> Command:
    """What a line says that was addressed to us.

    Args:
        line: without our name. Only its words are kept, and those that are repeated are cut.
    """
    verb, *rest = line.split() or [""]
    words = " ".join(rest)[:MAX_REASON]
    what, _, reason = words.partition(" ")
    match verb.lower():
        case "rerun" if not words:
            return Rerun()
        case "help" | "":
            return Help()
        case "explain" if not reason:
            return Explain(_bare(what))
        case "accept" if reason and _bare(what):
            return Accept(_bare(what), reason)
        case "accept":
            return Unclear("accept takes the id of a finding and then a reason")
        case "ignore":
            return Ignore(words)
        case "rerun":
            return Unclear("rerun takes nothing else")
        case "explain":
            return Unclear("explain takes one id, symbol or rule")
        case _:
            return Unclear(f"there is no command {verb[:MAX_QUOTED]}; /winparity help lists them")


def _bare(reference: str) -> str:
    """A reference as it is meant: people copy the quotes and the invisible breaks of our comment, too."""
    return reference.replace("\u200b", "").strip("`'\"")


def named(what: str, findings: Sequence[Finding]) -> list[Finding]:
    """The findings above note that a reference names: by a name, or else by the beginning of an id.

    Args:
        what: a symbol or a file's name, alone or after a rule or a folder and a colon; or six digits of an id or more.
        findings: where to look.

    Raises:
        UnclearError: it names none, or the digits are not unique.
    """
    counted = [finding for finding in findings if finding.level is not Level.NOTE]
    if by_name := [finding for finding in counted if what in _names(finding)]:
        return by_name
    if not _HEX.fullmatch(what.lower()):
        raise UnclearError(f"there is no finding {what[:MAX_QUOTED]}")
    by_id = [finding for finding in counted if finding_id(finding).startswith(what.lower())]
    if not by_id:
        raise UnclearError(f"there is no finding {what[:MAX_QUOTED]}")
    if len({finding.fingerprint for finding in by_id}) > 1:
        raise UnclearError(f"{what[:MAX_QUOTED]} begins the ids of more than one finding")
    return by_id


def _names(finding: Finding) -> set[str]:
    """All that a finding is called by."""
    name = finding.symbol or finding.path.rpartition("/")[2]
    return {name, f"{finding.rule}:{name}", f"{finding.package}:{name}", finding.fingerprint, finding.path}
