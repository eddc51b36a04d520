"""What a worker does for the dashboard: surveys of pushes, the past, pull requests' reports, and what becomes private.

All of it is beside the point for whoever opened a pull request, so nothing here keeps a comment, a check run or an alert:
surveys are jobs of their own, in lanes of their own, and a process does one at a time, beside all else.
"""

import asyncio
import secrets
import time
from dataclasses import replace

import msgspec
import structlog
from redis.exceptions import RedisError

from analyzer.model import Analysis, Options, Platform
from bot.branches import Branches
from bot.children import LimitError
from bot.dashboard.records import FORM, Known, Past, PullRecord, Records, Survey
from bot.dashboard.surveyor import Order, Step, Surveyed, remove_past
from bot.events import AnyEvent, GroupEvent, PullEvent, PushEvent, RepositoryEvent, SurveyEvent
from bot.git import LostError, MovedError, SourceError, UnreachableError
from bot.github import BROKEN_WAIT, BusyError, Installation
from bot.hold import Hold, NotYetError, SupersededError
from bot.ids import Repo, Sha, is_branch
from bot.line import Line
from bot.output import analysis_json
from bot.queue import Jobs
from bot.repo_config import RepoConfig
from bot.report import Report

MAX_FINDINGS = 500
"""Findings that are kept of a pull request; the check run lists fewer."""

LOOK_BACK = 24 * 3600
"""Seconds after which a survey looks whether there are releases, or a month, that have no point yet."""

MAX_TROUBLE = 300
"""Characters of the reason why there is no survey."""

log = structlog.get_logger()


class _Described(msgspec.Struct):
    """A repository in GitHub's words (docs: "Get a repository")."""

    full_name: str
    private: bool
    default_branch: str


class Repositories(Installation):
    """What GitHub says of a repository itself."""

    async def described(self) -> _Described:
        """Its name, its default branch, and whether it is private. Of a renamed one, what it is called now."""
        return msgspec.convert(await self._get(f"/repos/{self.repo}"), _Described)


def is_on(line: Line) -> bool:
    """Whether anything is recorded."""
    return line.settings.dashboard == "on"


async def hear(line: Line, event: AnyEvent) -> None:
    """Keep what is known of a repository up to date with what an event tells of it in passing.

    What says that a repository is private is believed at once. What says that it is public may be old: the survey that it
    leads to asks GitHub.
    """
    match event:
        case PullEvent(pull=pull) if pull is not None:
            private = pull.private
        case PushEvent() | GroupEvent() | RepositoryEvent():
            private = event.private
        case _:
            return
    records = Records(line.jobs.redis)
    known = await records.known(event.repo)
    if known is None or known.private == private:
        return
    if private:
        await records.change(event.repo, private=True)
    else:
        await ask(line, event, event.repo)


async def changed(line: Line, event: RepositoryEvent) -> str:
    """A repository is called otherwise, or has another default branch. Returns what was done, in a word."""
    records = Records(line.jobs.redis)
    if event.former is not None and event.former != event.repo and await records.known(event.former) is not None:
        # Nobody knows it as private or public under its new name before it is told.
        await records.change(event.former, name=event.name, **({"private": True} if event.private else {}))
        await records.rename(event.former, event.repo)
    if not await records.change(event.repo, name=event.name, installation=event.installation):
        return "nothing is known of it"
    await hear(line, event)
    await ask(line, event, event.repo)
    return "noted"


async def pushed(line: Line, event: PushEvent) -> None:
    """A branch has a new tip: when it is the default one, it is surveyed, later."""
    if event.default:
        await ask(line, event, event.repo)


async def ask(line: Line, event: AnyEvent, repo: Repo, *, past: bool = False) -> None:
    """Have a repository surveyed, once for all that ask before it begins."""
    if is_on(line):
        cause = event.delivery.partition("+")[0].partition("*")[0]
        delivery = f"{cause}*{'past' if past else 'newest'}"
        await line.jobs.submit(SurveyEvent(delivery=delivery, installation=event.installation, repo=repo, past=past))


async def backfill(url: str, repo: Repo) -> bool:
    """Have a repository's past read again. False when nothing is known of the repository.

    Args:
        url: of the store.
        repo: the repository.
    """
    jobs = Jobs(url)
    try:
        known = await Records(jobs.redis).known(repo)
        if known is None:
            return False
        delivery = f"backfill-{secrets.token_hex(8)}"
        return await jobs.submit(
            SurveyEvent(delivery=delivery, installation=known.installation, repo=repo, past=True, anew=True)
        )
    finally:
        await jobs.close()


async def reported(line: Line, event: PullEvent, report: Report, analysis: Analysis | None) -> None:
    """Keep the report that a pull request shows. Whatever goes wrong here, it is shown."""
    if not is_on(line):
        return
    records = Records(line.jobs.redis)
    try:
        await records.add_pull(event.repo, _pull_record(event.number, report, analysis))
        if await records.known(event.repo) is None:
            await ask(line, event, event.repo)
    except (RedisError, OSError) as error:
        log.warning("a report is not recorded", reason=type(error).__name__)


def _pull_record(number: int, report: Report, analysis: Analysis | None) -> PullRecord:
    told = None
    if analysis is not None:
        told = analysis_json(analysis)
        told["findings"] = told["findings"][:MAX_FINDINGS]
        told["left_out"] = len(analysis.findings) - len(told["findings"])
    check = report.check
    return PullRecord(number=number, at=int(time.time()), conclusion=check.conclusion, title=check.title, analysis=told)


async def survey(line: Line, event: SurveyEvent, hold: Hold) -> str:
    """Bring what is recorded of a repository up to date. Returns what was done, in a word.

    Raises:
        BusyError, RefusedError: GitHub cannot be asked now, or will not do it.
        NotYetError: this process has no hand free, or there is more to read.
        SupersededError: another job does it.
    """
    if not is_on(line):
        return "the dashboard is off"
    with line.surveyor.hand():
        if not event.past:
            return await _newest(line, event, hold)
        done = await _read_on(line, event, hold)
        # Whatever came of it: who was killed after the last step finds all read, and the clone still there.
        await asyncio.to_thread(remove_past, line.settings.data_dir, event.repo)
        return done


async def _newest(line: Line, event: SurveyEvent, hold: Hold) -> str:
    """Survey the tip of the default branch, unless that is done."""
    records = Records(line.jobs.redis)
    github = line.github.door(Repositories, event.installation, event.repo)
    told = await github.described()
    if Repo(told.full_name) != event.repo:
        return "it is called otherwise by now"
    branch = told.default_branch if is_branch(told.default_branch) else ""
    tip = await line.github.door(Branches, event.installation, event.repo).tip(branch) if branch else None
    known = await records.known(event.repo)
    about = {"name": told.full_name, "private": told.private, "installation": event.installation, "branch": branch}
    if known is None:
        await records.know(event.repo, Known(**about))  # type: ignore[arg-type]
    else:
        await records.change(event.repo, **about)
    if tip is None:
        return "there is no commit yet"
    if known is None or known.head != tip:
        done = await _surveyed(line, event, github, Order(event.repo, tip, told.private), hold)
    else:
        done = "surveyed already"
    past = await records.past(event.repo)
    if past is None or time.time() - past.at > LOOK_BACK:
        await ask(line, event, event.repo, past=True)
    return done


async def _surveyed(line: Line, event: SurveyEvent, github: Installation, order: Order, hold: Hold) -> str:
    records = Records(line.jobs.redis)
    try:
        found = await _found(line, github, order)
    except MovedError as reason:
        raise SupersededError(str(reason)) from None
    except (LostError, UnreachableError) as error:
        raise BusyError(str(error), time.time() + BROKEN_WAIT) from None
    except (LimitError, SourceError) as error:
        await records.change(event.repo, trouble=str(error)[:MAX_TROUBLE], surveyed=int(time.time()))
        log.warning("a repository is not surveyed", reason=str(error))
        return f"not surveyed: {error}"
    await hold.check()
    await _add(records, event.repo, found.survey)
    fields = {"target": found.target, "reference": found.reference, "head": str(order.head), "trouble": ""}
    await records.change(event.repo, surveyed=int(time.time()), **fields)
    return f"surveyed {found.survey.point.packages} packages"


async def _found(line: Line, github: Installation, order: Order) -> Surveyed:
    async def look(otherwise: RepoConfig | None) -> Surveyed:
        return await line.surveyor.newest(replace(order, otherwise=otherwise), await github.token())

    return await line.settled(github, look, private=order.private)


async def _add(records: Records, repo: Repo, survey: Survey) -> None:
    """Record a revision. One that is known as a release stays one, and what was forgotten meanwhile stays forgotten."""
    point = survey.point
    before = await records.point(repo, point.rev)
    if before is not None and point.kind == "push":
        point = msgspec.structs.replace(point, kind=before.kind, name=before.name)
        survey = msgspec.structs.replace(survey, point=point)
    if await records.known(repo) is not None:
        await records.add(repo, survey)
    if await records.known(repo) is None:
        await records.forget([repo])


async def _read_on(line: Line, event: SurveyEvent, hold: Hold) -> str:
    """Read some revisions of the past, and come back for more."""
    records = Records(line.jobs.redis)
    known, past = await records.known(event.repo), await records.past(event.repo)
    if known is None or not known.head:
        return "there is nothing to begin at"
    anew = event.anew and (past is None or past.cause != event.delivery)
    if past is not None and past.over and not anew and time.time() - past.at <= LOOK_BACK:
        return "read already"
    plans = past is None or past.over or anew
    github = line.github.installation(event.installation, event.repo)
    order = Order(event.repo, Sha(known.head), known.private)
    options = Options(Platform(known.target), Platform(known.reference))
    try:
        step = await line.surveyor.past(
            order, options, event.delivery if past is None or plans else past, await github.token()
        )
    except (LostError, MovedError, UnreachableError) as error:
        raise BusyError(str(error), time.time() + BROKEN_WAIT) from None
    except (LimitError, SourceError) as error:
        log.warning("the past is not read", reason=str(error))
        if past is None or plans or isinstance(error, SourceError):
            return f"not read: {error}"
        step = Step(_past_it(past, str(error)))
    await hold.check()
    for one in step.surveys:
        await _add(records, event.repo, one)
    past = await _without_known(records, event, step.past) if plans else step.past
    if not await records.change(event.repo, done=past.done, planned=len(past.revisions)):
        await records.forget([event.repo])
        return "it was forgotten meanwhile"
    await records.plan(event.repo, past)
    if not past.over:
        raise NotYetError(f"read {past.done} of {len(past.revisions)} revisions", time.time())
    return f"read {len(past.revisions)} revisions, {len(past.left_out)} left out"


def _past_it(past: Past, reason: str) -> Past:
    """After a step that took too much: its first revision is read again, by itself and in a new process; then left out."""
    if past.alone != past.done:
        return msgspec.structs.replace(past, alone=past.done)
    about = past.revisions[past.done]
    left_out = (*past.left_out, (about.name or about.rev, reason))
    return msgspec.structs.replace(past, done=past.done + 1, left_out=left_out)


async def _without_known(records: Records, event: SurveyEvent, past: Past) -> Past:
    """A new plan, without the revisions of which all is recorded already, unless all are wanted anew."""
    if event.anew:
        return past
    known = {(p.rev, p.kind, p.name) for p in await records.points(event.repo) if p.form == FORM}
    left = tuple(about for about in past.revisions if (about.rev, about.kind, about.name) not in known)
    return msgspec.structs.replace(past, revisions=left)
