"""`winparity queue`: what was given up is seen, tried again or forgotten, whatever its words hold."""

import io
import json

import pytest
from msgspec.structs import replace
from rich.console import Console

from bot.events import PullEvent
from bot.graves import open_graves, show_queue
from bot.ids import Repo
from bot.queue import Jobs

EVENT = PullEvent(delivery="d-1", installation=7, repo=Repo("example/berth"), number=12, action="opened")


async def _shown(url: str, form: str = "terminal") -> str:
    out = io.StringIO()
    await show_queue(url, Console(file=out, width=120), form)
    return out.getvalue()


async def test_what_was_given_up_is_listed(jobs: Jobs, valkey: str) -> None:
    assert "0 running, 0 next" in await _shown(valkey)
    await jobs.bury(EVENT, "its process died 5 times")
    await jobs.submit(replace(EVENT, delivery="d-2"))
    text = await _shown(valkey)
    assert "1 lined up or for later, 1 given up" in text
    for word in ("d-1", "example/berth#12", "its process died 5 times", "--retry"):
        assert word in text
    data = json.loads(await _shown(valkey, "json"))
    assert (data["pending"], [grave["delivery"] for grave in data["given_up"]]) == (1, ["d-1"])


@pytest.mark.parametrize(("which", "opened"), [("d-1", ["d-1"]), ("all", ["d-1", "d-2"]), ("d-3", [])])
@pytest.mark.parametrize("retry", [True, False])
async def test_graves_are_opened_by_name(
    jobs: Jobs,
    valkey: str,
    which: str,
    opened: list[str],
    retry: bool,  # noqa: FBT001 - a table's column
) -> None:
    for name in ("d-1", "d-2"):
        await jobs.bury(replace(EVENT, delivery=name), "x")
    assert await open_graves(valkey, which, retry=retry) == opened
    assert len(await jobs.buried()) == 2 - len(opened)
    assert await jobs.dispatch() == len(opened) * retry


async def test_hostile_words_stay_words(jobs: Jobs, valkey: str) -> None:
    await jobs.bury(replace(EVENT, delivery="[red]d[/red]"), "[bold]x[/bold]\x1b[31m\u202e")
    text = await _shown(valkey)
    assert "[red]d[/red]" in text
    assert "[bold]x[/bold]\\x1b[31m\\u202e" in text
