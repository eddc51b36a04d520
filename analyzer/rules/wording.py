"""Words that several rules say alike. Plain text: whoever shows a message escapes it."""

from collections.abc import Sequence

from analyzer.model import Place, Stub
from analyzer.symbols import Symbol

STUB_WORDS = {
    Stub.NOOP: "does nothing",
    Stub.ZERO: "returns only zero values",
    Stub.ERROR: "returns a not-supported error",
    Stub.PANIC: "panics",
}


def place_of(symbol: Symbol) -> str:
    """A file's base name and a line, for a sentence about the same package."""
    return f"{symbol.file.path.rpartition('/')[2]}:{symbol.declaration.line}"


def needed_at(places: Sequence[Place]) -> str:
    """In how many places something is needed: a sentence points at the first of them by itself."""
    if len(places) == 1:
        return "in 1 place"
    files = len({place.path for place in places})
    return f"in {len(places)} places" + (f" of {files} files" if files > 1 else "")
