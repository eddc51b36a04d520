"""Branches on the platform inside shared code, and what each of them keeps from the target."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Node

from analyzer import syntax
from analyzer.conditions import Scope, Truth
from analyzer.symbols import Symbol
from analyzer.syntax import text

_LOGS = re.compile(
    r"^(?:logrus|log|klog|glog|slog|logger|bklog|fmt\.(?:Print|Fprint)|print)|\.(?:Debug|Info|Warn|Warning)[A-Za-z]*$|\.G\(|\.L\."
)
_BUILDS_ERROR = re.compile(
    r"(?:^|\.|_)(?:err|new)?(?:Err|Wrap|New$|Cause)|[eE]rr(?:or)?f?$|unsupported|not_?(?:supported|implemented)|invalid|forbidden",
    re.IGNORECASE,
)
_NAMES_ERROR = re.compile(r"^(?:err|Err|E[A-Z]{3,})|(?:Err|Error)$|[Uu]nsupported|[Nn]ot(?:Supported|Implemented)")
_SPACE = re.compile(r"\s+")
_ZERO = frozenset({"nil", "false", "0", '""', "``", "-1"})
_LEAVES = {"return_statement", "continue_statement", "break_statement", "goto_statement"}
_CASES = {"expression_case", "type_case", "default_case", "communication_case"}


class Effect(StrEnum):
    """How a guard keeps something from the target."""

    REFUSED = "refused"
    OFF = "off"
    SKIPPED = "skipped"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Guard:
    """One branch that refuses, skips or switches something off on the target.

    Attributes:
        effect: how.
        line: of the branch in its file, counted from 1.
        end_line: likewise.
        condition: the condition's text in one spelling.
        source: the whole branch's text in one spelling.
        lost: the statements that the reference runs and the target does not, in one spelling each.
    """

    effect: Effect
    line: int
    end_line: int
    condition: str
    source: str
    lost: frozenset[str]


def guards(symbol: Symbol, target: Scope, reference: Scope) -> list[Guard]:
    """The guards of one function that both platforms build.

    Args:
        symbol: the function.
        target: the names of its package on the target.
        reference: likewise on the reference.
    """
    root = syntax.parse(b"package p\n" + symbol.source).root_node
    function = next((n for n in root.named_children if n.type.endswith("_declaration")), None)
    body = function.child_by_field_name("body") if function is not None else None
    if body is None:
        return []
    try:
        return list(_Walk(target, reference, symbol.declaration.line - 2).block(body, {}))
    except RecursionError:  # nobody writes a guard this deep; generated code is not judged
        return []


def work_of(symbol: Symbol) -> list[str]:
    """The statements of a function that do something which outlives them, in one spelling each."""
    root = syntax.parse(b"package p\n" + symbol.source).root_node
    function = next((n for n in root.named_children if n.type.endswith("_declaration")), None)
    try:
        return _work(syntax.statements(function.child_by_field_name("body"))) if function is not None else []
    except RecursionError:
        return []


@dataclass(frozen=True, slots=True)
class _Walk:
    target: Scope
    reference: Scope
    offset: int

    def block(self, block: Node | None, local: dict[str, Node]) -> Iterator[Guard]:
        statements = list(syntax.statements(block))
        for number, statement in enumerate(statements):
            yield from self._statement(statement, statements[number + 1 :], local)
            _note(statement, local)

    def _statement(self, node: Node, rest: Sequence[Node], local: dict[str, Node]) -> Iterator[Guard]:
        match node.type:
            case "if_statement":
                yield from self._if(node, rest, dict(local))
            case "expression_switch_statement":
                yield from self._switch(node, rest, dict(local))
            case "return_statement":
                yield from self._inside(node, local)
                yield from self._result(node, local)
            case _:
                yield from self._inside(node, local)

    def _inside(self, node: Node, local: dict[str, Node]) -> Iterator[Guard]:
        """The blocks within any other statement: loops, closures, cases."""
        for child in node.named_children:
            if child.type == "block" or child.type in _CASES:
                yield from self.block(child, dict(local))
            else:
                yield from self._inside(child, local)

    def _if(self, node: Node, rest: Sequence[Node], local: dict[str, Node]) -> Iterator[Guard]:
        start = node.child_by_field_name("initializer")
        if start is not None:
            _note(start, local)
        condition = node.child_by_field_name("condition")
        mine, theirs = self.target.truth(condition, local), self.reference.truth(condition, local)
        yes, other = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        if mine == theirs:
            yield from self.block(yes, dict(local))
            if other is not None and other.type == "if_statement":
                yield from self._if(other, rest, dict(local))
            elif other is not None:
                yield from self.block(other, dict(local))
            return
        first = list(syntax.statements(yes))
        second = [other] if other is not None and other.type == "if_statement" else list(syntax.statements(other))
        follows = not second and _leaves(first)
        if follows:
            second = list(rest)
        here, there = (first, second) if mine > theirs else (second, first)
        explicit = not follows or here is first
        found = self._judge(node, text(condition), here, there, sure=Truth.YES in {mine, ~mine}, explicit=explicit)
        if found is not None:
            yield found

    def _switch(self, node: Node, rest: Sequence[Node], local: dict[str, Node]) -> Iterator[Guard]:
        start = node.child_by_field_name("initializer")
        if start is not None:
            _note(start, local)
        value = node.child_by_field_name("value")
        arms = [child for child in node.named_children if child.type in _CASES]
        mine, theirs = (self._chosen(scope, value, arms, local) for scope in (self.target, self.reference))
        if mine is None or theirs is None or mine == theirs:
            for arm in arms:
                yield from self.block(arm, dict(local))
            return
        here = list(syntax.statements(arms[mine])) if mine >= 0 else []
        there = list(syntax.statements(arms[theirs])) if theirs >= 0 else []
        explicit = bool(here)
        if _leaves(here) and not _leaves(there):
            there += rest
        elif _leaves(there) and not _leaves(here):
            here += rest
        place = arms[mine] if mine >= 0 else node
        found = self._judge(place, f"switch {text(value)}", here, there, sure=True, explicit=explicit)
        if found is not None:
            yield found

    def _result(self, node: Node, local: dict[str, Node]) -> Iterator[Guard]:
        """``return x && runtime.GOOS != "windows"``: what it answers for is off, whatever x is."""
        for value in _returned(node):
            if value.type != "binary_expression" or text(value.child_by_field_name("operator")) != "&&":
                continue
            if self.target.truth(value, local) is Truth.NO and self.reference.truth(value, local) is Truth.MAYBE:
                line, source = node.start_point.row + 1 + self.offset, _one_line(text(node))
                yield Guard(
                    Effect.OFF, line, node.end_point.row + 1 + self.offset, _one_line(text(value)), source, frozenset()
                )

    @staticmethod
    def _chosen(scope: Scope, value: Node | None, arms: Sequence[Node], local: dict[str, Node]) -> int | None:
        """The number of the arm that a platform takes: -1 for none, None when it is not sure."""
        default = -1
        for number, arm in enumerate(arms):
            if arm.type == "default_case":
                default = number
                continue
            cases = arm.child_by_field_name("value")
            worth = scope.matches(value, cases.named_children if cases is not None else [], local)
            if worth is Truth.YES:
                return number
            if worth is Truth.MAYBE:
                return None
        return default

    def _judge(
        self, node: Node, condition: str, here: Sequence[Node], there: Sequence[Node], *, sure: bool, explicit: bool
    ) -> Guard | None:
        """What the branch keeps from the target, given what each platform runs."""
        effect = _effect(here, there, sure=sure, explicit=explicit)
        if effect is None:
            return None
        return Guard(
            effect,
            node.start_point.row + 1 + self.offset,
            node.end_point.row + 1 + self.offset,
            _one_line(condition),
            _one_line(text(node)),
            frozenset(_work(there)),
        )


def _effect(here: Sequence[Node], there: Sequence[Node], *, sure: bool, explicit: bool) -> Effect | None:
    """How the target loses.

    Args:
        here: what the target runs.
        there: what the reference runs.
        sure: the target always takes its way, not only in some cases.
        explicit: ``here`` is an arm of its own, not just what comes after the branch.
    """
    here = [n for n in here if not _only_logs(n)]
    if _refuses_all(there):
        return None
    refusals = _refusals(here)
    if refusals and not _work(here):
        return Effect.REFUSED
    if explicit and any(_says_unsupported(refusal) for refusal in refusals):
        return Effect.REFUSED
    works = bool(_work(there))
    if not here:
        return Effect.SKIPPED if works else None
    if _work(here) or not _leaves(here) or refusals:
        return None
    last = here[-1]
    if last.type == "return_statement" and any(text(v) not in _ZERO for v in _returned(last)):
        # A value that never changes, where the reference looks at its input.
        fixed = len(here) == 1 and not any(_calls(v) for v in _returned(last)) and any(_decides(n) for n in there)
        return Effect.FIXED if fixed and sure else None
    gives = any(n.type == "return_statement" and _gives(n) for n in there)
    return Effect.OFF if (works or gives) and (sure or works) else None


def _decides(node: Node) -> bool:
    return node.type.endswith(("if_statement", "switch_statement"))


def _gives(node: Node) -> bool:
    """Whether a return gives something that is neither zero nor an error."""
    return any(text(v) not in _ZERO for v in _returned(node)) and not _is_refusal(node)


def _note(statement: Node, local: dict[str, Node]) -> None:
    """Remember what a local variable was set to, while it was set once."""
    if statement.type not in {"short_var_declaration", "assignment_statement"}:
        return
    left, right = statement.child_by_field_name("left"), statement.child_by_field_name("right")
    names = left.named_children if left else []
    values = right.named_children if right else []
    for number, name in enumerate(names):
        if name.type != "identifier":
            continue
        if statement.type == "short_var_declaration" and len(values) == len(names):
            local[text(name)] = values[number]
        else:
            local.pop(text(name), None)


def _leaves(statements: Sequence[Node]) -> bool:
    """Whether control does not come out at the end."""
    if not statements:
        return False
    last = statements[-1]
    if last.type in _LEAVES:
        return True
    if last.type != "expression_statement":
        return False
    called = text(last.named_children[0].child_by_field_name("function")) if last.named_children else ""
    return called in {"panic", "os.Exit"} or bool(re.search(r"\.(?:Fatal|Panic)(?:f|ln)?$", called))


def _work(statements: Iterable[Node]) -> list[str]:
    """The statements that do something which outlives them, in one spelling each."""
    found: list[str] = []
    for node in statements:
        match node.type:
            case "expression_statement":
                if not _only_logs(node) and not _leaves([node]):
                    found.append(_one_line(text(node)))
            case "assignment_statement":
                if _outlives(node):
                    found.append(_one_line(text(node)))
            case "short_var_declaration":
                left = node.child_by_field_name("left")
                if left is not None and _calls(node) and (len(left.named_children) > 1 or text(left) == "err"):
                    found.append(_one_line(text(node)))
            case "go_statement" | "defer_statement" | "send_statement":
                found.append(_one_line(text(node)))
            case "return_statement":
                if not _is_refusal(node) and any(_calls(value) for value in _returned(node)):
                    found.append(_one_line(text(node)))
            case "if_statement":
                found += _work(n for n in (node.child_by_field_name("initializer"),) if n is not None)
                found += _work(syntax.statements(node.child_by_field_name("consequence")))
                other = node.child_by_field_name("alternative")
                found += _work(
                    [other] if other is not None and other.type == "if_statement" else syntax.statements(other)
                )
            case "for_statement":
                found += _work(syntax.statements(node.child_by_field_name("body")))
            case "labeled_statement":
                found += _work(node.named_children)
            case "block":
                found += _work(syntax.statements(node))
            case kind if kind.endswith(("switch_statement", "select_statement")):
                for arm in node.named_children:
                    if arm.type in _CASES:
                        found += _work(syntax.statements(arm))
    return found


def _outlives(node: Node) -> bool:
    """Whether an assignment changes more than a local variable's value."""
    left = node.child_by_field_name("left")
    targets = left.named_children if left else []
    if any(target.type != "identifier" for target in targets):
        return True
    several = len(targets) > 1 or any(text(target) == "err" for target in targets)
    return several and _calls(node)


def _calls(node: Node) -> bool:
    if node.type == "call_expression":
        return True
    return node.type != "func_literal" and any(_calls(child) for child in node.named_children)


def _only_logs(node: Node) -> bool:
    if node.type != "expression_statement" or not node.named_children:
        return False
    call = node.named_children[0]
    if call.type != "call_expression":
        return False
    called = text(call.child_by_field_name("function"))
    return bool(_LOGS.search(called)) and not _leaves([node])


def _returned(node: Node) -> list[Node]:
    values = next((c for c in node.named_children if c.type == "expression_list"), None)
    return [v for v in values.named_children if v.type != "comment"] if values is not None else []


def _is_refusal(node: Node) -> bool:
    """Whether a return, or a panic, hands back an error that it makes or names."""
    if node.type == "expression_statement":
        return _leaves([node])
    values = _returned(node) if node.type == "return_statement" else []
    if not values:
        return False
    last = values[-1]
    if last.type == "call_expression":
        if text(last).startswith("append("):
            return False
        name = text(last.child_by_field_name("function"))
        return bool(_BUILDS_ERROR.search(name.rpartition(".")[2])) or name.startswith(
            ("errors.", "errdefs.", "fmt.Errorf")
        )
    if last.type in {"identifier", "selector_expression"}:
        return bool(_NAMES_ERROR.search(text(last).rpartition(".")[2]))
    if last.type not in {"composite_literal", "unary_expression"}:
        return False
    # An error type of one's own: a literal of it, the last of several results, holds an error or is named for one.
    return bool(_NAMES_ERROR.search(text(last)) or re.search(r"\berrors\.|\bfmt\.Errorf|\b[Ii]nvalid", text(last)))


def _refusals(statements: Iterable[Node]) -> list[Node]:
    """Every return of an error, and every panic, in the statements and their branches."""
    found: list[Node] = []
    for node in statements:
        if node.type in {"return_statement", "expression_statement"}:
            if _is_refusal(node) and not _passes_on(node):
                found.append(node)
        elif node.type in {"if_statement", "block", "for_statement", "statement_list", "labeled_statement"} or (
            node.type in _CASES or node.type.endswith(("switch_statement", "select_statement"))
        ):
            found += _refusals(node.named_children)
    return found


def _passes_on(node: Node) -> bool:
    """Whether a return only hands on an error that something else made: ``return err``."""
    values = _returned(node)
    return bool(values) and text(values[-1]) in {"err", "retErr", "rerr"}


def _says_unsupported(node: Node) -> bool:
    words = text(node).lower()
    return any(
        w in words for w in ("support", "windows", "not implemented", "notimplemented", "unavailable", "not available")
    )


def _refuses_all(statements: Sequence[Node]) -> bool:
    """Whether the statements begin with a refusal: then the platforms do not differ in it."""
    return bool(statements) and _is_refusal(statements[0]) and not _passes_on(statements[0])


def _one_line(source: str) -> str:
    return _SPACE.sub(" ", source).strip()
