"""A rule's docstring as its page: what it says in one sentence, and its sections."""

from dataclasses import dataclass
from textwrap import dedent


@dataclass(frozen=True, slots=True)
class Page:
    """A page in parts. Texts are one paragraph each, with code in backticks.

    Attributes:
        summary: the first sentence.
        sections: by heading, in the page's order.
    """

    summary: str
    sections: dict[str, str]


def page_of(docstring: str) -> Page:
    """The parts of a page: a heading begins a line, its text is indented below it."""
    summary, _, rest = docstring.strip().partition("\n")
    sections: dict[str, list[str]] = {}
    title = ""
    for line in dedent(rest).splitlines():
        if line and not line.startswith(" "):
            title = line.strip()
            sections[title] = []
        elif title and line.strip():
            sections[title].append(line.strip())
    return Page(summary.strip(), {name: " ".join(lines) for name, lines in sections.items()})
