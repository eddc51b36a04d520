"""A process that holds secrets keeps them: no core file, no look into its memory, no file for others, no heirs."""

import ctypes
import os
import sys
from collections.abc import MutableMapping

from bot.config import SECRETS

# What prctl(2) calls whether others of the same user may read a process, in /proc and by ptrace.
_PR_SET_DUMPABLE = 4
_NOBODY_ELSE = 0o077


def close() -> None:
    """Let nobody else in, from now on: what crashes leaves no core file, and what is written is for us alone.

    On Linux no process of the same user can look into our memory or environment either, such as one that a hostile
    repository has taken over.
    """
    os.umask(_NOBODY_ELSE)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def disinherit(environ: MutableMapping[str, str] = os.environ) -> None:
    """Take the secrets out of the environment once they are read, so that what we start never has them."""
    for name in SECRETS:
        environ.pop(name, None)
