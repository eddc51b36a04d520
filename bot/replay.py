"""A stored delivery, run again: `winparity replay`. It goes through the real line, in this process alone."""

import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.text import Text
from saq import Job

from bot.analysis import Analyst
from bot.config import MAX_BODY_BYTES, Settings
from bot.dashboard.surveyor import Surveyor
from bot.events import AnyEvent, encode
from bot.github import TIMEOUT, BusyError, GitHub, Write
from bot.line import Line
from bot.markdown import visible
from bot.org_config import OrgConfigs
from bot.queue import Jobs, lasting_keys
from bot.valkey import embedded
from bot.web import store
from bot.webhook import HANDLED, MAX_DELIVERY_LENGTH, EventError, SignatureError, parse, verify
from bot.worker import work

# A payload alone does not say of which event it is; what it must hold, and what only others hold, does.
_SHAPES: dict[str, tuple[set[str], set[str]]] = {
    "check_run": ({"check_run"}, {"deployment"}),
    "check_suite": ({"check_suite"}, {"check_run", "workflow_run"}),
    "installation": ({"installation", "action"}, {"repository", "repositories_added", "account", "organization"}),
    "installation_repositories": ({"repositories_added", "repositories_removed"}, set()),
    "issue_comment": ({"issue", "comment"}, set()),
    "merge_group": ({"merge_group"}, set()),
    "pull_request": ({"pull_request", "number"}, {"review", "comment", "thread"}),
    "push": ({"ref", "before", "after", "commits"}, set()),
}
# An event of a repository as a whole holds what all of them hold, and nothing else.
_COMMON = {"action", "repository", "sender", "installation", "organization", "enterprise", "changes"}
_OF_REPOSITORY = {"archived", "created", "deleted", "edited", "privatized", "publicized", "renamed", "transferred"}
_OF_REPOSITORY |= {"unarchived"}


class ReplayError(Exception):
    """The file cannot be run; the message says why."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What GitHub sent.

    Attributes:
        event: the value of X-GitHub-Event.
        delivery: a new id: what was done once is to be done again.
        body: the JSON payload.
    """

    event: str
    delivery: str
    body: bytes


def delivery(text: str, event: str, settings: Settings) -> Delivery:
    """Read a stored delivery.

    Args:
        text: a payload; or what GitHub answers to GET /app/hook/deliveries/{id}; or ``headers`` and ``payload``.
        event: its event, where the text does not say; "" for none given.
        settings: the webhook secrets are read from it.

    Raises:
        ReplayError: it is none, or none that the app would have taken.
    """
    if len(text) > MAX_BODY_BYTES:
        raise ReplayError(f"it is larger than the {MAX_BODY_BYTES // 1024**2} MiB that GitHub sends")
    stored = _object(text)
    stored = stored["request"] if isinstance(stored.get("request"), dict) else stored
    headers = {}
    if stored.keys() & {"headers", "payload"}:
        if not isinstance(stored.get("headers"), dict) or not isinstance(stored.get("payload"), dict | str):
            raise ReplayError("a delivery has headers and a payload; this one has not both")
        headers = {name.lower(): str(value) for name, value in stored["headers"].items()}
        text = stored["payload"] if isinstance(stored["payload"], str) else json.dumps(stored["payload"])
        _check(text, headers, settings, exact=isinstance(stored["payload"], str))
    payload = _object(text)
    return Delivery(_known(event or headers.get("x-github-event") or guess(payload)), _new_id(headers), text.encode())


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"it is not JSON: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise ReplayError("it is not a JSON object")
    return found


def _check(text: str, headers: dict[str, str], settings: Settings, *, exact: bool) -> None:
    """Refuse what the server would have refused. GitHub lists a payload as JSON, of which the bytes are not known."""
    signature = headers.get("x-hub-signature-256")
    try:
        if exact or not signature:
            verify(text.encode(), signature, settings.webhook_secrets)
    except SignatureError as error:
        raise ReplayError(
            f"the server would refuse it: {error}. To run its payload all the same, give that alone"
        ) from None


def guess(payload: dict[str, Any]) -> str:
    """The event that a payload is of.

    Raises:
        ReplayError: it may be of none that is handled, or of several.
    """
    held = payload.keys()
    found = [name for name, (has, lacks) in _SHAPES.items() if has <= held and not lacks & held]
    if "repository" in held and held <= _COMMON and payload.get("action") in _OF_REPOSITORY:
        found.append("repository")
    if len(found) != 1:
        raise ReplayError(f"the payload does not tell its event; name it with --event, one of {', '.join(HANDLED)}")
    return found[0]


def _known(event: str) -> str:
    if event not in HANDLED:
        raise ReplayError(f"there is no event {event[:60]!r} that winparity handles; it handles {', '.join(HANDLED)}")
    return event


def _new_id(headers: dict[str, str]) -> str:
    """An id of its own, which begins with that of the delivery, so that logs can be compared."""
    former = headers.get("x-github-delivery", "").partition("+")[0] or "replay"
    return f"{former[: MAX_DELIVERY_LENGTH - 20]}+{secrets.token_hex(4)}"


class _Jobs(Jobs):
    """A queue that leads nowhere: what one job asks for is run here, after it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.to_run: list[AnyEvent] = []

    async def submit(self, event: AnyEvent) -> bool:
        self.to_run.append(event)
        return True


async def replay(settings: Settings, found: Delivery, console: Console, *, dry_run: bool) -> None:
    """Run a delivery, and say what was done.

    Args:
        settings: as the server has them.
        found: what to run.
        console: where to say it.
        dry_run: print writes to GitHub, and remember nothing, instead of making them.

    Raises:
        ReplayError: the payload is malformed, or the job failed.
    """
    try:
        event = parse(found.event, found.delivery, found.body)
    except EventError as error:
        raise ReplayError(str(error)) from None
    if event is None:
        console.print("Nothing to do: winparity does not act on this.", highlight=False)
        return
    held: list[Write] | None = [] if dry_run else None
    async with _line(settings, event, held) as line:
        await line.jobs.submit(event)
        await _run(line, console)
    for write in held or ():
        console.print()
        for text in written(write):
            console.print(text, soft_wrap=True)
    if held is not None:
        console.print(f"\nNothing was written. Without --dry-run it would be {len(held)} writes.", highlight=False)


@asynccontextmanager
async def _line(settings: Settings, event: AnyEvent, held: list[Write] | None) -> AsyncIterator[Line]:
    """The line as a worker has it; for a dry run with a store of its own, which knows what the real one does."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(store(settings))
        if held is not None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wp-", ignore_cleanup_errors=True))
            real, url = url, await stack.enter_async_context(embedded(Path(folder)))
            await _copy(real, url, event)
        jobs = _Jobs(url)
        stack.push_async_callback(jobs.close)
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
        analyst = Analyst(settings)
        stack.callback(analyst.close)
        github = GitHub(session, settings, held)
        surveyor = Surveyor(settings)
        stack.callback(surveyor.close)
        # What the dashboard is told of is no part of a delivery, and reads all of a repository.
        yield Line(replace(settings, dashboard="off"), jobs, github, analyst, OrgConfigs(github), surveyor)


async def _copy(real: str, url: str, event: AnyEvent) -> None:
    """What decides on writes: heads that were seen, labels that were set, owners that were told."""
    here, there = Jobs(real), Jobs(url)
    try:
        for key in lasting_keys(event):
            if (dumped := await here.redis.dump(key)) is not None:
                await there.redis.restore(key, 0, dumped)
    finally:
        await here.close()
        await there.close()


async def _run(line: Line, console: Console) -> None:
    """Run what waits, and what comes of it."""
    jobs = line.jobs
    assert isinstance(jobs, _Jobs)  # noqa: S101 - `_line` made it
    while jobs.to_run:
        event = jobs.to_run.pop(0)
        asked = await jobs.count(event)
        job = Job("work", queue=jobs.queue, key=event.delivery, retries=1, attempts=1)
        try:
            done = await work({"line": line, "job": job}, event=encode(event).decode(), asked=asked)
        except BusyError as busy:
            raise ReplayError(f"GitHub cannot be asked now: {busy}") from None
        except Exception as error:
            raise ReplayError(f"the job failed: {type(error).__name__}: {error}") from error
        finally:
            await jobs.queue.forget(job)
        subject = event.subject or type(event).__name__
        console.print(f"{visible(subject)}: {visible(done)}", markup=False, highlight=False, soft_wrap=True)


def written(write: Write) -> Iterable[Text]:
    """A write in lines for people, of which none can do anything to a terminal."""
    yield Text.assemble((write.method, "bold cyan"), " ", (visible(write.path), "bold"))
    yield from _shown(write.body, "  ")


def _shown(value: Any, indent: str) -> Iterable[Text]:
    """A JSON value: keys with their values, texts with their lines as they are."""
    pairs: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        pairs = ((f"{key}:", item) for key, item in value.items())
    elif isinstance(value, list):
        pairs = (("-", item) for item in value)
    for name, item in pairs:
        if isinstance(item, dict | list) or (isinstance(item, str) and "\n" in item):
            yield Text.assemble(indent, (visible(name), "dim"))
            yield from _shown(item, f"{indent}  ")
        else:
            yield Text.assemble(indent, (visible(name), "dim"), " ", visible(str(item)))
    if isinstance(value, str):
        yield from (Text(f"{indent}{visible(line)}") for line in value.splitlines())
