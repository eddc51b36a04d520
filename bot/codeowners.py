"""Who owns files by CODEOWNERS (docs: "About code owners")."""

import re
from collections import Counter
from collections.abc import Iterable

import codeowners

from analyzer.model import Analysis, Level

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where it may lie; the first that is there counts (docs: "About code owners")."""

MAX_BYTES = 3 * 1024 * 1024
"""GitHub does not load a larger one (same docs)."""

MAX_OWNERS = 3
"""Owners that are mentioned."""

MAX_STARS = 6
"""Stars of one pattern. More of them can make matching one path take minutes."""

NAME = r"@[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9_-]{0,99})?"
OWNER = re.compile(NAME)
# What gitignore has and GitHub does not take here (same docs).
_FOREIGN = re.compile(r"^!|[\[\]]|^\\#")


def owners(content: bytes, paths: Iterable[str]) -> tuple[str, ...]:
    """Who owns files, those who own the most first.

    Args:
        content: of CODEOWNERS.
        paths: of the files.

    Returns:
        Names with their @; e-mail addresses and what is no name are left out.
    """
    found = Counter(owner for names in owners_of_each(content, paths).values() for owner in names)
    return tuple(owner for owner, _ in found.most_common())


def owners_of_each(content: bytes, paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By path, who owns a file, as in `owners`; what nobody owns is left out."""
    if len(content) > MAX_BYTES:
        return {}
    known = codeowners.CodeOwners("\n".join(_lines(content.decode(errors="replace"))))
    found = {path: tuple(o for _, o in dict.fromkeys(known.of(path)) if OWNER.fullmatch(o)) for path in paths}
    return {path: names for path, names in found.items() if names}


def chosen(names: Iterable[str], author: str) -> tuple[str, ...]:
    """The first of some owners, without the author, who need not be told."""
    return tuple(name for name in names if name.lower() != f"@{author.lower()}")[:MAX_OWNERS]


def _lines(text: str) -> Iterable[str]:
    """The lines that GitHub would take, without their comments."""
    for line in text.splitlines():
        rule = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        pattern = rule.partition(" ")[0]
        if rule and not _FOREIGN.search(pattern) and pattern.count("*") <= MAX_STARS:
            yield rule


def regressed(analysis: Analysis) -> list[str]:
    """The files with a regression, each once, in the order of the findings."""
    return list(dict.fromkeys(finding.path for finding in analysis.findings if finding.level is Level.REGRESSION))
