"""What a child process leaves behind for the next piece of work."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.children import Children, LimitError
from bot.config import Settings

_kept: list[bytes] = []


def _full() -> int:
    _kept.append(bytes(1024))
    raise MemoryError


def _left() -> tuple[int, int]:
    return os.getpid(), len(_kept)


@pytest.fixture
async def children(settings: Settings) -> AsyncIterator[Children]:
    made = Children(replace(settings, job_memory=512), 1, "the work")
    yield made
    await asyncio.to_thread(made.close)


@pytest.mark.slow
async def test_who_ran_out_of_memory_does_no_more_work(children: Children) -> None:
    first, _ = await children.run(_left, (), 60)
    assert await children.run(_left, (), 60) == (first, 0)
    with pytest.raises(LimitError, match="512 MiB"):
        await children.run(_full, (), 60)
    second, left = await children.run(_left, (), 60)
    assert second != first
    assert left == 0
