"""What a pull request should show for an analysis: values in, values out. publish.py makes GitHub show it."""

from dataclasses import dataclass
from typing import Literal

MARKER = "<!-- winparity -->"
"""The first line of our comment; with the app's id it is how we know our own comment again."""

CHECK_NAME = "winparity"
"""The check run's name, as branch protection knows it."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One remark on lines of a file at head, as the Checks API takes it. Lines count from 1."""

    path: str
    start_line: int
    end_line: int
    level: Literal["notice", "warning", "failure"]
    title: str
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """The completed check run: what is to be shown on the head commit."""

    conclusion: Literal["success", "neutral", "failure"]
    title: str
    summary: str
    text: str
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All that a pull request should show.

    Attributes:
        comment: the comment's body, or None when nothing is worth a comment.
        resolved: the body for a comment that is already there when ``comment`` is None.
        check: the check run.
    """

    comment: str | None
    resolved: str
    check: Check
