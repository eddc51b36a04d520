"""`winparity explain` of a module: what Windows' code uses of it, where, and which features rest on that."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console

from analyzer.entries import Entry
from analyzer.impact import Chain
from analyzer.model import Options
from analyzer.names import platform_name
from analyzer.resting import Rest, entries_of
from bot.feature_words import names_of
from bot.features import feature_of
from bot.terminal import text

MAX_NAMED = 3
"""Features that are named below a function; more are counted."""

MAX_FUNCTIONS = 6
"""Functions of the module that are named for a feature; more are counted."""

MAX_FEATURES = 60
"""Features of which is told what they rest on; more are counted."""


def show_rests(module: str, found: Sequence[Rest], console: Console, options: Options) -> None:
    """Each name that is used, below it the functions that use it, and below these who comes to them; then by feature.

    Args:
        module: the import path.
        found: the uses.
        console: where it is shown.
        options: the platforms.
    """
    target = platform_name(options.target)
    in_order = sorted(found, key=lambda rest: (rest.use.name, rest.use.place))
    names = dict.fromkeys(rest.use.name for rest in in_order)
    files = len({rest.use.place.path for rest in found})
    summary = f"{len(names)} names used on {target}, in {files} files"
    console.print(f"[bold]{text(module)}[/]  {summary}", highlight=False, soft_wrap=True)
    for name, some in groupby(in_order, key=lambda rest: rest.use.name):
        console.print(f"\n{text(name)}", highlight=False, soft_wrap=True)
        for (by, path), same in groupby(some, key=lambda rest: (rest.use.by, rest.use.place.path)):
            uses = [*same]
            lines = ", ".join(str(rest.use.place.line) for rest in uses)
            who = f"{text(by)}  " if by else ""
            console.print(f"    {who}[dim]{text(path)}:{lines}[/]", highlight=False, soft_wrap=True)
            if by:
                console.print(f"        [dim]{text(reached_by(uses[0].chains))}[/]", highlight=False, soft_wrap=True)
    _show_features(found, console)


def reached_by(chains: Sequence[Chain]) -> str:
    """Who comes to a function, in a line: as few as can be read, and how many more."""
    if not chains:
        return "reached by nothing that the source names"
    users = [chain for chain in chains if chain.entry.kind != "start"]
    if not users:
        return f"only at the start of {', '.join(dict.fromkeys(chain.entry.name for chain in chains))}"
    sure = users[0].sure
    told = [chain for chain in users if chain.sure is sure]
    rest = f", and {len(told) - MAX_NAMED} more" if len(told) > MAX_NAMED else ""
    return f"{'for' if sure else 'perhaps for'} {', '.join(name_of(c.entry) for c in told[:MAX_NAMED])}{rest}"


def name_of(entry: Entry) -> str:
    """An entry, after the first name that people know it by."""
    known = names_of(feature_of(entry))
    return f"{known[0]} ({entry.name})" if known else entry.name


def _show_features(found: Sequence[Rest], console: Console) -> None:
    """By feature, the functions of the module that it rests on."""
    entries = entries_of(found)
    told = sorted((e for e in entries if e.kind != "start"), key=lambda e: (e.kind, e.name.rpartition(" ")[2], e.name))
    if told:
        console.print("\n[bold]what rests on it[/]", highlight=False)
    for entry in told[:MAX_FEATURES]:
        names = names_of(feature_of(entry))
        known = f"  [dim]{text(' · '.join(names))}[/]" if names else ""
        console.print(f"    {text(entry.name)}{known}", highlight=False, soft_wrap=True)
        console.print(f"        {text(some_of(entries[entry]))}", highlight=False, soft_wrap=True)
    if len(told) > MAX_FEATURES:
        console.print(f"    [dim]… {len(told) - MAX_FEATURES} more[/]", highlight=False)
    by_start = {name for entry in entries if entry.kind == "start" for name in entries[entry]}
    for_users = {name for entry in told for name in entries[entry]}
    if by_start - for_users:
        line = f"only at the start of a program: {', '.join(sorted(by_start - for_users))}"
        console.print(f"    [dim]{text(line)}[/]", highlight=False, soft_wrap=True)
    rest = sorted({rest.use.name for rest in found if rest.use.called} - by_start - for_users)
    if rest:
        line = f"by nothing that surely comes to it: {', '.join(rest)}"
        console.print(f"    [dim]{text(line)}[/]", highlight=False, soft_wrap=True)


def some_of(functions: Iterable[str]) -> str:
    """As many functions as can be read, and how many more there are."""
    every = [*functions]
    rest = f", and {len(every) - MAX_FUNCTIONS} more" if len(every) > MAX_FUNCTIONS else ""
    return f"{', '.join(every[:MAX_FUNCTIONS])}{rest}"
