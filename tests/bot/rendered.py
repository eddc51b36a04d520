"""What a Markdown text becomes on GitHub, as far as hostile text could abuse it. GitHub's own fork of cmark parses it."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from cmarkgfm.cmark import Options, markdown_to_html_with_extensions

EXTENSIONS = ["table", "autolink", "tagfilter", "strikethrough", "tasklist"]
# A line's end is one in comments; raw HTML goes on to a filter; footnotes are on.
OPTIONS = Options.CMARK_OPT_HARDBREAKS | Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
# What GitHub turns plain text into after that: mentions, issues, commits, web and mail links, emoji (docs: "Autolinked
# references and URLs").
_REFERENCES = (
    re.compile(r"@[\w-]", re.ASCII),
    re.compile(r"(?:#|\bGH-)\d", re.IGNORECASE),
    re.compile(r"://"),
    re.compile(r"www\.", re.IGNORECASE),
    re.compile(r"[0-9a-f]{7}", re.IGNORECASE),
    re.compile(r":[\w+-]+:"),
)
_VOID = {"br", "hr", "img", "input"}
# All that a text of ours is made of.
OURS = {"pre", "h3", "h4", "p", "ul", "li", "br", "a", "code", "strong", "sub", "details", "summary"}


@dataclass
class Rendered:
    """The parts of a rendered text.

    Attributes:
        html: all of it.
        text: what is neither code nor the text of a link.
        code: the code spans and blocks.
        links: what links and images lead to.
        tags: the elements, in order.
        attributes: theirs, but for the targets of links.
        comments: HTML comments.
        unbalanced: elements that are not closed, or closed without having been opened.
    """

    html: str
    text: str = ""
    code: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """All that a reader sees, without the invisible breaks of ours."""
        words = re.sub(r"<!--.*?-->", "", self.html, flags=re.DOTALL)
        return _unescaped(re.sub(r"<[^>]*>", "", words)).replace("\u200b", "")


def page(markdown: str) -> str:
    """The HTML that GitHub makes of a comment, before it looks for mentions and the like."""
    html: str = markdown_to_html_with_extensions(markdown, OPTIONS, EXTENSIONS)
    return html


def rendered(markdown: str) -> Rendered:
    """Parse a text as GitHub does."""
    parser = _Parser(page(markdown))
    parser.feed(parser.found.html)
    parser.close()
    parser.found.unbalanced += parser.open
    parser.found.text = parser.found.text.strip("\n")
    return parser.found


class _Parser(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found = Rendered(html)
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.tags.append(tag)
        for name, value in attrs:
            if name in {"href", "src"}:
                self.found.links.append(value or "")
            elif (tag, name, value) != ("code", "class", "language-diff"):
                self.found.attributes.append(f"{tag} {name}={value}")
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "code":
            self.found.code.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.found.unbalanced.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.found.code[-1] += data
        elif "a" not in self.open:
            self.found.text += data

    def handle_comment(self, data: str) -> None:
        self.found.comments.append(data.strip())


def _unescaped(html: str) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        html = html.replace(entity, character)
    return html


def references(text: str) -> list[str]:
    """What GitHub might link or expand in a text."""
    return [match[0] for pattern in _REFERENCES for match in pattern.finditer(text)]
