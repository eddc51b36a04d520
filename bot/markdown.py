"""Text of unknown origin made harmless, and links as Markdown: values in, values out.

Every name, path and message comes from a pull request, so all of it is hostile until `code` or `plain` made it text.
"""

import re
from dataclasses import dataclass, field

MAX_NAME = 200
"""Characters of a name or path that are shown: Go sets no limit to them."""

MAX_MESSAGE = 1_000
"""Characters of a message that are shown. GitHub takes 64 KiB in an annotation."""

MAX_TICKS = 20
"""Backticks in a row that are shown in code: GitHub's parser knows no code span that begins with more than 80 of them."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~<>&$])")
# A break after each match keeps GitHub from seeing a mention, an issue, an emoji, a web address or a commit. An address
# is broken before its slashes: after them the break would be part of a host name, which browsers then ignore.
_REFERENCES = re.compile(r"@|#|GH-|:(?=//|[\w+-]+:)|www(?=\.)|[0-9a-f]{6}(?=[0-9a-f])", re.IGNORECASE)
# What would begin a list, a line or a heading.
_BLOCK = re.compile(r"^(\d*)([-.=])")


def visible(text: str) -> str:
    """A text with its control and direction characters shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short(text: str, most: int) -> str:
    """A text's first characters, made visible."""
    shown = visible(text[: most + 1])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def unlinked(text: str) -> str:
    """A text in which GitHub sees no mention, issue, commit, emoji or web address: invisible breaks keep them apart."""
    return _REFERENCES.sub(lambda match: f"{match[0]}\u200b", text)


def code(text: str) -> str:
    """A text of unknown origin as a Markdown code span: nothing in it is markup, a link or a mention."""
    shown = re.sub(f"(`{{{MAX_TICKS}}})`+", r"\1…", short(text, MAX_NAME)) or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def fenced(text: str, language: str = "") -> str:
    """A text of unknown origin as a fenced code block: nothing in it is markup, a link or a mention.

    Args:
        text: lines; tabs stay as they are.
        language: the word of ours behind the fence.
    """
    lines = [re.sub(f"(`{{{MAX_TICKS}}})`+", r"\1…", "\t".join(map(visible, s.split("\t")))) for s in text.split("\n")]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *lines, fence])


def located(path: str, line: int) -> str:
    """A path, of which the end counts, and a line, as code."""
    shown = path if len(path) < MAX_NAME else f"…{path[20 - MAX_NAME :]}"
    return code(f"{shown}:{line}")


def fragment(first: int, last: int) -> str:
    """How an address names lines of a file on GitHub."""
    return f"#L{first}" + (f"-L{last}" if last > first else "")


def plain(text: str) -> str:
    """A text of unknown origin as Markdown that shows just it: no markup, mention, issue, commit or web link."""
    line = short(" ".join(text.split()), MAX_MESSAGE)
    return _BLOCK.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", unlinked(line)))


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses that a text leads to. They stand at its end, so that its source reads well too, as in a mail."""

    _numbers: dict[str, int] = field(default_factory=dict)
    _named: dict[str, str] = field(default_factory=dict)

    def to(self, words: str, address: str, name: str = "") -> str:
        """Words as a link.

        Args:
            words: Markdown without a link in it.
            address: of ours, with whatever is not ours quoted.
            name: by which the address is found again in the text's source; a number will do if "".
        """
        if name:
            self._named[name] = address
        return f"[{words}][{name or self._numbers.setdefault(address, len(self._numbers) + 1)}]"

    def definitions(self) -> str:
        """What has to stand at the end of the text, those with a name last."""
        known = [(str(number), address) for address, number in self._numbers.items()] + [*self._named.items()]
        return "\n".join(f"[{label}]: {address}" for label, address in known)
