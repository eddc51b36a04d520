"""What holds for every test: nothing but this machine is spoken to; and snapshots of what people read."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

LOCAL = ("127.", "::1", "localhost")


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not str(address[0]).startswith(LOCAL):
        raise AssertionError(f"a test tried to reach {address[0]}")


sys.addaudithook(_stay_here)

# A shell starts what it puts into the background with Ctrl-C ignored, and what the tests start would inherit that: a demo
# that is to be stopped by it would run for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast this machine is just now is no property of what is tested. CI says the same of the same commit; elsewhere each
# run looks at other examples.
hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")


SNAPSHOTS = Path(__file__).parent / "snapshots"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="rewrite snapshots that differ, remove those that no test reads"
    )


class Snapshots:
    """The snapshots of one test module; their names begin with the module's."""

    def __init__(self, prefix: str, *, update: bool) -> None:
        self._prefix = prefix
        self._update = update
        self._used: set[Path] = set()

    def check(self, name: str, text: str) -> None:
        file = SNAPSHOTS / f"{self._prefix}-{name}"
        assert file not in self._used, "two snapshots have one name"
        self._used.add(file)
        if self._update:
            SNAPSHOTS.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.exists(), f"no snapshot {file.name}: look at what is shown, then run pytest --update"
        assert text == file.read_text(encoding="utf-8"), f"{file.name} differs; pytest --update rewrites it"

    def check_that_all_are_used(self) -> None:
        unused = set(SNAPSHOTS.glob(f"{self._prefix}-*")) - self._used
        if self._update:
            for file in unused:
                file.unlink()
        else:
            assert sorted(file.name for file in unused) == [], "no test reads these; pytest --update removes them"


@pytest.fixture(scope="module")
def snapshots(request: pytest.FixtureRequest) -> Iterator[Snapshots]:
    """Snapshots, which `pytest --update` rewrites. A run of some of a module's tests does not ask for all of them."""
    found = Snapshots(request.path.stem.removeprefix("test_"), update=request.config.getoption("--update"))
    yield found
    chosen = request.config.getoption("keyword") or request.config.getoption("markexpr")
    if not chosen and not any("::" in word for word in request.config.args) and not request.session.testsfailed:
        found.check_that_all_are_used()
