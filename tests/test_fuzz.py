"""A moment of each fuzz target that needs processes of its own; `make fuzz` runs them for longer, and from other seeds."""

from collections.abc import Callable

import pytest

from tests import fuzz_repos, fuzz_web
from tests.bot.openapi import UnavailableError, must_not_skip

pytestmark = pytest.mark.slow
SECONDS, SEED = 3.0, 1


@pytest.mark.parametrize(
    "target", [fuzz_web.requests, fuzz_web.payloads, fuzz_repos.repositories, fuzz_repos.configurations]
)
def test_whatever_comes_is_answered(target: Callable[[float, int], tuple[int, str]]) -> None:
    try:
        tried, _ = target(SECONDS, SEED)
    except UnavailableError as error:
        if must_not_skip():
            raise
        pytest.skip(str(error))
    assert tried
