"""What a mutation is: a kind, and one edit of one directory."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from tests.mutation.code import Changes, Folder, Function
from tests.mutation.source import splice


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        path: where a reader looks first.
        symbols: the names of which a finding may speak; empty when it is about whole files.
        changes: the new content of files; None for a file that goes.
    """

    path: str
    symbols: frozenset[str]
    changes: Changes


Maker = Callable[[Folder, random.Random], Iterator[Edit]]


@dataclass(frozen=True)
class Kind:
    """A way to edit, and what it must lead to.

    Attributes:
        name: in the table.
        make: the edits that a directory allows, in no order.
        rules: any of them counts as caught; empty when the analyzer must stay silent.
        backward: the edit is the base, and what is really there the head.
        vendored: it edits packages below vendor/.
    """

    name: str
    make: Maker
    rules: frozenset[str] = frozenset()
    backward: bool = False
    vendored: bool = False


def one(symbol: str, path: str, changes: Changes) -> Edit:
    return Edit(path, frozenset({symbol}), changes)


def quiet(path: str, changes: Changes) -> Edit:
    """An edit of which nothing is to be said."""
    return Edit(path, frozenset(), changes)


def replaced(function: Function, node: Node, new: bytes, *, more: bytes = b"") -> Edit:
    """Another text for a part of a function, and more at the end of its file."""
    content = splice(function.content, [(node.start_byte, node.end_byte, new)]) + more
    return quiet(function.path, {function.path: content})
