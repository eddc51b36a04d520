"""`winparity explain` of a feature: the answer, why, the way there, the source, and since when it is so."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial

from rich.console import Console
from rich.text import Text

from analyzer.explain import Explanation
from analyzer.impact import Chain, Impact
from analyzer.model import Options, Place, Snapshot
from analyzer.names import platform_name
from analyzer.resting import rests_on
from analyzer.standing import Reason, Standings, standing_of
from bot.excerpt import Sources, show_excerpt, sources
from bot.feature_options import Option, about, not_about_others, option_of
from bot.feature_page import STYLES
from bot.feature_words import Row, answer, names_of, row, why
from bot.features import Feature, feature_of, table
from bot.ids import Sha
from bot.markdown import visible
from bot.module_page import some_of
from bot.since import Since, since
from bot.source import LocalRepository
from bot.terminal import text

MAX_REASONS = 8
"""Reasons that are told of one entry; more are counted."""

MAX_ENTRIES = 8
"""Entries that are told of one function; more are counted."""

Dated = Callable[[Place], Since | None]
"""Since when a line is so; None when that is not known."""


def is_name(wanted: str) -> bool:
    """Whether a text is the name of a feature and cannot be that of a symbol or a rule."""
    return " " in wanted.strip() or wanted.startswith("/") or bool(table().by_cmdlet(wanted))


def asked_for(wanted: str, known: Standings) -> list[Row]:
    """The entries that a text may mean: by their own names, or by those that people know them by.

    Args:
        wanted: ``docker diff``, ``POST /containers/{id}/pause``, a method of Docker.DotNet, a cmdlet, an entry's name.
        known: what the revision's entries are worth.
    """
    entries = {entry.name: entry for entry in known.entries}
    if wanted in entries:
        return [row(known.of(entries[wanted]))]
    features = named(wanted)
    of = {feature: entry for entry in entries.values() if (feature := feature_of(entry)) in features and feature}
    return [row(known.of(of[feature])) for feature in features if feature in of]


def named(wanted: str) -> list[Feature]:
    """The features of the Docker Engine that a text means: those alone that it is named for, where there are some."""
    found = table().find(wanted)
    words = {table().command(wanted), wanted.lower(), table().aliases.powershell.get(wanted, "").lower()}
    own = [f for f in found if not words.isdisjoint({*f.cli, *(cmdlet.lower() for cmdlet in f.powershell)})]
    return own or [*found]


def show_answer(
    found: Row, console: Console, held: Sources, dated: Dated, options: Options, *, rests: Sequence[str] = ()
) -> None:
    """One entry.

    Args:
        found: the entry.
        console: where it is shown.
        held: the source, for excerpts.
        dated: since when a line is so.
        options: the platforms.
        rests: the functions of others, for the target alone, that it rests on.
    """
    standing = found.standing
    style = STYLES[standing.state]
    console.print(Text(visible(answer(found, options)), style=style), soft_wrap=True)
    if found.names:
        console.print(f"[dim]known as[/] {text(' · '.join(found.names))}", highlight=False, soft_wrap=True)
    if rests:
        console.print(f"[dim]rests on[/] {text(some_of(rests))}", highlight=False, soft_wrap=True)
    if standing.handler is not None and not standing.reasons:
        place = standing.handler.place
        console.print(
            f"[dim]begins at[/] {text(f'{standing.handler.function}  {place.path}:{place.line}')}",
            highlight=False,
            soft_wrap=True,
        )
    for reason in standing.reasons[:MAX_REASONS]:
        _show_reason(reason, console, held, dated)
    more = len(standing.reasons) - MAX_REASONS
    if more > 0:
        console.print(f"\n[dim]… {more} more; `winparity features --format json` has them all[/]", highlight=False)


def _show_reason(reason: Reason, console: Console, held: Sources, dated: Dated) -> None:
    console.print()
    console.print(f"[bold]{text(why(reason))}[/]", highlight=False, soft_wrap=True)
    where = reason.place
    console.print(f"    [dim]{text(f'{where.path}:{where.line}')}[/]", highlight=False, soft_wrap=True)
    last = min(reason.end_line, where.line + 3)
    show_excerpt(console, held("head", where.path), where, last)
    for link in reason.links:
        place = link.call or link.place
        said = f"{link.function}  {place.path}:{place.line}"
        console.print(f"    [dim]{'→' if link.call else '✗'}[/] {text(said)}", highlight=False, soft_wrap=True)
    brought = dated(where)
    told = f"since {brought.day}, {brought.commit[:12]} ({brought.subject})" if brought else "since when is not known"
    console.print(f"    [dim]{text(told)}[/]", highlight=False, soft_wrap=True)


def explain_feature(
    wanted: str, source: LocalRepository, snapshot: Snapshot, options: Options, console: Console
) -> str:
    """Tell what a feature is worth at a revision.

    Args:
        wanted: any name of it.
        source: the repository.
        snapshot: the revision, all of it.
        options: the platforms, and what reads files.
        console: where it is told.

    Returns:
        Why nothing was told; "" when something was.
    """
    commit = Sha(snapshot.rev)
    impact = Impact(snapshot, options)
    known = Standings(impact, options)
    found = asked_for(wanted, known)
    option = option_of(wanted)
    if option is not None and found:
        found = _for_option(option, found, console, options)
    for number, one in enumerate(found):
        if number:
            console.print()
        dated = partial(since, source, commit)
        held = sources(snapshot, snapshot)
        show_answer(one, console, held, dated, options, rests=rests_on(impact, one.standing.entry))
    if found:
        return ""
    routes = ", ".join(feature.route for feature in named(wanted))
    if routes:
        return f"{wanted} is {routes}, and nothing serves that at {commit[:12]} on {platform_name(options.target)}"
    near = get_close_matches(wanted, [entry.name for entry in known.entries])
    return f"there is no feature {wanted} at {commit[:12]}" + (f"; did you mean {', '.join(near)}?" if near else "")


def _for_option(option: Option, found: Sequence[Row], console: Console, options: Options) -> list[Row]:
    """Say what an option is worth, and which rows are left to be told: those that speak of it, or may hold with it."""
    asked = f"{option.command} {option.name}"
    on = platform_name(options.target)
    told = [(one, about(option, one.standing.reasons)) for one in found]
    own = [(one, reasons) for one, reasons in told if reasons]
    for one, reasons in own:
        refused = [reason for reason in reasons if reason.what == "refuses"]
        worst = (refused or reasons)[0]
        always = len(worst.conditions) == 1 and not worst.isolation
        state = (
            "is refused" if refused and always else "is refused in part" if refused else "is worth less than on Linux"
        )
        line = f"{asked} {state} on {on}, by {one.standing.entry.name}: {why(worst)}."
        console.print(Text(visible(line), style="bold red" if always else "yellow"), soft_wrap=True)
        console.print()
    if own:
        return [_only(one, reasons) for one, reasons in own]
    fields = ", ".join(option.fields)
    line = (
        f"Nothing that the source refuses on {on} surely speaks of {asked}"
        f"{f' ({fields})' if fields else ''}; what may hold with it:"
    )
    console.print(Text(visible(line), style="dim"), soft_wrap=True)
    console.print()
    return [_only(one, not_about_others(option, one.standing.reasons)) for one in found]


def _only(found: Row, reasons: Sequence[Reason]) -> Row:
    """An entry for some of its reasons."""
    if not found.standing.reasons:
        return found
    return replace(found, standing=standing_of(found.standing.entry, reasons, found.standing.handler))


def show_reach_of(found: Sequence[Explanation], snapshot: Snapshot, options: Options, console: Console) -> None:
    """Who reaches the functions that were explained.

    Args:
        found: what was explained.
        snapshot: the revision, all of it.
        options: the platforms, and what reads files.
        console: where it is shown.
    """
    impact = Impact(snapshot, options)
    for one in found:
        if one.parity.kind in {"func", "method"} and one.target.place is not None:
            _show_reach(one, impact.entries(one.package, one.parity.name), console)


def _show_reach(one: Explanation, chains: Sequence[Chain], console: Console) -> None:
    """Who reaches a function: the entries, and the way of the nearest one."""
    console.print()
    name = text(f"{one.package}:{one.parity.name}")
    if not chains:
        console.print(f"[bold]reached[/] {name}: by nothing that the source names", highlight=False)
        return
    many = f"{len(chains)} entries" if len(chains) > 1 else "one entry"
    console.print(f"[bold]reached[/] {name}: by {many}", highlight=False)
    for chain in chains[:MAX_ENTRIES]:
        entry = chain.entry
        names = names_of(feature_of(entry))
        said = f"{'' if chain.sure else 'maybe '}{entry.name}"
        line = f"    {text(said)}  [dim]{text(' · '.join(names))}[/]"
        console.print(line, highlight=False, soft_wrap=True)
    if len(chains) > MAX_ENTRIES:
        console.print(f"    [dim]… {len(chains) - MAX_ENTRIES} more[/]", highlight=False)
    for link in chains[0].links:
        place = link.call or link.place
        console.print(
            f"    [dim]→[/] {text(f'{link.function}  {place.path}:{place.line}')}", highlight=False, soft_wrap=True
        )
