"""Commands in comments and buttons of the check run: who may say them, and what comes of them.

The answer is a reaction, and the pull request brought up to date; never a comment. A job that was killed runs again from
the start: what was changed is known by the comment, a reaction stays one, and what follows has the comment's own name.
"""

import time
from collections.abc import Sequence

import msgspec
import structlog

from analyzer import suppress
from analyzer.model import Finding
from bot import checking, shadow
from bot.analysis import Found
from bot.check import CHECK_NAME
from bot.docs import PAGES
from bot.events import CommandEvent, PullEvent, pull_subject
from bot.finding_ids import finding_id
from bot.git import MovedError
from bot.github import BROKEN_WAIT, BusyError, Installation, Reaction, RefusedError
from bot.line import Line
from bot.pull import Pull
from bot.talk import ALL, Talk, Word
from bot.words import (
    BUTTONS,
    MAX_QUOTED,
    Accept,
    AcceptShown,
    Command,
    Explain,
    Help,
    Ignore,
    Rerun,
    Unclear,
    UnclearError,
    named,
    parse,
)

BY_BUTTON = "accepted by button"
"""The reason of what the button accepts."""

log = structlog.get_logger()

# What an author may say without being allowed to write.
_HARMLESS = (Rerun, Explain, Help, Unclear)


async def obey(line: Line, event: CommandEvent) -> str:
    """Do what somebody says in a comment or by a button. Returns what was done, in a word.

    Raises:
        BusyError, RefusedError: GitHub cannot be asked now, or will not do it.
    """
    subject, key = pull_subject(event.repo, event.number), str(event.comment or event.delivery)
    said = [parse(words) for words in event.lines] if event.comment else [BUTTONS.get(event.lines[0], Unclear(""))]
    if said == [Unclear("")]:
        return "no button of ours"
    if await shadow.is_on(line, event.repo):
        return "nothing is written, in shadow mode"
    if not await line.jobs.admit(subject, event.user, key):
        return "too many in this hour"
    github = line.github.installation(event.installation, event.repo)
    pull = await github.pull(event.number)
    if not pull.open:
        return "closed"
    if not await _is_permitted(github, event, pull, said):
        await _react(github, event, "-1")
        return "not permitted"
    talk = await line.jobs.talk(subject)
    if key not in talk.heard:
        findings = await _findings(line, github, event, pull, said)
        talk = await line.jobs.change_talk(subject, lambda talk: _carried_out(talk, event, said, findings))
    await _react(github, event, "confused" if talk.heard[key] == "confused" else "+1")
    await line.jobs.submit(_afterwards(event, pull, again=Rerun() in said))
    return f"{', '.join(type(one).__name__ for one in said)}: {talk.heard[key]}"


async def _is_permitted(github: Installation, event: CommandEvent, pull: Pull, said: Sequence[Command]) -> bool:
    """Whether somebody may say all of this. The author may ask; to accept, one has to be allowed to write."""
    is_author = bool(pull.author) and pull.author.lower() == event.user.lower()
    if is_author and all(isinstance(one, _HARMLESS) for one in said):
        return True
    return await github.may_write(event.user)


async def _react(github: Installation, event: CommandEvent, answer: Reaction) -> None:
    """Answer a comment. One that is gone needs no answer, and where GitHub refuses it the work is done all the same."""
    if not event.comment:
        return
    try:
        await github.react(event.comment, answer)
    except RefusedError as refusal:
        log.warning("no reaction", reason=str(refusal))


def _afterwards(event: CommandEvent, pull: Pull, *, again: bool) -> PullEvent:
    """What brings the pull request up to date. A comment asks for it once, by whatever delivery it comes."""
    delivery = f"comment-{event.comment}" if event.comment else f"{event.delivery.partition('+')[0]}+said"
    return PullEvent(
        delivery=delivery,
        installation=event.installation,
        repo=event.repo,
        number=event.number,
        action="command",
        pull=pull,
        again=again,
    )


async def _findings(
    line: Line, github: Installation, event: CommandEvent, pull: Pull, said: Sequence[Command]
) -> Sequence[Finding] | str:
    """The findings of the head, where they are needed; or why they cannot be had.

    Raises:
        BusyError: the head has just moved.
    """
    if AcceptShown() in said:
        runs = await github.check_runs(pull.head, CHECK_NAME)
        newest = max(runs, key=lambda run: run.id, default=None)
        if newest is None or newest.external_id != event.run:
            return "the button is of a check run that is not the newest, and accepts nothing"
    if not any(isinstance(one, Accept | AcceptShown) or (isinstance(one, Explain) and one.what) for one in said):
        return ()
    try:
        found = await checking.compared(line, github, pull)
    except MovedError as reason:
        raise BusyError(str(reason), time.time() + BROKEN_WAIT) from None
    return found.analysis.findings if isinstance(found, Found) else "the change could not be checked"


def _carried_out(talk: Talk, event: CommandEvent, said: Sequence[Command], findings: Sequence[Finding] | str) -> Talk:
    """The talk after all that was said in one comment, with our answer."""
    answer = "done"
    word = Word.now(event.user, event.comment)
    talk = talk.understood(event.user)
    for one in said:
        try:
            talk = _after(talk, one, word, findings)
        except UnclearError as reason:
            answer = "confused"
            talk = talk.troubled(msgspec.structs.replace(word, reason=str(reason)))
    return talk.answered(str(event.comment or event.delivery), answer)


def _after(talk: Talk, said: Command, word: Word, findings: Sequence[Finding] | str) -> Talk:
    """The talk after one command.

    Raises:
        UnclearError: it cannot be carried out.
    """
    change = msgspec.structs.replace
    if isinstance(said, Explain) and talk.ignored is not None:
        raise UnclearError("winparity is quiet here; /winparity rerun ends that")
    called = talk.called or word.comment > 0
    match said:
        case Rerun():
            return change(talk, ignored=None)
        case Help():
            return change(talk, help=True, called=called)
        case Ignore(reason):
            return change(talk, ignored=change(word, reason=reason))
        case Explain(""):
            return change(talk.explaining([ALL]), called=called)
        case Explain(what):
            return change(talk.explaining(_explainable(what, _known(findings))), called=called)
        case Accept(what, reason):
            return talk.accepting(_acceptable(what, _known(findings)), change(word, reason=reason))
        case AcceptShown():
            shown = [finding for finding in _known(findings) if suppress.acceptable(finding)]
            return talk.accepting(shown, change(word, reason=BY_BUTTON))
        case Unclear(words):
            raise UnclearError(words)


def _known(findings: Sequence[Finding] | str) -> Sequence[Finding]:
    if isinstance(findings, str):
        raise UnclearError(findings)
    return findings


def _explainable(what: str, findings: Sequence[Finding]) -> list[str]:
    """The ids of the findings that a reference names, or the rule that it is."""
    if what in PAGES:
        return [what]
    return list(dict.fromkeys(finding_id(finding) for finding in named(what, findings)))


def _acceptable(what: str, findings: Sequence[Finding]) -> list[Finding]:
    """The findings that a reference names, all of one fingerprint."""
    found = [finding for finding in named(what, findings) if suppress.acceptable(finding)]
    fingerprints = sorted({finding.fingerprint for finding in found})
    if not found:
        raise UnclearError(f"there is nothing to accept of {what[:MAX_QUOTED]}")
    if len(fingerprints) > 1:
        ids = ", ".join(finding_id(finding)[:12] for finding in found[:5])
        raise UnclearError(f"{what[:MAX_QUOTED]} is more than one finding; take an id: {ids}")
    return found
