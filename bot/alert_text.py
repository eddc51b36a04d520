"""What the issue about a branch says: values in, text out. Names and messages come from whoever pushed, so are hostile."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from analyzer import directives
from analyzer.model import Options, Platform
from analyzer.names import in_words_of, platform_name
from bot.docs import FIX, PAGES, section
from bot.ids import Repo, Sha
from bot.markdown import code, fragment, located, plain, unlinked
from bot.passages import BUDGET
from bot.regressions import MAX_OPEN, Regression, Resolved, State, mark
from bot.repo_config import PATH

FEWER = (MAX_OPEN, 20, 5, 0)
"""What is listed of each kind, less when the budget would be passed."""

MAX_PULLS = 5
"""Pull requests that are named for one regression."""

# A branch's name is shown in a title, which knows no code span, only if nothing in it can mean anything.
_HARMLESS = re.compile(r"[A-Za-z0-9._/-]{1,60}")

Ending = Literal["", "resolved", "branch gone", "switched off"]
"""Why the issue is closed; "" while it is open."""


@dataclass(frozen=True, slots=True)
class About:
    """What an issue is about, and where its links go."""

    repo: Repo
    branch: str
    web: str

    def blob(self, regression: Regression) -> str:
        """A link to the lines, at the commit that has them."""
        sha = regression.after if regression.side == "head" else regression.before
        lines = fragment(regression.line, regression.end_line)
        target = f"{self.web}/{self.repo}/blob/{sha}/{quote(regression.path, safe='/')}{lines}"
        return f"[{located(regression.path, regression.line)}]({target})"

    def way(self, regression: Regression) -> str:
        """Since when, and by what."""
        before, after = regression.before, regression.after
        shas = f"[`{before[:7]}...{after[:7]}`]({self.web}/{self.repo}/compare/{before}...{after})"
        if regression.rewritten:
            words = f"the branch was rewritten, and {shas} are compared as they are"
        elif regression.commits > 1:
            words = f"came in one of {regression.commits} commits, {shas}"
        else:
            words = f"came with {shas}"
        return words + _by(regression.pulls)

    def commit(self, sha: Sha) -> str:
        """A link to a commit."""
        return f"[`{sha[:7]}`]({self.web}/{self.repo}/commit/{sha})"


def title(branch: str, target: str) -> str:
    """The issue's title, in which nothing is anybody else's text: a branch that could be more than a name is not named."""
    where = branch if _HARMLESS.fullmatch(branch) and unlinked(branch) == branch else "a branch"
    return f"{platform_name(Platform(target))} support regressed on {where}"


def body(state: State, about: About, ending: Ending = "") -> str:
    """The issue's body, within GitHub's limits.

    Args:
        state: of the branch.
        about: the branch.
        ending: why it is closed.
    """
    first = mark(about.branch, state)
    texts = ("\n\n".join([first, *_parts(state, about, ending, most)]) for most in FEWER)
    return next(text for text in texts if len(text.encode()) <= BUDGET)


def _parts(state: State, about: About, ending: Ending, most: int) -> list[str]:
    target = platform_name(Platform(state.target))
    parts = [_headline(state, about, ending, target)]
    if not ending:
        parts.append(_list([_open(regression, about) for regression in state.open], most))
    if state.resolved:
        gone = [_resolved(resolved, about) for resolved in reversed(state.resolved)]
        parts += ["**No longer found**", _list(gone, most)]
    if not ending and state.open:
        parts.append(_advice(state))
    return parts


def _headline(state: State, about: About, ending: Ending, target: str) -> str:
    branch = code(about.branch)
    match ending:
        case "resolved":
            last = state.resolved[-1:]
            when = f", the last of it with {about.commit(last[0].at)}{_by(last[0].pulls)}" if last else ""
            return f"All that {target} users had lost on {branch} is back, or accepted{when}."
        case "branch gone":
            return f"{branch} is gone, and so is what was listed here."
        case "switched off":
            return f"Alerts are switched off for {branch} in {code(PATH)}."
        case "":
            return (
                f"On {branch}, {target} users lose what they had. This list is kept up to date, and the issue is closed "
                "when nothing is left. Close it yourself to leave it at that: what it lists is not brought up again."
            )


def _open(regression: Regression, about: About) -> str:
    where = f"{about.blob(regression)} · {regression.rule} · {about.way(regression)}"
    return f"- {_words(regression)}<br>{where}"


def _resolved(resolved: Resolved, about: About) -> str:
    how = "accepted" if resolved.accepted else "not found any more"
    what = resolved.what
    return f"- {_words(what)}<br>{about.blob(what)} · {how} since {about.commit(resolved.at)}{_by(resolved.pulls)}"


def _words(regression: Regression) -> str:
    """What is lost. A message begins with the symbol, if there is one."""
    rest = regression.message.removeprefix(regression.symbol)
    subject = code(regression.symbol) if regression.symbol and rest != regression.message else ""
    return f"{subject} {plain(rest)}".strip()


def _by(pulls: tuple[int, ...]) -> str:
    if not pulls:
        return ""
    named = [f"#{number}" for number in pulls[:MAX_PULLS]]
    more = len(pulls) - len(named)
    return f" by {' or '.join(named)}" + f", or {more} more" * bool(more)


def _list(lines: list[str], most: int) -> str:
    more = [f"- {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])


def _advice(state: State) -> str:
    """The rules' own words on what to do, and how to accept what is meant to be so."""
    options = Options(target=Platform(state.target))
    rules = [rule for rule in dict.fromkeys(regression.rule for regression in state.open) if rule in PAGES]
    lines = [f"- **{rule}**: {plain(in_words_of(options, section(PAGES[rule], FIX)))}" for rule in rules]
    example = code(f"{directives.MARKER} {state.open[0].rule} the reason")
    accept = f"- If it is meant to be so, accept it: {example} above the declaration, or an entry in {code(PATH)}."
    return "\n".join(["<details><summary>What to do</summary>\n", *lines, accept, "\n</details>"])
