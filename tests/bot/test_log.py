"""One line an event, on stderr, that no text from outside can forge or colour."""

import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from bot import log

HOSTILE = "a\n2026-01-01T00:00:00Z [info     ] accepted\r\x1b[2J\x1b[31mred\x07\u202e\u2028\x85\x9b31m"
FORMS: tuple[Literal["console", "json"], ...] = ("console", "json")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, engine = logging.getLogger(), logging.getLogger("saq")
    handlers, levels = root.handlers[:], (root.level, engine.level)
    root.handlers = []  # set_up closes what it finds, and pytest still needs its own
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    engine.setLevel(levels[1])
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


def test_libraries_are_heard_from_warnings_on_and_the_engine_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up("console")
    logging.getLogger("aiohttp.server").info("a request")
    logging.getLogger("aiohttp.server").warning("a bad request")
    logging.getLogger("saq").error("said by us already")
    shown = capsys.readouterr().err
    assert "a bad request" in shown
    assert "a request" not in shown
    assert "said by us" not in shown
