"""A list of work on two cores: a forked child takes its share of it, and whatever it does not deliver is done here."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NoReturn, TypeVar

import msgspec

from analyzer.model import in_turn

_T = TypeVar("_T")
_R = TypeVar("_R")

# The list is cut into so many parts, of which each process takes the next one when it is done with one.
PARTS = 64
# A child costs about 10 ms; so many files, or packages, cost more.
MIN_ITEMS = 100


def on_two_cores(work: Callable[[_T], _R], items: Sequence[_T], kind: type[_R], least: int = MIN_ITEMS) -> list[_R]:
    """Do a piece of work for each item (`analyzer.model.Share`). Only for a process that has no other thread.

    A child that fails or is killed costs time, nothing else: what is wrong with the work shows itself here too.

    Args:
        work: what is done.
        items: for what.
        kind: what it gives.
        least: items from which on a child pays.
    """
    if not can_fork() or len(items) < least:
        return in_turn(work, items, kind)
    parts = [items[n * len(items) // PARTS : (n + 1) * len(items) // PARTS] for n in range(PARTS)]
    queue, feed = os.pipe()
    os.write(feed, bytes(range(PARTS)))
    os.close(feed)
    answers, answer = os.pipe()
    child = os.fork()
    if not child:
        _deliver(work, parts, queue, answers, answer)
    os.close(answer)
    with os.fdopen(answers, "rb") as pipe:
        try:
            done = _take(work, parts, queue)
            with suppress(msgspec.DecodeError):
                done |= msgspec.msgpack.decode(pipe.read(), type=dict[int, list[kind]])  # type: ignore[valid-type]
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(queue)
    return [result for n, part in enumerate(parts) for result in done.get(n) or in_turn(work, part, kind)]


def can_fork() -> bool:
    """Whether there is a second core, and a system where a fork of a process is as good as the process."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


def _take(work: Callable[[_T], _R], parts: Sequence[Sequence[_T]], queue: int) -> dict[int, list[_R]]:
    return {n: [work(item) for item in parts[n]] for n in _numbers(queue)}


def _numbers(queue: int) -> Iterator[int]:
    while number := os.read(queue, 1):
        yield number[0]


def _deliver(
    work: Callable[[_T], _R], parts: Sequence[Sequence[_T]], queue: int, answers: int, answer: int
) -> NoReturn:
    """The child's whole life. It never returns to what the process was doing, and leaves its buffers alone."""
    try:
        os.close(answers)  # or it would wait for itself to read, were its parent gone
        done = {}
        for number in _numbers(queue):
            # Encoded at once: meanwhile the parent takes more of the list, rather than wait for all of it at the end.
            # Names may hold bytes that are no text, and nothing keeps expressions shallow.
            with suppress(RecursionError, UnicodeEncodeError):
                done[number] = msgspec.Raw(msgspec.msgpack.encode([work(item) for item in parts[number]]))
        with os.fdopen(answer, "wb") as pipe:
            pipe.write(msgspec.msgpack.encode(done))
    finally:
        os._exit(0)
