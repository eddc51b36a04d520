"""The git command: run with nobody's settings and within limits, and ended with all that it started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# Longest a git command may take, in seconds: a cold fetch of a large repository over a slow line. Each of its processes
# may compute as long.
GIT_TIMEOUT = 300
# Largest file that git may write: a pack. All trees of Kubernetes' tip are 5 MB, and what is analysed ends at 1 GiB.
MAX_PACK_BYTES = 1024 * 1024 * 1024

_INHERITED = (
    *("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "GIT_SSL_CAINFO"),
)
_running: set[int] = set()
"""Git's processes that this process waits for; each leads a group of its own."""


class SourceError(Exception):
    """Git cannot give what was asked for; the message says what to do."""


class MissingError(SourceError):
    """A repository lacks what it should have, or what it has cannot be read."""


class TooLargeError(SourceError):
    """It is more than is fetched, read or kept."""


class MovedError(SourceError):
    """The commit is not on the server any more: a newer push replaced it."""


class UnreachableError(SourceError):
    """The git server did not answer as it should; a later try may succeed."""


class LostError(UnreachableError):
    """The server does not have the commit to compare with."""


class FullError(UnreachableError):
    """The disk is full; once somebody has made room, a later try succeeds."""


def run(
    folder: Path,
    *args: str,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    secrets: Iterable[str] = (),
    inherited: Iterable[int] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run git without any of the user's or the system's configuration, and without asking anybody anything.

    Args:
        folder: where.
        args: the command.
        stdin: what it reads.
        env: what its environment has beside the little that is passed on.
        secrets: what is not to be seen in what it says.
        inherited: descriptors that it gets.

    Raises:
        SourceError: there is no git, or it took too long.
    """
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
        **(env or {}),
    }
    command = ["git", "-c", "core.hooksPath=" + os.devnull, "-c", "safe.directory=*", "-C", str(folder), *args]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            pass_fds=tuple(inherited),
            start_new_session=sys.platform != "win32",
        )
    except FileNotFoundError:
        raise SourceError("git is not installed, or not on PATH") from None
    with process:
        _limit(process.pid)
        out, err = _communicate(process, stdin, args[0])
    for secret in filter(None, secrets):
        err = err.replace(secret.encode(), b"***")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def words(output: bytes) -> str:
    """What git said, as text."""
    return output.decode(errors="replace").strip()


def stop() -> None:
    """End every git of this process, with all that it started."""
    for pid in [*_running]:
        _end(pid)


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, what: str) -> tuple[bytes, bytes]:
    _running.add(process.pid)
    try:
        return process.communicate(stdin, timeout=GIT_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise SourceError(f"git {what} took longer than {GIT_TIMEOUT} s") from None
    finally:
        _running.discard(process.pid)
        # One that ended by itself has no processes left; one that was killed has, and they hold its locks.
        if process.returncode is None or process.returncode < 0:
            _end(process.pid)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)


def _limit(pid: int) -> None:
    """Bound what git writes and computes, and what it starts. How much memory it may have, it inherits."""
    if sys.platform != "linux":
        return
    import resource  # noqa: PLC0415 - Windows has none

    for kind, most in ((resource.RLIMIT_FSIZE, MAX_PACK_BYTES), (resource.RLIMIT_CPU, GIT_TIMEOUT)):
        with suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, kind)
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(pid, kind, (limit, limit))
