"""A pull request or a merge group, from its event to the check run and the comment: a list of calls."""

import contextlib
import time
from dataclasses import replace
from typing import get_args

from bot import answers, report, shadow
from bot.analysis import Found, Task
from bot.check import CHECK_NAME
from bot.children import LimitError
from bot.codeowners import chosen
from bot.config import Comment, Settings
from bot.dashboard import recording
from bot.events import GroupEvent, PullEvent, SuiteEvent, about, again, pull_subject
from bot.git import LostError, MovedError, SourceError, UnreachableError
from bot.github import BROKEN_WAIT, BusyError, Installation, RefusedError
from bot.hold import Hold, SupersededError
from bot.ids import Repo
from bot.labels import label, labels, leaves_alone
from bot.line import Line
from bot.owners import Owners
from bot.publish import About, Published, publish
from bot.pull import Pull
from bot.report import Report
from bot.talk import Talk

# How often a pull request may change under our hands until the events of these changes are left to answer it.
TRIES = 3
NO_BASE = (
    "GitHub's git server does not have commit {}, which this change is compared with. Another push, or a rebase, makes "
    "winparity look again."
)
# The words of the setting, from quiet to loud.
_LOUDER = get_args(Comment)


class _ChangedError(Exception):
    """The pull request is not what we looked at any more."""


async def check_pull(line: Line, event: PullEvent, hold: Hold) -> str:
    """Bring one pull request up to date. Returns what was done, in a word.

    What the event told saves a request. It may be old, so before the first write GitHub is asked, and if it says
    otherwise all begins anew. Where nothing is to be written GitHub is not asked: what another event told that is
    answered with this one would be lost, so then the event is not believed at all.

    Raises:
        BusyError, RefusedError: GitHub cannot be asked now, or will not do it.
        SupersededError: another job answers for the pull request.
    """
    github = line.github.installation(event.installation, event.repo)
    pull = event.pull if hold.alone else None
    for _ in range(TRIES):
        told = pull is not None
        pull = pull or await github.pull(event.number)
        if not pull.open:
            return "closed"
        try:
            return await _check(line, github, event, pull, hold)
        except MovedError as reason:
            if not told:
                raise SupersededError(str(reason)) from None
        except _ChangedError:
            pass
        pull = None
    raise SupersededError("the pull request changes all the time")


async def _check(line: Line, github: Installation, event: PullEvent, pull: Pull, hold: Hold) -> str:
    talk = await line.jobs.talk(event.subject)
    found: Found | None = None
    if talk.ignored is not None:
        wanted = answers.ignored(talk, talk.ignored)
    else:
        outcome = await compared(line, github, pull, last=hold.last)
        if isinstance(outcome, Found):
            found = replace(outcome, analysis=talk.settled(outcome.analysis))
            wanted = _report(found, line.settings, github.repo, pull, talk)
        else:
            wanted = outcome
    if pull.locked:
        wanted = replace(wanted, comment=None, resolved=None)
    if await shadow.is_on(line, github.repo, found.config if found else None):
        return await _record(line, event, pull, wanted, found)
    published = await _publish(line, event, pull, wanted, hold, found=found)
    await recording.reported(line, event, wanted, found.analysis if found else None)
    return f"comment {published.comment}, check run {published.check}"


async def _record(line: Line, event: PullEvent, pull: Pull, wanted: Report, found: Found | None) -> str:
    """Keep what would be shown, and show nothing."""
    analysis = found.analysis if found else None
    labelled = found is not None and found.config.labels and not leaves_alone(pull)
    names = [name for name, asked in labels(found.analysis).items() if asked] if found and labelled else []
    told = chosen(found.owners, pull.author) if found and wanted.comment is not None else ()
    await shadow.record(line, event, pull, wanted, analysis, labels=names, owners=told)
    return "recorded, in shadow mode"


async def compared(line: Line, github: Installation, pull: Pull, *, last: bool = True) -> Found | Report:
    """What a pull request changes, whatever people said of it; where git cannot give it, what to show instead.

    Raises:
        BusyError, RefusedError: GitHub cannot be asked now, or will not do it.
        LostError: git does not have the base; it may be behind, so this is not the ``last`` try.
        MovedError: the pull request has another head by now.
    """
    base = await github.merge_base(pull.base, pull.head)
    task = Task(github.repo, base, pull.head, pull.number, settings=pull.base)
    return await _compare(line, github, task, private=pull.private, last=last)


async def _compare(line: Line, github: Installation, task: Task, *, private: bool, last: bool) -> Found | Report:
    """What differs for the platform; where that cannot be said, what to show instead."""
    try:
        return await line.compare(github, task, private=private)
    except MovedError:
        raise
    except LostError:
        if not last:
            raise
        return report.not_checked(NO_BASE.format(task.base))
    except UnreachableError as error:
        raise BusyError(str(error), time.time() + BROKEN_WAIT) from None
    except (SourceError, LimitError) as error:
        return report.not_checked(str(error))


def _report(found: Found, settings: Settings, repo: Repo, pull: Pull, talk: Talk) -> Report:
    analysis = found.analysis
    wanted = report.render(
        analysis,
        repo,
        comment=mode(found, settings.comment, pull, called=talk.called),
        web=settings.git_url,
        config=found.config,
        edited=found.edited,
        said=answers.said(talk, analysis, repo, settings.git_url),
    )
    return replace(wanted, check=replace(wanted.check, actions=answers.buttons(analysis)))


def mode(found: Found, default: Comment, pull: Pull, *, called: bool = False) -> Comment:
    """When to comment: as the repository wants it, and no louder than it wants for a draft or an app's pull request.

    Without a changed Go file there is nothing to tell, and where the conversation is locked nobody may write. Somebody
    who asks there is answered, unless the repository wants no comment at all.
    """
    config = found.config
    limits: list[Comment] = [config.comment or default]
    if called and limits != ["never"] and not pull.locked:
        return "always"
    if pull.draft:
        limits.append(config.drafts)
    if pull.by_bot:
        limits.append(config.bots)
    if pull.locked or not found.go:
        limits.append("never")
    return min(limits, key=_LOUDER.index)


async def _publish(
    line: Line, event: PullEvent, pull: Pull, wanted: Report, hold: Hold, *, found: Found | None = None
) -> Published:
    """Publish, unless a newer push or another worker has come between.

    The head is read again once before the first write: a stale result is never shown.
    """
    github = line.github.installation(event.installation, event.repo)
    github.guard = hold.sure
    fresh = False

    async def may_write() -> None:
        nonlocal fresh
        await hold.check()
        if not fresh:
            now = await github.pull(event.number)
            if not now.open or not _alike(now, pull):
                raise _ChangedError
            fresh = True

    check = replace(wanted.check, actions=wanted.check.actions or (answers.RECOMPUTE,))
    known = not await line.jobs.first_time(event, pull.head)
    what = About(about(event.number), pull.head, known=known, again=hold.again)
    told = Owners(line.jobs, event, chosen(found.owners, pull.author)) if found and found.config.owners else None
    published = await publish(github, event.number, what, replace(wanted, check=check), may_write, owners=told)
    if found and found.config.labels:
        await label(github, line.jobs, event, pull, found.analysis, may_write=may_write)
    return published


def _alike(now: Pull, before: Pull) -> bool:
    """Whether a report on one is one on the other. A base that went on is no reason: its own changes are not reported."""
    return _weighs(now) == _weighs(before)


def _weighs(pull: Pull) -> tuple[object, ...]:
    """What a report depends on."""
    return (pull.head, pull.base_ref, pull.draft, pull.locked)


async def check_group(line: Line, event: GroupEvent, hold: Hold) -> str:
    """Answer a merge queue with a check run of the same name. There is nobody to comment to.

    Raises:
        BusyError, RefusedError: GitHub cannot be asked now, or will not do it.
        SupersededError: another job answers, or the group is gone.
    """
    github = line.github.installation(event.installation, event.repo)
    github.guard = hold.sure
    try:
        shown = await _shown_of_group(line, github, event, last=hold.last)
    except MovedError as reason:
        raise SupersededError(str(reason)) from None
    if shown is None:
        return "nothing is written, in shadow mode"
    known = not await line.jobs.first_time(event, event.head)
    what = About(about(event.number, event.base), event.head, known=known, again=hold.again)
    published = await publish(github, 0, what, replace(shown, comment=None, resolved=None), hold.check)
    return f"check run {published.check}"


async def _shown_of_group(line: Line, github: Installation, event: GroupEvent, *, last: bool) -> Report | None:
    """What people said in the pull request counts in the queue. None where nothing may be written."""
    talk = await line.jobs.talk(pull_subject(event.repo, event.number)) if event.number else Talk()
    found: Found | Report | None = None
    if talk.ignored is None:
        task = Task(github.repo, event.base, event.head, event.number)
        found = await _compare(line, github, task, private=event.private, last=last)
    if await shadow.is_on(line, github.repo, found.config if isinstance(found, Found) else None):
        return None
    if talk.ignored is not None:
        return answers.ignored(talk, talk.ignored)
    if not isinstance(found, Found):
        return found
    analysis = talk.settled(found.analysis)
    return report.render(analysis, github.repo, comment="never", web=line.settings.git_url, config=found.config)


async def check_suite(line: Line, event: SuiteEvent) -> str:
    """Ask for each check run of ours on a commit again."""
    github = line.github.installation(event.installation, event.repo)
    events = {}
    for run in await github.check_runs(event.head, CHECK_NAME):
        delivery = f"{event.delivery}+{run.id}"
        asked = again(run.external_id, event.repo, event.head, delivery, event.installation)
        if asked is not None:
            events[asked.subject] = asked
    for asked in events.values():
        await line.jobs.submit(asked)
    return f"{len(events)} asked for again"


async def confess(line: Line, event: PullEvent | GroupEvent, hold: Hold) -> None:
    """The last attempt failed: say so on the head, in grey."""
    if await shadow.is_on(line, event.repo):
        return
    github = line.github.installation(event.installation, event.repo)
    github.guard = hold.sure
    wanted = report.internal_error(event.delivery)
    with contextlib.suppress(BusyError, RefusedError, SupersededError, _ChangedError):
        if isinstance(event, GroupEvent):
            what = About(about(event.number, event.base), event.head, known=True, again=hold.again)
            await publish(github, 0, what, wanted, hold.check)
        elif (pull := await github.pull(event.number)).open:
            await _publish(line, event, pull, wanted, hold)
