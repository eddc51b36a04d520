"""Ids as types: what GitHub calls a repository and a commit, checked once where they come in."""

import re
from typing import Self

# GitHub's own limits: an owner has at most 39 characters, a repository 100. "." and ".." are no names.
_OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})"
_NAME = r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
_REPO = re.compile(rf"{_OWNER}/{_NAME}")
_SHA = re.compile(r"[0-9a-f]{40}")
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}(?:\[bot\])?")

# What `git check-ref-format --branch` takes; so none is a way through a path.
_BRANCH = re.compile(r"(?![./-])(?!.*(?:\.\.|//|/\.|@\{|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]{1,255}(?<![/.])")


def is_branch(name: str) -> bool:
    """Whether git has branches of this name."""
    return _BRANCH.fullmatch(name) is not None


def is_owner(name: str) -> bool:
    """Whether a user or an organisation can have this name."""
    return re.fullmatch(_OWNER, name) is not None


class Repo(str):
    """``owner/name``, in lower case: GitHub ignores case, and a key must have one spelling.

    Raises:
        ValueError: the text is no repository's full name. It is safe in a URL path and a file name otherwise.
    """

    __slots__ = ()

    def __new__(cls, full_name: str) -> Self:
        """Check and normalise."""
        if not _REPO.fullmatch(full_name):
            raise ValueError(f"not a repository name (owner/name): {full_name[:150]!r}")
        return super().__new__(cls, full_name.lower())

    @property
    def owner(self) -> str:
        """The part before the name."""
        return self.partition("/")[0]

    @property
    def name(self) -> str:
        """The part after the owner, as a token is narrowed by it."""
        return self.partition("/")[2]


class Sha(str):
    """A commit id: 40 lower-case hexadecimal digits.

    Raises:
        ValueError: the text is anything else, so it can never be an option or a path for git.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check."""
        if not _SHA.fullmatch(text):
            raise ValueError(f"not a commit id (40 hexadecimal digits): {text[:50]!r}")
        return super().__new__(cls, text)


class Login(str):
    """An account's name. Those of apps end in ``[bot]``, those of managed users have an underscore.

    Raises:
        ValueError: the text is no such name. It is safe in a URL path otherwise, where brackets are to be quoted.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check."""
        if not _LOGIN.fullmatch(text):
            raise ValueError(f"not an account's name: {text[:50]!r}")
        return super().__new__(cls, text)
