"""A push to the default or a release branch: what it took from users, told in one issue and to the operator's receivers.

What is found is stored before anybody is told, with the note that nobody was told yet: a job that is killed in between,
or finds GitHub away, goes on from there. Trees are compared as they are, without a merge base: what counts on a branch is
what was there before and is not any more.
"""

import contextlib
import time
from dataclasses import dataclass
from typing import Literal

import msgspec
import structlog

from analyzer.model import Level
from bot import alert_text, losses, outgoing, shadow
from bot.alert_text import About, Ending
from bot.analysis import Found, Task
from bot.branches import Branches
from bot.children import LimitError
from bot.events import AlertEvent, PushEvent, pull_subject
from bot.finding_ids import id_of
from bot.git import LostError, MovedError, UnreachableError
from bot.github import BROKEN_WAIT, BusyError, RefusedError
from bot.hold import Hold, SupersededError
from bot.ids import Repo, Sha
from bot.issues import Issues
from bot.line import Line
from bot.losses import Compared
from bot.regressions import MAX_MUTED, MAX_OPEN, MAX_RESOLVED, Regression, State, decode, encode, recovered
from bot.repo_config import RepoConfig

log = structlog.get_logger()

_replace = msgspec.structs.replace


async def accepted_in(line: Line, repo: Repo, pull: int) -> frozenset[str]:
    """The ids of findings that were accepted in a pull request's conversation, as bad as they can be."""
    talk = await line.jobs.talk(pull_subject(repo, pull))
    return frozenset(name for name, word in talk.accepted.items() if word.level == Level.REGRESSION)


@dataclass(frozen=True, slots=True)
class _Job:
    """What all steps need: the branch by its event, and the right to write."""

    line: Line
    event: PushEvent
    hold: Hold

    @property
    def branches(self) -> Branches:
        return self.line.github.door(Branches, self.event.installation, self.event.repo)

    @property
    def issues(self) -> Issues:
        door = self.line.github.door(Issues, self.event.installation, self.event.repo)
        door.guard = self.hold.sure
        return door

    @property
    def about(self) -> About:
        return About(self.event.repo, self.event.branch, self.line.settings.git_url)


async def check_push(line: Line, event: PushEvent, hold: Hold) -> str:
    """Bring what is known and told of a branch up to date. Returns what was done, in a word.

    Raises:
        BusyError, RefusedError: GitHub cannot be asked now, or will not do it.
        SupersededError: another job answers for the branch.
    """
    job = _Job(line, event, hold)
    tip = await job.branches.tip(event.branch)
    stored, pushes = await line.jobs.branch(event)
    state = decode(stored)
    if tip is None:
        return await _forget(job, state)
    state = state or await _recovered(job)
    bases, first = losses.bases_of(state, pushes, tip)
    if state.tip != tip or bases:
        compared = await _compared(job, state, bases, tip)
        state = _replace(await _settled(job, state, bases, compared, tip), tip=tip, first=first)
        # At first it is not known which pushes are late, so they are looked at once more.
        seen = pushes if stored else ()
        await line.jobs.save_branch(event, hold, encode(state), seen, losses.entry_of(compared, bases))
    if state.pending:
        state = await _told(job, state)
        await line.jobs.save_branch(event, hold, encode(state))
    count = len(state.open)
    return f"{count or 'no'} regression{'s' * (count > 1)} open" + f", issue {state.issue}" * bool(state.issue)


async def _recovered(job: _Job) -> State:
    """What an issue tells that we opened before the store was lost; for a new branch, nothing."""
    ours = []
    if job.event.default or job.event.before is not None:
        with contextlib.suppress(RefusedError):
            ours = await job.issues.ours(job.event.branch)
    return _replace(recovered(ours[0].body or ""), issue=ours[0].number) if ours else State()


async def _compared(job: _Job, state: State, bases: list[Sha], tip: Sha) -> Compared:
    """The tip compared with what was before, and with what was before each regression that is open."""
    before = dict.fromkeys(bases, job.event.before)
    wanted = {**dict.fromkeys(regression.before for regression in state.open), **before}
    compared = Compared({}, {})
    for base, instead in wanted.items():
        for commit in (base, instead):
            if commit is not None and commit != tip and (found := await _found(job, commit, tip)) is not None:
                compared.found[base], compared.taken[base] = found, commit
                break
    return compared


async def _found(job: _Job, base: Sha, tip: Sha) -> Found | None:
    """What differs between two trees; None when that cannot be said: the server has lost the first, or it is too much."""
    task = Task(job.event.repo, base, tip, settings=tip)
    try:
        return await job.line.compare(job.branches, task, private=job.event.private)
    except LostError:
        return None
    except LimitError as error:
        log.warning("a push is not compared", reason=str(error), base=base, tip=tip)
        return None
    except MovedError as reason:
        raise SupersededError(str(reason)) from None
    except UnreachableError as error:
        raise BusyError(str(error), time.time() + BROKEN_WAIT) from None


async def _settled(job: _Job, state: State, bases: list[Sha], compared: Compared, tip: Sha) -> State:
    """The state after a push: what is newly lost, what is back, and that nobody was told yet."""
    config = next((found.config for found in compared.found.values()), None)
    if config is None:
        return state
    speaks = config.alerts_on(job.event.branch)
    known = _replace(state, target=config.target, speaks=speaks)
    if await _is_shadowed(job, config):
        return _replace(known, speaks="never", open=(), opened=(), closed=(), pending=False)
    if speaks == "never":
        return _replace(known, open=(), opened=(), closed=(), pending=known.issue > 0)
    read = [base for base in bases if base in compared.found]
    still, gone = losses.sorted_out(known.open, compared, tip)
    found = losses.news(read, compared, known.muted, still, tip)
    if found or gone:
        ways = {base: await job.branches.way(job.event.branch, base, tip) for base in read}
        found = [losses.came(new, ways[new.before], compared.taken[new.before]) for new in found]
        accepted = [await accepted_in(job.line, job.event.repo, pull) for way in ways.values() for pull in way.pulls]
        found = [new for new in found if not any(id_of(new.fingerprint) in ids for ids in accepted)]
        gone = [_replace(resolved, pulls=ways[read[0]].pulls) for resolved in gone] if read else gone
    opened = tuple(found[: MAX_OPEN - len(still)])
    untold = bool(known.pending or opened or gone or (still and not known.issue and speaks == "issue"))
    return _replace(
        known,
        open=(*still, *opened),
        resolved=(*known.resolved, *gone)[-MAX_RESOLVED:],
        muted=losses.still_muted(known.muted, [compared.found[base].analysis for base in read]),
        opened=(*(new for new in known.opened if new in still), *opened),
        closed=(*known.closed, *gone),
        pending=untold,
    )


async def _is_shadowed(job: _Job, config: RepoConfig) -> bool:
    """Whether nothing is to be written. What a release branch says adds to what the default branch says."""
    whole = config if job.event.default else None
    return await shadow.is_on(job.line, job.event.repo, whole) or config.shadow


async def _told(job: _Job, state: State) -> State:
    """Make the issue show the state, and queue what the receivers are to be told."""
    listed = state.issue
    try:
        state = _replace(await _shown(job, state), refused="")
    except RefusedError as refusal:
        # Issues may be switched off, or the permission may not be granted: all else goes on, and this is said once.
        if state.refused != str(refusal):
            log.warning("no issue can be written", reason=str(refusal))
        state = _replace(state, refused=str(refusal))
    about = _replace(state, issue=state.issue or listed)
    await _announce(job, "opened", about, state.opened)
    await _announce(job, "resolved", about, tuple(resolved.what for resolved in state.closed))
    return _replace(state, opened=(), closed=(), pending=False)


async def _announce(
    job: _Job, action: Literal["opened", "resolved"], state: State, regressions: tuple[Regression, ...]
) -> None:
    """Queue a job for each receiver. Its delivery is made of what it tells, so the same is queued once."""
    event = job.event
    parts = tuple(f"{regression.fingerprint} {regression.before}" for regression in regressions)
    for receiver in outgoing.receivers(job.line.settings) if regressions else ():
        told = AlertEvent(
            delivery=outgoing.delivery(receiver, f"{event.subject} {action}", parts),
            installation=event.installation,
            receiver=receiver,
            repo=event.repo,
            branch=event.branch,
            action=action,
            target=state.target,
            tip=Sha(state.tip),
            time=int(time.time()),
            issue=state.issue,
            regressions=regressions,
        )
        await job.line.jobs.submit(told)


async def _shown(job: _Job, state: State) -> State:
    """Make the issue show the state. One that a person closed stays closed, and what it listed is not brought up again."""
    issue = await job.issues.get(state.issue) if state.issue else None
    if state.issue and (issue is None or issue.state == "closed"):
        state, issue = _closed_by_a_person(state), None
    if issue is None:
        if not state.open or state.speaks != "issue":
            return state
        issue = next(iter(await job.issues.ours(job.event.branch)), None)
    if issue is None:
        title = alert_text.title(job.event.branch, state.target)
        issue = await job.issues.create(job.event.branch, title, alert_text.body(state, job.about), job.hold.check)
    ending: Ending = "switched off" if state.speaks == "never" else "" if state.open else "resolved"
    text = alert_text.body(state, job.about, ending)
    if ending:
        await job.hold.check()
        await job.issues.edit(issue.number, text, "completed" if ending == "resolved" else "not_planned")
        return _replace(state, issue=0, resolved=())
    if not _same(issue.body or "", text):
        await job.hold.check()
        await job.issues.edit(issue.number, text)
    return _replace(state, issue=issue.number)


def _closed_by_a_person(state: State) -> State:
    """What is listed is not to be brought up again; what this push brought was not listed yet."""
    listed = [regression for regression in state.open if regression not in state.opened]
    muted = (*state.muted, *(regression.fingerprint for regression in listed))
    return _replace(state, issue=0, open=state.opened, resolved=(), muted=muted[-MAX_MUTED:])


def _same(shown: str, wanted: str) -> bool:
    """GitHub stores line ends as it likes."""
    return shown.replace("\r\n", "\n").strip() == wanted.replace("\r\n", "\n").strip()


async def _forget(job: _Job, state: State | None) -> str:
    """The branch is gone, and its issue with it."""
    shadowed = await shadow.is_on(job.line, job.event.repo)
    with contextlib.suppress(RefusedError):
        issue = await job.issues.get(state.issue) if state is not None and state.issue and not shadowed else None
        if state is not None and issue is not None and issue.state == "open":
            await job.hold.check()
            await job.issues.edit(issue.number, alert_text.body(state, job.about, "branch gone"), "not_planned")
    await job.hold.check()
    await job.line.jobs.forget_branch(job.event)
    return "the branch is gone"
