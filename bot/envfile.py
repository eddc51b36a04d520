"""The private .env file: settings that are kept beside the server, and written so that nobody else can read them."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dotenv import set_key, unset_key
from dotenv.parser import parse_stream

from bot.config import ConfigError, Secret

# What a group or others may do with a file that holds secrets: nothing.
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read(path: Path) -> dict[str, str]:
    """The file's settings; none when there is no file. Nothing in a value is expanded: it means what it says.

    Raises:
        ConfigError: it cannot be read, or has a line that says nothing.
    """
    try:
        with path.open(encoding="utf-8") as file:
            bindings = list(parse_stream(file))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        # Only the reason: a line that is not understood may hold a secret.
        reason = (isinstance(error, OSError) and error.strerror) or "it is no UTF-8 text"
        raise ConfigError(f"{path} cannot be read: {reason}") from None
    wrong = [b.original.line for b in bindings if b.error or (b.key is not None and b.value is None)]
    if wrong:
        raise ConfigError("\n".join(f"{path}, line {line}: it must be NAME=value" for line in wrong))
    return {b.key: b.value for b in bindings if b.key is not None and b.value is not None}


def exposed(path: Path) -> str | None:
    """What to say about a file that others can read or change; None when they cannot. Windows keeps no such bits."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    if os.name == "nt" or not mode & _OTHERS:
        return None
    return f"others can read {path}; run: chmod 600 {path}"


def check_writable(path: Path) -> None:
    """Find out beforehand whether `write` can succeed: what GitHub hands out once must not be lost.

    Raises:
        ConfigError: it cannot; the message says why.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise ConfigError(f"{path} is no plain file; name another one with WINPARITY_ENV_FILE")
    read(path)
    with _beside(path):
        pass


def write(path: Path, values: Mapping[str, Secret], drop: Collection[str] = ()) -> None:
    """Set values in the file, which is made when it is not there; all its other lines stay.

    It is readable by its owner alone from its first byte on, and either all of it is new or nothing.

    Args:
        path: the file.
        values: by name. They may have several lines.
        drop: names that lose what they have.

    Raises:
        ConfigError: it cannot be written.
    """
    check_writable(path)
    with _beside(path) as new:
        if path.exists():
            new.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        for name in read(new).keys() & set(drop):
            unset_key(new, name)
        for name, value in values.items():
            set_key(new, name, value.reveal())
        with new.open("r+b") as file:
            os.fsync(file.fileno())
        new.replace(path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A new private file in the same folder, which is gone afterwards unless it was moved away."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)
        os.close(descriptor)
        try:
            yield Path(name)
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
