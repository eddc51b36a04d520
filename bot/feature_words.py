"""What is said of a feature in words: the answer in a sentence, and each reason in few."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from analyzer.impact import Impact
from analyzer.model import Options, Snapshot
from analyzer.names import platform_name
from analyzer.standing import Reason, Standing, Standings, State, mode_name
from bot.features import Feature, feature_of

MAX_WORDS = 160
"""Characters of a condition, or of a refusal, that are quoted."""

STATES = {
    State.WORKS: "works",
    State.PARTIAL: "works in part",
    State.REFUSED: "is refused",
    State.SILENT: "says that all is well, and does nothing",
    State.UNKNOWN: "is not known: the source does not say plainly what is run for it",
}
"""The end of a sentence about a feature."""

# A verb of the package fmt, where a value would stand.
_VERB = re.compile(r"%[-+#0]*\d*(?:\.\d+)?[a-zA-Z]")
_TEXT = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`([^`]*)`')


@dataclass(frozen=True, slots=True)
class Row:
    """An entry of a repository, what it is worth, and how people get at it.

    Attributes:
        standing: what it is worth.
        feature: its names; None for what is no route of the Docker Engine.
    """

    standing: Standing
    feature: Feature | None

    @property
    def names(self) -> tuple[str, ...]:
        """What people call it: commands, methods of Docker.DotNet, cmdlets."""
        return names_of(self.feature)


def standings(snapshot: Snapshot, options: Options) -> Standings:
    """What the entries of a revision are worth, asked for one by one.

    Args:
        snapshot: the revision, all of it.
        options: the platforms.
    """
    return Standings(Impact(snapshot, options), options)


def row(standing: Standing) -> Row:
    """With the names by which people know it."""
    return Row(standing, feature_of(standing.entry))


def names_of(feature: Feature | None) -> tuple[str, ...]:
    """What people call a feature: commands, methods of Docker.DotNet, cmdlets; of each kind the nearest first."""
    if feature is None:
        return ()
    return tuple(name for kind in (feature.cli, feature.dotnet, feature.powershell) for name in nearest(kind, feature))


def nearest(names: Iterable[str], feature: Feature) -> list[str]:
    """The names that say what the route says before the others."""
    last = feature.path.rpartition("/")[2].lower()
    return sorted(names, key=lambda name: last not in name.lower())


def rows(found: Iterable[Standing], states: Iterable[str] = ()) -> list[Row]:
    """A row for each, those with names first.

    Args:
        found: what is known.
        states: the states that are wanted; none for all.
    """
    wanted = {*states}
    every = [row(standing) for standing in found if not wanted or standing.state.value in wanted]
    return sorted(every, key=lambda r: (r.feature is None, r.standing.entry.kind, _path(r), r.standing.entry.name))


def _path(found: Row) -> str:
    return found.standing.entry.name.rpartition(" ")[2] if found.standing.entry.kind == "route" else ""


def answer(found: Row, options: Options) -> str:
    """What it is worth, in a sentence."""
    on = platform_name(options.target)
    standing = found.standing
    if standing.modes:
        modes = "; with ".join(f"{mode_name(mode)} it {STATES[state]}" for mode, state in standing.modes.items())
        return f"{standing.entry.name} depends on the isolation mode on {on}: with {modes}."
    told = f"{standing.entry.name} {STATES[standing.state]}"
    if standing.state in {State.WORKS, State.UNKNOWN}:
        return f"{told} on {on}." if standing.state is State.WORKS else f"{standing.entry.name} on {on}: {told}."
    more = len(standing.reasons) - 1
    return f"{told} on {on}: {why(standing.reasons[0])}{f', and {more} more' if more else ''}."


def why(reason: Reason) -> str:
    """A reason in few words."""
    asked = " and ".join(reason.conditions)
    when = f" if {_cut(asked)}" if asked else ""
    mode = f", with {mode_name(reason.isolation)}" if reason.isolation else ""
    function = reason.function.rpartition(":")[2]
    match reason.what:
        case "refuses":
            said = message(reason.says)
            return f"{function} refuses{when}{mode}" + (f": {_cut(said)}" if said else "")
        case "does nothing":
            return f"{function} does nothing, and says so to nobody{when}{mode}"
        case _:
            return f"{function} leaves something out where {_cut(reason.says)}{mode}"


def message(says: str) -> str:
    """The text of a refusal, or the name of its error."""
    found = [one or other for one, other in _TEXT.findall(says)]
    plain = says.removeprefix("return ").rpartition(", ")[2]
    return _VERB.sub("…", max(found, key=len)) if found else plain


def _cut(words: str) -> str:
    return words if len(words) <= MAX_WORDS else f"{words[: MAX_WORDS - 1]}…"
