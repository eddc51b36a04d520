"""One line an event, on stderr, that no text from outside can forge or colour."""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog

from bot import log
from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.run import _free_port
from tests.bot.conftest import Keys
from tests.bot.processes import answer, eventually, processes

HOSTILE = "a\n2026-01-01T00:00:00Z [info     ] accepted\r\x1b[2J\x1b[31mred\x07\u202e\u2028\x85\x9b31m"
FORMS: tuple[Literal["console", "json"], ...] = ("console", "json")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, engine = logging.getLogger(), logging.getLogger("saq")
    handlers, level, chosen = root.handlers[:], root.level, log.chosen()
    root.handlers = []  # set_up closes what it finds, and pytest still needs its own
    yield
    log.set_up(*chosen[:1], quiet=chosen[1])
    root.handlers = handlers
    root.setLevel(level)
    engine.filters = []
    logging.captureWarnings(capture=False)
    sys.excepthook = sys.__excepthook__
    structlog.reset_defaults()


def _fails(words: str) -> None:
    raise RuntimeError(words)


def _is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("form", FORMS)
def test_an_event_is_one_line_on_stderr(form: Literal["console", "json"], capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(form)
    structlog.get_logger().info("accepted", delivery="d-1", pull="example/berth#1")
    shown = capsys.readouterr()
    assert shown.out == ""
    [line] = shown.err.splitlines()
    assert all(word in line for word in ("accepted", "info", "d-1", "example/berth#1"))


def test_json_is_one_object_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("json")
    structlog.get_logger().warning("refused", reason=HOSTILE, count=3)
    logging.getLogger("aiohttp.server").error("another's %s", HOSTILE)
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], first["count"]) == ("refused", "warning", 3)
    assert first["timestamp"]
    assert (second["level"], second["event"][:9]) == ("error", "another's")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "values", [{"reason": HOSTILE}, {"names": [HOSTILE]}, {"map": {HOSTILE: HOSTILE}}, {"raw": HOSTILE.encode()}]
)
def test_a_hostile_value_stays_on_its_line(
    form: Literal["console", "json"], values: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up(form)
    structlog.get_logger().info("accepted", **values)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert _is_harmless(shown)


@pytest.mark.parametrize("form", FORMS)
def test_a_hostile_event_or_context_stays_on_its_line(
    form: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up(form)
    with structlog.contextvars.bound_contextvars(delivery=HOSTILE):
        structlog.get_logger().info(HOSTILE)
    logging.getLogger("aiohttp.server").error(HOSTILE)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 2
    assert _is_harmless(shown)


@pytest.mark.parametrize("form", FORMS)
def test_a_traceback_keeps_its_lines_and_none_looks_like_an_event(
    form: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up(form)
    try:
        _fails(HOSTILE)
    except RuntimeError:
        structlog.get_logger().exception("job failed")
        logging.getLogger("aiohttp.server").exception("request failed")
    shown = capsys.readouterr().err
    assert _is_harmless(shown)
    if form == "json":
        assert [len(json.loads(line)["exception"].splitlines()) > 3 for line in shown.splitlines()] == [True, True]
        return
    own = [line for line in shown.splitlines() if not line.startswith(" ")]
    assert [words in line for line, words in zip(own, ("job failed", "request failed"), strict=True)] == [True, True]
    assert "_fails" in shown


def test_ordinary_words_are_left_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("console")
    structlog.get_logger().info("café", path="a\\b", size="5 µm")
    shown = capsys.readouterr().err
    assert [word for word in ("café", "a\\b", "5 µm") if word not in shown] == []


def test_quiet_leaves_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("console", quiet=True)
    structlog.get_logger().info("accepted")
    structlog.get_logger().warning("refused")
    shown = capsys.readouterr().err
    assert "accepted" not in shown
    assert "refused" in shown


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("console")
    logging.getLogger("aiohttp.server").info("a request")
    logging.getLogger("aiohttp.server").warning("a bad request")
    warnings.showwarning("a habit of old", DeprecationWarning, "saq.py", 1)
    shown = capsys.readouterr().err
    assert "a bad request" in shown
    assert "a request" not in shown
    assert "a habit of old" in shown


@pytest.mark.parametrize(("error", "heard"), [(RuntimeError(), False), (TimeoutError(), True)])
def test_the_engine_is_heard_but_for_what_we_say_ourselves(
    error: Exception,
    heard: bool,  # noqa: FBT001 - a column
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.set_up("json")
    engine = logging.getLogger("saq")
    engine.error("Upkeep task failed unexpectedly")
    try:
        raise error
    except (RuntimeError, TimeoutError):
        engine.exception("Error processing job %s", "d-1")
    shown = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["Upkeep task failed unexpectedly", *(["Error processing job d-1"] * heard)]


def test_the_end_of_a_process_is_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("json")
    try:
        _fails(HOSTILE)
    except RuntimeError:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type] # there is one
    [line] = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["level"], "_fails" in json.loads(line)["exception"]) == ("critical", True)


# The whole line: web process, queue, worker and its children, and what libraries say there.

TALKATIVE = """
import logging
import saq
import bot.checking, bot.mirrors, bot.queue
from bot.cli import main

def talking(name, where, original):
    def call(*arguments, **named):
        logging.getLogger(name).warning("a library " + where)
        return original(*arguments, **named)
    return call

async def check_pull(line, event, hold, original=bot.checking.check_pull):
    if event.delivery == "fails":
        raise RuntimeError("a bug")
    return await original(line, event, hold)

bot.queue.Jobs.submit = talking("redis", "in the web process", bot.queue.Jobs.submit)
bot.checking.check_pull = talking("aiohttp.client", "in the worker", check_pull)
saq.Job.retry = talking("saq", "that is the engine", saq.Job.retry)
bot.mirrors.Mirror.fetch = talking("pygit2", "in the child", bot.mirrors.Mirror.fetch)

if __name__ == "__main__":
    main()
"""
"""The command, with libraries that say something wherever a job leads. Child processes import it, too."""


@pytest.mark.slow
@pytest.mark.usefixtures("jobs")
async def test_every_line_of_a_job_has_its_delivery(  # noqa: PLR0917 - pytest gives fixtures by name
    standin: StandIn, pull: PullState, repository: RepositoryState, keys: Keys, valkey: str, tmp_path: Path
) -> None:
    program = tmp_path / "talkative.py"
    program.write_text(TALKATIVE, encoding="utf-8")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    async with processes(standin, keys, valkey, tmp_path, port) as made:
        made.environment["WINPARITY_DASHBOARD"] = "off"
        for words, name in ((("serve", "--no-worker"), "web"), (("worker",), "worker")):
            await made.start(*words, log=name, program=(str(program),))

        async def is_ready() -> bool:
            return (await answer(f"{url}/readyz"))[0] == 200

        await eventually(is_ready)
        payload = standin.payload("opened", repository.name, pull.number)
        for delivery, last in (("goes-well", '"done"'), ("fails", '"a library that is the engine"')):
            assert await standin.deliver(f"{url}/webhook", "pull_request", payload, delivery) == 202
            await eventually(partial(lambda words: words in made.said("worker"), last))
        assert await made.stop() == [0, 0]
        told = {name: [json.loads(line) for line in made.said(name).splitlines()] for name in ("web", "worker")}
    of_the_process = {"listening", "worker ready", "stopping", "swept", "put back jobs that were in no queue"}
    every = [line for lines in told.values() for line in lines if line["event"] not in of_the_process]
    assert [line for line in every if line.get("delivery") not in {"goes-well", "fails"}] == []
    assert {(line["event"], line["delivery"]) for line in every} == {
        ("a library in the web process", "goes-well"),
        ("a library in the web process", "fails"),
        ("accepted", "goes-well"),
        ("accepted", "fails"),
        ("a library in the worker", "goes-well"),
        ("a library in the worker", "fails"),
        ("a library in the child", "goes-well"),
        ("compared", "goes-well"),
        ("done", "goes-well"),
        ("job failed", "fails"),
        ("a library that is the engine", "fails"),
    }
