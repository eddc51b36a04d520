"""What a function is on a platform, in one word, and what else is to say of it."""

from dataclasses import dataclass
from enum import StrEnum

from analyzer.model import Stub


class Outcome(StrEnum):
    """What one way through a body comes to."""

    REAL = "real"
    ZERO = "zero"
    NOOP = "noop"
    ERROR = "error"
    PANIC = "panic"


class Gives(StrEnum):
    """What a stub that gives zero values really gives."""

    ZEROS = "zeros"
    ARGUMENT = "argument"
    EMPTY = "empty"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Body:
    """What a function is on a platform.

    Attributes:
        outcome: what a caller gets, also when the function merely builds an error for others.
        stub: the kind of stub, or None for an implementation.
        partial: real work, and an explicit refusal of a part.
        nil_error: its last result is an error that is always nil.
        comes_back: it does not always end in a panic.
        refuses_some: a stub that refuses some of what it is given, and does nothing about the rest.
        gives: of a stub that gives zero values: whether it is an argument of its own, something new with nothing in it, or
            something that does nothing.
    """

    outcome: Outcome
    stub: Stub | None = None
    partial: bool = False
    nil_error: bool = False
    comes_back: bool = True
    refuses_some: bool = False
    gives: Gives = Gives.ZEROS


REAL = Body(Outcome.REAL)


def worst(outcomes: set[Outcome]) -> Outcome:
    """One word for all ways: work anywhere is work; then the loudest way of doing nothing."""
    for outcome in (Outcome.REAL, Outcome.PANIC, Outcome.ERROR, Outcome.ZERO):
        if outcome in outcomes:
            return outcome
    return Outcome.NOOP
