"""What GitHub said before is kept within one budget, whatever it says and however many installations there are."""

import json
import tracemalloc
from typing import Any

import pytest

from bot import remembered
from bot.demo.github import PullState, StandIn
from bot.github import Installation
from bot.ids import Repo
from bot.remembered import Answers

URL = "https://api.github.com/repos/moby/moby/issues/1/comments"


def _answer(size: int) -> tuple[str, None, Any, None]:
    return ("etag", None, [{"body": "x" * size}], None)


def test_all_installations_share_one_budget_and_the_oldest_go_first() -> None:
    answers = Answers(10_000)
    for number in range(100):
        answers.of(number)[URL] = _answer(900)
    assert 5 < len(answers.kept) <= 10
    assert answers.kept.currsize <= 10_000
    assert URL in answers.of(99)
    assert URL not in answers.of(0)


def test_they_take_little_more_memory_than_the_budget_says() -> None:
    """An answer of GitHub's is many small objects; each of them as one of Python's would be larger than its text."""
    pull = [{"id": number, "user": {"id": 1000 + number, "type": "User"}, "labels": []} for number in range(50)]
    answers = Answers()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(200):
            answers.of(1)[f"{URL}?page={number}"] = ("etag", None, json.loads(json.dumps(pull)), None)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1.5 * answers.kept.currsize
    assert answers.of(1)[f"{URL}?page=199"] == ("etag", None, pull, None)


@pytest.mark.parametrize("size", [9_000, remembered.MAX_ANSWER + 1])
def test_what_is_too_large_is_not_kept_and_what_it_replaces_neither(size: int) -> None:
    answers = Answers(5_000 if size < remembered.MAX_ANSWER else remembered.MAX_BYTES)
    own = answers.of(1)
    own[URL] = _answer(10)
    own[URL] = _answer(size)
    assert not own
    assert answers.kept.currsize == 0


def test_no_installation_sees_anothers_and_a_repository_is_forgotten_in_all() -> None:
    answers = Answers()
    one, other = answers.of(1), answers.of(2)
    one[URL], other[URL] = _answer(1), _answer(2)
    other["https://api.github.com/repos/moby/moby2/pulls/1"] = _answer(3)
    assert (one[URL][2], other[URL][2]) == ([{"body": "x"}], [{"body": "xx"}])
    del one[URL]
    assert [*other] == [URL, "https://api.github.com/repos/moby/moby2/pulls/1"]
    answers.forget(Repo("moby/moby"))
    assert [*other] == ["https://api.github.com/repos/moby/moby2/pulls/1"]


async def test_a_comparison_is_not_kept(standin: StandIn, installation: Installation, pull: PullState) -> None:
    before = await installation.pull(pull.number)
    await installation.merge_base(before.base, before.head)
    assert [url.rpartition("/repos/")[2] for _, url in installation._github.answers.kept] == ["example/berth/pulls/1"]
    assert standin.calls
