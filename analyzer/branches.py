"""Which statements of a function a platform may come to."""

from collections.abc import Iterator, Sequence

from tree_sitter import Node

from analyzer import syntax
from analyzer.conditions import Scope, Truth
from analyzer.effects import leaves


def reached(statements: Sequence[Node], scope: Scope) -> Iterator[Node]:
    """The statements, and the parts of choices, that a platform may come to.

    Args:
        statements: those of a block.
        scope: what conditions are worth on the platform.
    """
    for node in statements:
        if node.type != "if_statement":
            yield node
            if leaves([node]):
                return
            continue
        condition = node.child_by_field_name("condition")
        yield from (n for n in (node.child_by_field_name("initializer"), condition) if n is not None)
        truth = scope.truth(condition)
        yes = list(syntax.statements(node.child_by_field_name("consequence"))) if truth is not Truth.NO else []
        yield from reached(yes, scope)
        if truth is Truth.YES and leaves(yes):
            return
        other = node.child_by_field_name("alternative")
        if other is not None and truth is not Truth.YES:
            yield from reached([other] if other.type == "if_statement" else list(syntax.statements(other)), scope)
