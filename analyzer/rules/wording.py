"""Words that several rules say alike. Plain text: whoever shows a message escapes it."""

from collections.abc import Sequence

from analyzer.body import Body, Gives
from analyzer.files import suffix_tags
from analyzer.guards import Effect
from analyzer.model import Place, Stub
from analyzer.symbols import GoFile, Symbol

STUB_WORDS = {
    Stub.NOOP: "does nothing",
    Stub.ZERO: "returns only zero values",
    Stub.ERROR: "returns a not-supported error",
    Stub.PANIC: "panics",
}

_GIVES_WORDS = {
    Gives.ZEROS: STUB_WORDS[Stub.ZERO],
    Gives.ARGUMENT: "returns its own argument unchanged",
    Gives.EMPTY: "returns something new and empty",
    Gives.IDLE: "returns something that does no work",
}


GUARD_WORDS = {
    Effect.REFUSED: "refuses something on {target}",
    Effect.OFF: "returns early on {target}, before the work that {reference} does",
    Effect.FIXED: "gives one fixed answer on {target}, where {reference} looks at its input",
    Effect.SWITCHED: "switches something off on {target} that {reference} leaves on",
    Effect.SKIPPED: "skips something on {target} that {reference} does",
}
"""What a function with a guard does."""

NEVER_BUILT = " None of this could be built there before."
"""What is said at the end of what would else be a loss."""

CANNOT_BUILD = " What it needs cannot be built there, though."
"""What is said at the end of what would else be a gain."""


def listed(names: Sequence[str], most: int) -> str:
    """The first of some names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def does(body: Body) -> str:
    """What a stub does, in words."""
    assert body.stub is not None  # noqa: S101 - the caller looked
    return _GIVES_WORDS[body.gives] if body.stub is Stub.ZERO else STUB_WORDS[body.stub]


def place_of(symbol: Symbol) -> str:
    """A file's base name and a line, for a sentence about the same package."""
    return f"{symbol.file.path.rpartition('/')[2]}:{symbol.declaration.line}"


def needed_at(places: Sequence[Place]) -> str:
    """In how many places something is needed: a sentence points at the first of them by itself."""
    if len(places) == 1:
        return "in 1 place"
    files = len({place.path for place in places})
    return f"in {len(places)} places" + (f" of {files} files" if files > 1 else "")


def renamed_from(base: GoFile, head: GoFile) -> str:
    """The name that a file had, where it is its name that says where it builds; "" where it is not, or has not changed."""
    old, new = (file.path.rpartition("/")[2] for file in (base, head))
    return old if suffix_tags(old) != suffix_tags(new) else ""
