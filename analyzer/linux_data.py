"""What only a Linux container's configuration holds, and code that deals with nothing else: it is no matter of the target."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from analyzer import syntax
from analyzer.effects import only_logs
from analyzer.parity import comments, speaks_of_linux_data
from analyzer.symbols import Symbol
from analyzer.syntax import text

# How it is come to, and what else only Linux knows: users by number, files that only its containers have.
_LINUX_DATA = re.compile(
    r"\.Linux\b|\bsetLinux\b|\"/(?:etc|dev|proc|sys|run)\b|NoNewPrivileges|\.(?:UID|GID|Uid|Gid)(?:, [\w.]+)* = "
)
# Programs that only Linux has, where a comment says that they do the work.
_PROGRAMS = re.compile(r"\bCRIU\b", re.IGNORECASE)
_FOR_WINDOWS = re.compile(rb"windows", re.IGNORECASE)
# A value of a type that is Linux's.
_MAKES = re.compile(r"\bLinux[A-Z]\w*(?=\{)")
_SETS = re.compile(r"^[sS]et(?:[A-Z_]|$)")


def fills_linux_data(symbol: Symbol) -> bool:
    """Whether a function speaks of what only a Linux container has: it does nothing for another."""
    return bool(_LINUX_DATA.search(symbol.source.decode(errors="replace")) or _PROGRAMS.search(comments(symbol)))


def deals_with_linux_data(symbol: Symbol) -> bool:
    """Whether all that a function changes is what only a Linux container has."""
    function = syntax.function_node(symbol.source)
    if function is None or _FOR_WINDOWS.search(symbol.source):
        return False
    try:
        changes = list(_changes(function))
    except RecursionError:
        return False
    return bool(changes) and all(_LINUX_DATA.search(change) or speaks_of_linux_data(change) for change in changes)


def _changes(node: Node) -> Iterator[str]:
    """What changes something that outlives a function or a closure in it; steps that make room for data are left out."""
    if node.type == "assignment_statement":
        left = node.child_by_field_name("left")
        if left is not None and any(target.type != "identifier" for target in left.named_children):
            # What is looked at for it may be anything.
            yield f"{text(left)} = {''.join(_MAKES.findall(text(node)))}"
    elif node.type == "expression_statement" and node.named_children and not only_logs(node):
        called = text(node.named_children[0].child_by_field_name("function"))
        if not _SETS.search(called.rpartition(".")[2]):
            yield text(node)
    elif node.type in {"go_statement", "defer_statement", "send_statement"}:
        yield text(node)
    for child in node.named_children:
        yield from _changes(child)
