"""What a Markdown text becomes on GitHub, as far as hostile text could abuse it."""

import re
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

# GitHub's additions to CommonMark that turn plain text into something: mentions, issues, commits, web and mail links,
# emoji (docs: "Autolinked references and URLs"; the GFM specification, 6.9).
_REFERENCES = (
    re.compile(r"@[\w-]", re.ASCII),
    re.compile(r"(?:#|\bGH-)\d", re.IGNORECASE),
    re.compile(r"://"),
    re.compile(r"www\.", re.IGNORECASE),
    re.compile(r"[0-9a-f]{7}", re.IGNORECASE),
    re.compile(r":[\w+-]+:"),
)
_TAGS = re.compile(r"</?([a-z]+)>")


class Rendered(NamedTuple):
    """The parts of a rendered text."""

    text: str
    code: list[str]
    links: list[str]
    html: list[str]
    blocks: list[str]


def rendered(markdown: str) -> Rendered:
    """Parse a text with GitHub's extensions of the syntax."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    flat = [inner for token in tokens for inner in (token, *(token.children or []))]
    words = "\n".join(_words(token) for token in tokens if token.type == "inline")
    return Rendered(
        words,
        [token.content for token in flat if token.type in {"code_inline", "code_block", "fence"}],
        [
            str(token.attrs.get("href", token.attrs.get("src")))
            for token in flat
            if token.type in {"link_open", "image"}
        ],
        [token.content for token in flat if token.type.startswith("html_")],
        [_name(token) for token in tokens if token.nesting >= 0 and token.type != "inline"],
    )


def _words(block: Token) -> str:
    """A block's text; a tag and a line's end stand apart, as what is on both sides of them does."""
    kinds = {"text": "", "text_special": "", "html_inline": "\n", "softbreak": "\n", "hardbreak": "\n"}
    return "".join(kinds[token.type] or token.content for token in block.children or () if token.type in kinds)


def _name(token: Token) -> str:
    return token.type.removesuffix("_open")


def references(text: str) -> list[str]:
    """What GitHub might link or expand in a text."""
    return [match[0] for pattern in _REFERENCES for match in pattern.finditer(text)]


def unbalanced(html: list[str]) -> list[str]:
    """Tags that are not closed, or closed without having been opened."""
    open_tags: list[str] = []
    for tag in _TAGS.finditer(" ".join(html)):
        if tag[1] == "br":
            continue
        if not tag[0].startswith("</"):
            open_tags.append(tag[1])
        elif not open_tags or open_tags.pop() != tag[1]:
            return [tag[0]]
    return open_tags
