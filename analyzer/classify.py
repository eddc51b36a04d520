"""What a function's body is: real work, or a stub and which kind (the rules of findings, "What a body is")."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Node

from analyzer import syntax
from analyzer.model import Stub
from analyzer.symbols import Symbol
from analyzer.syntax import text

# How people say "not on this platform" in a message, and how they name such an error or error type.
_SAYS_UNSUPPORTED = re.compile(
    r"(?:not|never|n't)\s+(?:\w+\s+)?(?:support(?:ed|s|ing)?|implemented|available)\b|\bunsupported\b|\bunimplemented\b"
    r"|\b(?:only|solely)\s+(?:\w+\s+)?(?:supported|implemented|available|works?)\b|\bno\s+support\b"
    r"|\b(?:not|never)\s+(?:\w+\s+)?(?:on|for|under)\s+(?:windows|this\s+(?:platform|os|system))"
    r"|\bnot\s+yet\b",
    re.IGNORECASE,
)
_NAMES_UNSUPPORTED = re.compile(
    r"not_?(?:yet)?_?(?:supported|implemented|available|impl)|unsupported|unimplemented"
    r"|^(?:ENOTSUP|EOPNOTSUPP|ENOSYS|EWINDOWS|EPLAN9|ERROR_CALL_NOT_IMPLEMENTED)$",
    re.IGNORECASE,
)
_LOGGERS = {"log", "logrus", "klog", "glog", "slog", "logger", "bklog", "zap", "logging"}
_FATAL = re.compile(r"^(?:Fatal|Panic)")
# A function that returns one error and is named for it is a helper that builds it, not a stub of a feature.
_BUILDS_ERROR = re.compile(r"^(?:new)?err|error$|^(?:not|un)(?:supported|implemented)", re.IGNORECASE)
_BASIC_TYPES = re.compile(r"^(?:u?int(?:8|16|32|64)?|uintptr|float(?:32|64)|string|bool|byte|rune|error)$")
_ZERO_LITERAL = re.compile(r"^(?:0[xXoObB]?[0_]*(?:\.0*)?|\.0+|\"\"|``|'\\x00')$")


class Outcome(StrEnum):
    """What one way through a body comes to."""

    REAL = "real"
    ZERO = "zero"
    NOOP = "noop"
    ERROR = "error"
    PANIC = "panic"


@dataclass(frozen=True, slots=True)
class Body:
    """What a function is on a platform.

    Attributes:
        outcome: what a caller gets, also when the function merely builds an error for others.
        stub: the kind of stub, or None for an implementation.
        partial: real work, and an explicit refusal of a part.
        nil_error: a stub whose last result is an error that is always nil.
    """

    outcome: Outcome
    stub: Stub | None = None
    partial: bool = False
    nil_error: bool = False


REAL = Body(Outcome.REAL)
_Values = dict[str, Outcome]


class Bodies:
    """The bodies of one package on one platform; each is judged once, and calls within the package are followed."""

    def __init__(self, names: Mapping[str, Symbol]) -> None:
        self._names = names
        self._known: dict[str, Body] = {}

    def of(self, name: str) -> Body:
        """What the named symbol is. What is no function of this package is taken as real."""
        if name not in self._known:
            self._known[name] = REAL  # a function that calls itself does something
            symbol = self._names.get(name)
            if symbol is not None and symbol.declaration.is_function and symbol.declaration.has_body:
                self._known[name] = self.judge(symbol)
        return self._known[name]

    def judge(self, symbol: Symbol) -> Body:
        """What a function is, whether or not it is the one that its name stands for."""
        root = syntax.parse(b"package p\n" + symbol.source).root_node
        node = next((n for n in root.named_children if n.type.endswith("_declaration")), None)
        if node is None or root.has_error:
            return REAL
        body = _Function(self, node, symbol.name.rpartition(".")[0]).body()
        results = _result_types(node)
        if body.stub is Stub.ERROR and results == ["error"] and _BUILDS_ERROR.search(symbol.name.rpartition(".")[2]):
            return Body(body.outcome)
        return body

    def value(self, name: str) -> Outcome:
        """What a package-level name is worth when it is returned: a constant, a variable, or a function's value."""
        symbol = self._names.get(name)
        if symbol is None or symbol.declaration.kind not in {"const", "var"}:
            return Outcome.REAL
        key = f"= {name}"
        if key not in self._known:
            self._known[key] = REAL
            self._known[key] = Body(self._initial_value(symbol))
        return self._known[key].outcome

    def _initial_value(self, symbol: Symbol) -> Outcome:
        root = syntax.parse(b"package p\nvar " + symbol.source).root_node
        spec = next((s for d in root.named_children if d.type == "var_declaration" for s in d.named_children), None)
        values = spec.child_by_field_name("value") if spec else None
        if spec is None or root.has_error or values is None or len(values.named_children) != 1:
            return Outcome.REAL
        worth = _Function(self, spec, "").value(values.named_children[0])
        # A variable that starts as zero may be set later; a constant may not.
        return worth if symbol.declaration.kind == "const" or worth is Outcome.ERROR else Outcome.REAL


class _Function:
    """One function or closure: walks the ways through its body."""

    def __init__(self, bodies: Bodies, node: Node, receiver: str, outer: _Values | None = None) -> None:
        self._bodies = bodies
        self._node = node
        self._receiver = receiver
        self._results = _result_types(node)
        self._named = _named_results(node)
        # An argument handed back unchanged is as good as nothing; so is a named result that is never set.
        names = [*_parameter_names(node), *self._named]
        self._values: _Values = {**(outer or {}), **dict.fromkeys(names, Outcome.ZERO)}
        self._arguments = set(_parameter_names(node))
        receiver_names = _names_of(node.child_by_field_name("receiver"))
        self._self_name = receiver_names[0] if receiver_names else ""
        if self._self_name:
            self._values[self._self_name] = Outcome.ZERO
        self._said_unsupported = False
        # Whether some way hands an argument back, and whether some way gives nothing: both together are a choice.
        self._hands_back = False
        self._gives_nothing = False

    def body(self) -> Body:
        """The judgement on the whole."""
        block = self._node.child_by_field_name("body")
        outcomes, ends = self._block(block)
        if not ends:
            outcomes.add(Outcome.NOOP if not self._results else Outcome.ZERO)
        outcome = _worst(outcomes)
        if outcome is Outcome.ZERO and self._hands_back and self._gives_nothing:
            outcome = Outcome.REAL
        if outcome is Outcome.REAL:
            return Body(outcome, partial=Outcome.ERROR in outcomes)
        nil_error = outcome is Outcome.ZERO and self._results[-1:] == ["error"]
        return Body(outcome, Stub(outcome.value), nil_error=nil_error)

    def _block(self, block: Node | None) -> tuple[set[Outcome], bool]:
        """The outcomes of a list of statements, and whether control never leaves it at the end."""
        outcomes: set[Outcome] = set()
        for statement in syntax.statements(block):
            found, ends = self._statement(statement)
            outcomes |= found
            if ends:
                return outcomes, True
        return outcomes, False

    def _statement(self, node: Node) -> tuple[set[Outcome], bool]:
        match node.type:
            case "return_statement":
                return {self._returned(node)}, True
            case "expression_statement":
                return self._effect(node.named_children[0])
            case "block":
                return self._block(node)
            case "if_statement":
                return self._if(node)
            case "expression_switch_statement" | "type_switch_statement":
                return self._switch(node)
            case "for_statement":
                return self._block(node.child_by_field_name("body"))[0], False
            case "short_var_declaration" | "assignment_statement":
                return self._assign(node), False
            case "var_declaration" | "const_declaration":
                return self._declare(node), False
            case "defer_statement":
                return self._effect(node.named_children[0])[0], False
            case "break_statement" | "continue_statement" | "type_declaration":
                return set(), False
            case _:
                return {Outcome.REAL}, False

    def _if(self, node: Node) -> tuple[set[Outcome], bool]:
        outcomes: set[Outcome] = set()
        start = node.child_by_field_name("initializer")
        if start is not None:
            outcomes |= self._statement(start)[0]
        yes, yes_ends = self._block(node.child_by_field_name("consequence"))
        other = node.child_by_field_name("alternative")
        no, no_ends = self._statement(other) if other is not None else (set[Outcome](), False)
        if Outcome.ERROR in yes | no and self._checks(node.child_by_field_name("condition")):
            # A validator: it refuses what it found out to be impossible, and not whatever it is asked for.
            outcomes.add(Outcome.REAL)
        return outcomes | yes | no, yes_ends and no_ends

    def _checks(self, condition: Node | None) -> bool:
        """Whether a condition asks the world: it calls something that is not just a look at an argument."""
        if condition is None:
            return False
        if condition.type == "call_expression":
            function = condition.child_by_field_name("function")
            root = function
            while root is not None and root.type in {"call_expression", "selector_expression"}:
                root = root.child_by_field_name("function") or root.child_by_field_name("operand")
            name = text(root)
            if name not in {"len", "cap", "strings", "bytes", "slices", "errors", "reflect", self._self_name}:
                return name not in self._arguments
        return any(self._checks(child) for child in condition.named_children)

    def _switch(self, node: Node) -> tuple[set[Outcome], bool]:
        outcomes: set[Outcome] = set()
        start = node.child_by_field_name("initializer")
        if start is not None:
            outcomes |= self._statement(start)[0]
        arms = [c for c in node.named_children if c.type in {"expression_case", "type_case", "default_case"}]
        results = [self._block(arm) for arm in arms]
        ends = any(arm.type == "default_case" for arm in arms) and all(end for _, end in results)
        return outcomes.union(*(found for found, _ in results)), ends

    def _declare(self, node: Node) -> set[Outcome]:
        specs = list(_descend(node, {"var_spec", "const_spec"}, {"var_spec_list"}))
        outcomes: set[Outcome] = set()
        for spec in specs:
            names = [text(n) for n in spec.children_by_field_name("name")]
            values = spec.child_by_field_name("value")
            if values is None:
                self._values.update(dict.fromkeys(names, Outcome.ZERO))
            else:
                outcomes |= self._set(names, values.named_children)
        return outcomes

    def _assign(self, node: Node) -> set[Outcome]:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        targets = left.named_children if left else []
        if any(target.type != "identifier" for target in targets):
            return {Outcome.REAL}  # it changes something that outlives the call
        return self._set([text(t) for t in targets], right.named_children if right else [])

    def _set(self, names: list[str], values: list[Node]) -> set[Outcome]:
        """Note what locals are worth. A call whose result is kept is work, unless it only builds a value."""
        outcomes: set[Outcome] = set()
        worths = [self.value(value) for value in values]
        if len(worths) != len(names):
            worths = [worths[0] if worths else Outcome.REAL] * len(names)
        for name, worth in zip(names, worths, strict=True):
            if name == "_":
                continue
            before = self._values.get(name)
            # Which assignment comes last is not known after a branch, so work anywhere counts.
            self._values[name] = worth if before is None or name in self._named else _worst({before, worth})
        for value, worth in zip(values, worths, strict=False):
            if worth is Outcome.REAL and _calls(value) and not self._logs(value):
                outcomes.add(Outcome.REAL)
        return outcomes

    def _returned(self, node: Node) -> Outcome:
        values = [c for c in node.named_children if c.type == "expression_list"]
        if not values:
            worths = [self._values.get(name, Outcome.ZERO) for name in self._named]
            return self._together(worths) if worths else Outcome.NOOP
        given = [value for value in values[0].named_children if value.type != "comment"]
        first = given[0]
        if first.type in {"call_expression", "type_conversion_expression"} and first.named_children:
            first = first.named_children[-1]  # string(n)
            first = first.named_children[0] if first.named_children else first
        handed = first.type == "identifier" and text(first) in {*self._arguments, self._self_name}
        self._hands_back |= handed
        self._gives_nothing |= not handed
        return self._together([self.value(value) for value in given])

    @staticmethod
    def _together(worths: list[Outcome]) -> Outcome:
        """What several results are worth: an error that says "not supported" outweighs what comes with it."""
        for outcome in (Outcome.PANIC, Outcome.ERROR):
            if outcome in worths:
                return outcome
        return Outcome.ZERO if all(w is not Outcome.REAL for w in worths) else Outcome.REAL

    def _effect(self, node: Node) -> tuple[set[Outcome], bool]:
        """What a call does that is a statement of its own."""
        if node.type != "call_expression":
            return {Outcome.REAL}, False
        function = node.child_by_field_name("function")
        name = text(function)
        last = name.rpartition(".")[2]
        if name == "panic" or (self._logs(node) and _FATAL.match(last)):
            return {self._given_up(node)}, True
        if name == "os.Exit":
            return {Outcome.PANIC if self._said_unsupported else Outcome.REAL}, True
        if self._logs(node) or name.startswith(("fmt.Print", "fmt.Fprint")) or name in {"print", "println"}:
            self._said_unsupported = self._said_unsupported or _says_unsupported(node)
            return set(), False
        outcome = self._callee(node)
        if outcome is Outcome.PANIC:
            return {outcome}, True
        return (set(), False) if outcome is not Outcome.REAL else ({outcome}, False)

    def _given_up(self, call: Node) -> Outcome:
        """A panic says "not implemented" with a text; with an error value it reports a real failure."""
        arguments = call.child_by_field_name("arguments")
        values = arguments.named_children if arguments else []
        literal = bool(values) and all(v.type in {"interpreted_string_literal", "raw_string_literal"} for v in values)
        if literal or _says_unsupported(call) or any(self.value(v) is Outcome.ERROR for v in values):
            return Outcome.PANIC
        return Outcome.REAL

    def _logs(self, node: Node) -> bool:
        """Whether a call goes to a logger: the root of its chain is one."""
        root: Node | None = node
        while root is not None and root.type in {"call_expression", "selector_expression"}:
            root = root.child_by_field_name("function") or root.child_by_field_name("operand")
        return node.type == "call_expression" and text(root) in _LOGGERS

    def _callee(self, call: Node) -> Outcome:
        """What a called function of this package comes to; real when it is not ours to see."""
        function = call.child_by_field_name("function")
        if function is None:
            return Outcome.REAL
        if function.type == "func_literal":
            return _Function(self._bodies, function, "", self._values).body().outcome
        name = text(function)
        if function.type == "identifier" and name not in self._values:
            return self._bodies.of(name).outcome
        if function.type == "selector_expression" and text(function.child_by_field_name("operand")) == self._self_name:
            return self._bodies.of(f"{self._receiver}.{text(function.child_by_field_name('field'))}").outcome
        return Outcome.REAL

    def value(self, node: Node) -> Outcome:
        """What an expression is worth to the caller who gets it."""
        match node.type:
            case "nil" | "false":
                return Outcome.ZERO
            case "int_literal" | "float_literal" | "interpreted_string_literal" | "raw_string_literal" | "rune_literal":
                return Outcome.ZERO if _ZERO_LITERAL.match(text(node)) else Outcome.REAL
            case "identifier":
                return self._name_value(text(node))
            case "selector_expression":
                named = _NAMES_UNSUPPORTED.search(text(node.child_by_field_name("field")))
                return Outcome.ERROR if named else Outcome.REAL
            case "composite_literal":
                return self._composite(node)
            case "unary_expression":
                return self._unary(node)
            case "parenthesized_expression":
                return self.value(node.named_children[0])
            case "func_literal":
                outcome = _Function(self._bodies, node, "", self._values).body().outcome
                return Outcome.ZERO if outcome is Outcome.NOOP else outcome
            case "type_conversion_expression":
                operand = node.child_by_field_name("operand")
                return self.value(operand) if operand else Outcome.REAL
            case "call_expression":
                return self._call_value(node)
            case _:
                return Outcome.REAL

    def _name_value(self, name: str) -> Outcome:
        if name in self._values:
            return self._values[name]
        if _NAMES_UNSUPPORTED.search(name):
            return Outcome.ERROR
        return self._bodies.value(name)

    def _unary(self, node: Node) -> Outcome:
        source = text(node)
        operand = node.child_by_field_name("operand")
        if source == "-1":  # the fixed "not found"
            return Outcome.ZERO
        if operand is not None and source.startswith(("&", "*")):
            return self.value(operand)
        return Outcome.REAL

    def _composite(self, node: Node) -> Outcome:
        if _NAMES_UNSUPPORTED.search(text(node.child_by_field_name("type"))) or _says_unsupported(node):
            return Outcome.ERROR
        body = node.child_by_field_name("body")
        elements = [e for e in body.named_children if e.type != "comment"] if body else []
        values = [
            e.named_children[-1].named_children[0] if e.named_children[-1].named_children else None
            for e in elements
            if e.named_children
        ]
        worths = {self.value(v) if v is not None else Outcome.REAL for v in values}
        if Outcome.ERROR in worths:
            return Outcome.ERROR
        return Outcome.ZERO if worths <= {Outcome.ZERO} else Outcome.REAL

    def _call_value(self, node: Node) -> Outcome:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        name = text(function)
        values = [a for a in arguments.named_children if a.type != "comment"] if arguments else []
        if name in {"make", "new"}:
            return Outcome.ZERO
        if _BASIC_TYPES.match(name) and len(values) == 1:
            return self.value(values[0])
        outcome = self._callee(node)
        if outcome is not Outcome.REAL:
            return Outcome.ZERO if outcome is Outcome.NOOP else outcome
        if _NAMES_UNSUPPORTED.search(name.rpartition(".")[2]) or _says_unsupported(node):
            return Outcome.ERROR
        worths = [self.value(v) for v in values]
        if Outcome.ERROR in worths:  # a sentinel that is wrapped
            return Outcome.ERROR
        return Outcome.REAL


def _worst(outcomes: set[Outcome]) -> Outcome:
    """One word for all ways: work anywhere is work; then the loudest way of doing nothing."""
    for outcome in (Outcome.REAL, Outcome.PANIC, Outcome.ERROR, Outcome.ZERO):
        if outcome in outcomes:
            return outcome
    return Outcome.NOOP


def _descend(node: Node, wanted: set[str], through: set[str]) -> Iterable[Node]:
    for child in node.named_children:
        if child.type in wanted:
            yield child
        elif child.type in through:
            yield from _descend(child, wanted, through)


def _calls(node: Node) -> bool:
    """Whether an expression calls anything, outside closures."""
    if node.type == "call_expression":
        return True
    return node.type != "func_literal" and any(_calls(child) for child in node.named_children)


def _says_unsupported(node: Node) -> bool:
    """Whether a text in the expression says "not supported", or an error text is joined with runtime.GOOS."""
    source = text(node)
    strings = " ".join(text(s) for s in _literals(node))
    return bool(_SAYS_UNSUPPORTED.search(strings)) or ("runtime.GOOS" in source and bool(strings))


def _literals(node: Node) -> Iterable[Node]:
    if node.type in {"interpreted_string_literal", "raw_string_literal"}:
        yield node
    for child in node.named_children:
        if child.type != "func_literal":
            yield from _literals(child)


def _names_of(parameters: Node | None) -> list[str]:
    return [
        text(n) for p in (parameters.named_children if parameters else ()) for n in p.children_by_field_name("name")
    ]


def _parameter_names(node: Node) -> list[str]:
    return _names_of(node.child_by_field_name("parameters"))


def _named_results(node: Node) -> list[str]:
    result = node.child_by_field_name("result")
    return _names_of(result) if result is not None and result.type == "parameter_list" else []


def _result_types(node: Node) -> list[str]:
    result = node.child_by_field_name("result")
    if result is None:
        return []
    if result.type != "parameter_list":
        return [text(result)]
    return [
        text(p.child_by_field_name("type"))
        for p in result.named_children
        for _ in (p.children_by_field_name("name") or [p])
    ]
