"""What one platform gets to run of a function: the statements that it comes to, each with what is asked before."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tree_sitter import Node

from analyzer import syntax
from analyzer.asked import negated
from analyzer.conditions import Scope, Truth, note
from analyzer.effects import CASES, leaves, one_line, only_logs
from analyzer.symbols import Symbol
from analyzer.syntax import text


@dataclass(frozen=True, slots=True)
class Step:
    """One statement without the blocks in it.

    Attributes:
        says: in one spelling.
        asked: the conditions around it that the platform may or may not fulfil. What it always fulfils is left out, so
            that it does not matter how conditions are written or nested.
        whole: the statement with the blocks in it, which counts for no comparison.
    """

    says: str
    asked: frozenset[str]
    whole: str = field(default="", compare=False)


def taken(symbol: Symbol, scope: Scope) -> Counter[Step]:
    """The steps of a function that a platform may come to; log lines are none.

    Args:
        symbol: the function.
        scope: the names of its package on the platform.
    """
    statements = syntax.body_statements(symbol.source)
    try:
        return Counter(_Walk(scope).block(statements, frozenset(), {}))
    except RecursionError:  # nobody nests this deep; generated code is not judged
        return Counter()


@dataclass(frozen=True, slots=True)
class _Walk:
    scope: Scope

    def block(self, statements: Sequence[Node], asked: frozenset[str], local: dict[str, Node]) -> Iterator[Step]:
        for statement in statements:
            yield from self._statement(statement, asked, local)
            note(statement, local)
            if self._ends(statement, local):
                return

    def _ends(self, statement: Node, local: dict[str, Node]) -> bool:
        """Whether the platform never comes to what stands behind a statement."""
        if statement.type != "if_statement":
            return leaves([statement])
        truth = self.scope.truth(statement.child_by_field_name("condition"), local)
        arms = {Truth.YES: "consequence", Truth.NO: "alternative"}
        return truth in arms and leaves(list(syntax.statements(statement.child_by_field_name(arms[truth]))))

    def _statement(self, node: Node, asked: frozenset[str], local: dict[str, Node]) -> Iterator[Step]:
        match node.type:
            case "if_statement":
                yield from self._if(node, asked, dict(local))
            case "expression_switch_statement":
                yield from self._switch(node, asked, dict(local))
            case "block":
                yield from self.block(list(syntax.statements(node)), asked, dict(local))
            case _ if not only_logs(node):
                yield from self._whole(node, asked, local)

    def _whole(self, node: Node, asked: frozenset[str], local: dict[str, Node]) -> Iterator[Step]:
        blocks = list(_blocks(node))
        start, source = node.start_byte, node.text or b""
        for block in reversed(blocks):
            source = source[: block.start_byte - start] + b"{}" + source[block.end_byte - start :]
        yield Step(one_line(source.decode(errors="replace")), asked, one_line(text(node)))
        for block in blocks:
            yield from self.block(list(syntax.statements(block)), asked, dict(local))

    def _if(self, node: Node, asked: frozenset[str], local: dict[str, Node]) -> Iterator[Step]:
        start = node.child_by_field_name("initializer")
        if start is not None:
            yield Step(one_line(text(start)), asked)
            note(start, local)
        condition = node.child_by_field_name("condition")
        truth = self.scope.truth(condition, local)
        if truth is not Truth.NO:
            more = asked.union(self._asks(condition, local, yes=True))
            yield from self.block(list(syntax.statements(node.child_by_field_name("consequence"))), more, dict(local))
        other = node.child_by_field_name("alternative")
        if other is not None and truth is not Truth.YES:
            inner = [other] if other.type == "if_statement" else list(syntax.statements(other))
            yield from self.block(inner, asked.union(self._asks(condition, local, yes=False)), dict(local))

    def _switch(self, node: Node, asked: frozenset[str], local: dict[str, Node]) -> Iterator[Step]:
        start = node.child_by_field_name("initializer")
        if start is not None:
            yield Step(one_line(text(start)), asked)
            note(start, local)
        value = node.child_by_field_name("value")
        arms = [child for child in node.named_children if child.type in CASES]
        chosen = self.scope.chosen(value, arms, local)
        for number, arm in enumerate(arms):
            if chosen in {None, number}:
                more = asked if chosen is not None else asked | {_case(value, arm)}
                yield from self.block(list(syntax.statements(arm)), more, dict(local))

    def _asks(self, condition: Node | None, local: dict[str, Node], *, yes: bool) -> Iterator[str]:
        """What the platform has to fulfil beside what it always does for a condition to hold, or not to hold."""
        if condition is None or self.scope.truth(condition, local) is not Truth.MAYBE:
            return
        operator = text(condition.child_by_field_name("operator"))
        if condition.type == "parenthesized_expression":
            yield from self._asks(next(iter(condition.named_children), None), local, yes=yes)
        elif condition.type == "unary_expression" and operator == "!":
            yield from self._asks(condition.child_by_field_name("operand"), local, yes=not yes)
        elif condition.type == "binary_expression" and operator in {"&&", "||"}:
            sides = [condition.child_by_field_name(side) for side in ("left", "right")]
            open_ = [side for side in sides if side and self.scope.truth(side, local) is Truth.MAYBE]
            if len(open_) == 1 or (operator == "&&") is yes:
                for side in open_:
                    yield from self._asks(side, local, yes=yes)
            else:
                yield _said(condition, yes=yes)
        else:
            yield _said(condition, yes=yes)


def _blocks(node: Node) -> Iterator[Node]:
    """The blocks right inside a statement: of a loop, a closure, the cases of a select."""
    for child in node.named_children:
        if child.type == "block" or child.type in CASES:
            yield child
        else:
            yield from _blocks(child)


def _said(condition: Node, *, yes: bool) -> str:
    return one_line(text(condition)) if yes else negated(condition)


def _case(value: Node | None, arm: Node) -> str:
    """What has to be so for an arm, in the words of an ``if``."""
    cases = arm.child_by_field_name("value")
    if cases is None:
        return f"{one_line(text(value))} is none of the cases"
    said = one_line(text(cases))
    return f"{one_line(text(value))} == {said}" if value is not None else said
