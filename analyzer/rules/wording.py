"""Words that several rules say alike. Plain text: whoever shows a message escapes it."""

from analyzer.model import Stub
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
