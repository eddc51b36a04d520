"""What holds for every test: nothing but this machine is spoken to."""

import sys
from typing import Any

LOCAL = ("127.", "::1", "localhost")


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not str(address[0]).startswith(LOCAL):
        raise AssertionError(f"a test tried to reach {address[0]}")


sys.addaudithook(_stay_here)
