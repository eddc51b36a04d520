"""A lock on a file: one process, or thread, at a time. What it protects may go on in a child that inherits the file."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Seconds between two tries where the system cannot wake us.
POLL = 0.02


def take(file: int, *, shared: bool = False) -> bool:
    """Lock an open file, without waiting; it is ours until every copy of the descriptor is closed.

    Args:
        file: its descriptor.
        shared: others may share it, and nobody has it alone meanwhile. Windows has no such locks, and then it is nothing.
    """
    if sys.platform == "win32":
        if shared:
            return True
        import msvcrt  # noqa: PLC0415 - there is none elsewhere

        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl  # noqa: PLC0415 - there is none on Windows, where `winparity diff` runs too

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a lock. Yields the file's descriptor, for children that must not outlive it.

    Args:
        path: the file, which is made when it is not there and never removed.
    """
    with path.open("w") as file:
        while not take(file.fileno()):
            time.sleep(POLL)
        yield file.fileno()
