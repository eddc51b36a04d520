"""The ways through one function or closure, and what each comes to: work, nothing, a refusal, a panic."""

import re
from typing import TYPE_CHECKING

from tree_sitter import Node

from analyzer import syntax
from analyzer.body import REAL, Body, Gives, Outcome, worst
from analyzer.conditions import Truth
from analyzer.effects import calls
from analyzer.model import Stub
from analyzer.refusals import NAMES_UNSUPPORTED, SAYS_UNSUPPORTED
from analyzer.shapes import (
    MAKES_ERROR,
    adds_words,
    declared,
    descend,
    element,
    identifiers,
    literals,
    makes_empty,
    makes_error,
    named_results,
    only_argument,
    only_checks,
    parts,
    result_types,
    typed_names,
)
from analyzer.symbols import GoFile
from analyzer.syntax import text

if TYPE_CHECKING:
    from analyzer.classify import Bodies

_LOGGERS = {"log", "logrus", "klog", "glog", "slog", "logger", "bklog", "zap", "logging"}
_FATAL = re.compile(r"^(?:Fatal|Panic)")
_BASIC_TYPES = re.compile(r"^(?:u?int(?:8|16|32|64)?|uintptr|float(?:32|64)|string|bool|byte|rune|error)$")
# Types of other modules that are numbers or texts, so that ``time.Duration(0)`` is a conversion and no call.
_CONVERSIONS = {"time.Duration", "time.Month", "os.FileMode", "fs.FileMode", "syscall.Errno"}
# What tells about an error instead of being one.
_ASKS = {"errors.Is", "errors.As", "strings.Contains", "strings.HasPrefix", "strings.HasSuffix"}
_ZERO_LITERAL = re.compile(r"^(?:0[xXoObB]?[0_]*(?:\.0*)?|\.0+|\"\"|``|'\\x00')$")
_Values = dict[str, Outcome]


class Ways:
    """One function or closure: walks the ways through its body."""

    def __init__(self, bodies: "Bodies", file: GoFile, node: Node, outer: "Ways | None" = None) -> None:
        self._bodies = bodies
        self._file = file
        self._node = node
        self._results = result_types(node)
        self._named = named_results(node)
        parameters, receivers = typed_names(node, "parameters"), typed_names(node, "receiver")
        # An argument handed back unchanged is as good as nothing; so is a named result that is never set.
        names = [*parameters, *receivers, *self._named]
        self._values: _Values = {**(outer.known[0] if outer else {}), **dict.fromkeys(names, Outcome.ZERO)}
        self._types: dict[str, str] = {**(outer.known[1] if outer else {}), **parameters, **receivers}
        self._closures: _Values = dict(outer.known[2]) if outer else {}
        # Locals that hold something new with nothing in it.
        self._fresh: set[str] = set()
        self._arguments = {*parameters, *receivers}
        # What the function is given may be for this system or for another one.
        self._given: dict[str, Node] = {**(outer.given if outer else {}), **declared(node, "parameters")}
        self._said_unsupported = False
        # Some way may hand back an error.
        self._fails = False
        # Some way says that it leaves something out, and goes on.
        self._ignores = False
        # Whether some way hands an argument back, and whether some way gives nothing: both together are a choice.
        # A validator refuses what it looked at and did not like, not whatever it is asked for.
        self._judges = False
        # Some way does more than to hand back an error that it makes.
        self._works = False
        self._hands_back: set[str] = set()
        self._gives_nothing = False
        self._gives = Gives.ZEROS
        self._briefly = False

    @property
    def known(self) -> tuple[_Values, dict[str, str], _Values]:
        """What a closure inside sees: what names are worth, their types, and the closures that they stand for."""
        return self._values, self._types, self._closures

    @property
    def given(self) -> dict[str, Node]:
        """Its parameters, with what declares them; those of the functions around it, too."""
        return self._given

    def body(self, *, briefly: bool = False) -> Body:
        """The judgement on the whole.

        Args:
            briefly: whether to stop at the first work: then all else that there is to say of real work is left out.
        """
        self._briefly = briefly
        block = self._node.child_by_field_name("body")
        outcomes, ends = self._block(block)
        if not ends:
            outcomes.add(Outcome.NOOP if not self._results else Outcome.ZERO)
        outcome = worst(outcomes)
        if outcome is Outcome.REAL:
            only_judges = self._judges and not self._works and self._results == ["error"]
            partial = (Outcome.ERROR in outcomes and not only_judges) or self._ignores
            return Body(outcome, partial=partial, nil_error=self._results[-1:] == ["error"] and not self._fails)
        choices = len(self._hands_back) + self._gives_nothing
        chooses = outcome is Outcome.ZERO and bool(self._hands_back) and choices > 1
        refuses_some = outcome is Outcome.ERROR and not outcomes.isdisjoint({Outcome.ZERO, Outcome.NOOP})
        if chooses or (refuses_some and self._judges):
            return REAL
        nil_error = outcome is Outcome.ZERO and self._results[-1:] == ["error"]
        comes_back = outcomes != {Outcome.PANIC}
        return Body(
            outcome,
            Stub(outcome.value),
            nil_error=nil_error,
            comes_back=comes_back,
            refuses_some=refuses_some,
            gives=Gives.ARGUMENT if self._hands_back else self._gives,
        )

    def _block(self, block: Node | None) -> tuple[set[Outcome], bool]:
        """The outcomes of a list of statements, and whether control never leaves it at the end."""
        outcomes: set[Outcome] = set()
        for statement in syntax.statements(block):
            found, ends = self._statement(statement)
            outcomes |= found
            self._works |= Outcome.REAL in found and not parts(statement) and not makes_error(statement)
            if ends or (self._briefly and Outcome.REAL in found):
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
                return self._for(node), False
            case "short_var_declaration" | "assignment_statement":
                return self._assign(node), False
            case "var_declaration" | "const_declaration":
                return self._declare(node), False
            case "defer_statement":
                return self._effect(node.named_children[0])[0], False
            case "send_statement":
                return {self._sent(node)}, False
            case "break_statement" | "continue_statement" | "type_declaration":
                return set(), False
            case _:
                return {Outcome.REAL}, False

    def _if(self, node: Node) -> tuple[set[Outcome], bool]:
        outcomes: set[Outcome] = set()
        start = node.child_by_field_name("initializer")
        if start is not None and only_checks(start):
            left = start.child_by_field_name("left")
            self._values.update({text(name): Outcome.ZERO for name in (left.named_children if left else ())})
        elif start is not None:
            outcomes |= self._statement(start)[0]
        condition, other = node.child_by_field_name("condition"), node.child_by_field_name("alternative")
        match self._bodies.scope(self._file).truth(condition, self._given):
            case Truth.YES:
                found, ends = self._block(node.child_by_field_name("consequence"))
                return outcomes | found, ends
            case Truth.NO:
                found, ends = self._statement(other) if other is not None else (set[Outcome](), False)
                return outcomes | found, ends
            case _:
                pass
        said, self._said_unsupported = self._said_unsupported, False
        yes, yes_ends = self._block(node.child_by_field_name("consequence"))
        self._ignores |= self._said_unsupported
        self._said_unsupported |= said
        no, no_ends = self._statement(other) if other is not None else (set[Outcome](), False)
        self._judges |= self._checks(condition)
        return outcomes | yes | no, yes_ends and no_ends

    def _checks(self, condition: Node | None) -> bool:
        """Whether a condition looks closer than "was anything asked for": then a refusal behind it is a judgement."""
        if condition is None:
            return False
        match condition.type:
            case "identifier" | "selector_expression" | "nil" | "true" | "false":
                return False
            case "parenthesized_expression" | "unary_expression":
                return any(self._checks(child) for child in condition.named_children)
            case "binary_expression":
                sides = condition.named_children
                if text(condition.child_by_field_name("operator")) in {"&&", "||"}:
                    return any(self._checks(side) for side in sides)
                literals = [side for side in sides if side.type.endswith("_literal")]
                if any(self.value(side) is not Outcome.ZERO and text(side) != "1" for side in literals):
                    return True
                return any(self._checks(side) for side in sides if side not in literals)
            case "call_expression":
                return text(condition.child_by_field_name("function")) not in {"len", "cap"}
            case _:
                return bool(condition.type.endswith("_literal")) is False

    def _for(self, node: Node) -> set[Outcome]:
        """A loop does what its body does; one that only something else can end waits for it, which is work."""
        outcomes, ends = self._block(node.child_by_field_name("body"))
        clause = next((c for c in node.named_children if c.type != "block"), None)
        over = text(clause.child_by_field_name("right")) if clause is not None and clause.type == "range_clause" else ""
        waits = "chan " in self._types.get(over, "") or (clause is None and not ends)
        return outcomes | ({Outcome.REAL} if waits else set())

    def _switch(self, node: Node) -> tuple[set[Outcome], bool]:
        outcomes: set[Outcome] = set()
        start = node.child_by_field_name("initializer")
        if start is not None:
            outcomes |= self._statement(start)[0]
        arms = [c for c in node.named_children if c.type in {"expression_case", "type_case", "default_case"}]
        results = [self._block(arm) for arm in arms]
        value = node.child_by_field_name("value")
        for arm in arms:
            cases = arm.child_by_field_name("value")
            for case in cases.named_children if cases is not None else ():
                self._judges |= self._checks(case) if value is None else self.value(case) is not Outcome.ZERO
        ends = any(arm.type == "default_case" for arm in arms) and all(end for _, end in results)
        return outcomes.union(*(found for found, _ in results)), ends

    def _declare(self, node: Node) -> set[Outcome]:
        specs = list(descend(node, {"var_spec", "const_spec"}, {"var_spec_list"}))
        outcomes: set[Outcome] = set()
        for spec in specs:
            names = [text(n) for n in spec.children_by_field_name("name")]
            values = spec.child_by_field_name("value")
            written = text(spec.child_by_field_name("type"))
            self._types.update(dict.fromkeys(names, written) if written else {})
            if values is None:
                self._values.update(dict.fromkeys(names, Outcome.ZERO))
            else:
                outcomes |= self._set(names, values.named_children)
        return outcomes

    def _assign(self, node: Node) -> set[Outcome]:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        targets = left.named_children if left else []
        lasting = any(
            target.type != "identifier" or (text(target) not in self._values and self._bodies.is_variable(text(target)))
            for target in targets
        )
        if adds_words(right):
            return set()
        if lasting and node.type == "assignment_statement":
            return {Outcome.REAL}  # it changes something that outlives the call
        return self._set([text(t) for t in targets], right.named_children if right else [])

    def _set(self, names: list[str], values: list[Node]) -> set[Outcome]:
        """Note what locals are worth. A call whose result is kept is work, unless it only builds a value."""
        outcomes: set[Outcome] = set()
        worths = [self.value(value) for value in values]
        if len(values) == len(names):
            for name, value in zip(names, values, strict=True):
                self._hold(name, value)
        if len(worths) != len(names):
            worths = [worths[0] if worths else Outcome.REAL] * len(names)
        for name, worth in zip(names, worths, strict=True):
            if name == "_":
                continue
            before = self._values.get(name)
            # Which assignment comes last is not known after a branch, so work anywhere counts.
            self._values[name] = worth if before is None or name in self._named else worst({before, worth})
        for value, worth in zip(values, worths, strict=False):
            if worth is Outcome.REAL and calls(value) and not self._logs(value):
                outcomes.add(Outcome.REAL)
        return outcomes

    def _hold(self, name: str, value: Node) -> None:
        """Note which closure, or which type, a local name stands for."""
        if value.type == "func_literal":
            self._closures[name] = Ways(self._bodies, self._file, value, self).body(briefly=True).outcome
        else:
            self._closures.pop(name, None)
        (self._fresh.add if self._is_fresh(value) else self._fresh.discard)(name)
        made = value.child_by_field_name("operand") if value.type == "unary_expression" else value
        if made is not None and made.type == "composite_literal":
            self._types[name] = text(made.child_by_field_name("type"))

    def _returned(self, node: Node) -> Outcome:
        values = [c for c in node.named_children if c.type == "expression_list"]
        if not values:
            self._fails = True
            worths = [self._values.get(name, Outcome.ZERO) for name in self._named]
            return self._together(worths) if worths else Outcome.NOOP
        given = [value for value in values[0].named_children if value.type != "comment"]
        self._fails |= bool(given) and given[-1].type != "nil"
        first = given[0]
        if first.type in {"call_expression", "type_conversion_expression"} and first.named_children:
            first = first.named_children[-1]  # string(n)
            first = first.named_children[0] if first.named_children else first
        handed = first.type == "identifier" and text(first) in self._arguments
        self._hands_back |= {text(first)} if handed else set()
        self._gives_nothing |= not handed
        if any(self._is_idle(value) for value in given):
            self._gives = Gives.IDLE
        elif self._gives is Gives.ZEROS and any(self._is_fresh(value) for value in given):
            self._gives = Gives.EMPTY
        return self._together([self.value(value) for value in given])

    def _is_idle(self, value: Node) -> bool:
        """Whether a value is a function, or of a type that only stands for one of the results' types: no zero value of that."""
        made = value.child_by_field_name("operand") if value.type == "unary_expression" else value
        if made is None or made.type != "composite_literal":
            return value.type == "func_literal"
        written = text(made.child_by_field_name("type"))
        return self._bodies.is_type(written) and {written, f"*{written}"}.isdisjoint(self._results)

    def _is_fresh(self, value: Node) -> bool:
        return makes_empty(value) or (value.type == "identifier" and text(value) in self._fresh)

    @staticmethod
    def _together(worths: list[Outcome]) -> Outcome:
        """What several results are worth: an error that says "not supported" outweighs what comes with it."""
        for outcome in (Outcome.PANIC, Outcome.ERROR):
            if outcome in worths:
                return outcome
        return Outcome.ZERO if all(w is not Outcome.REAL for w in worths) else Outcome.REAL

    def _sent(self, node: Node) -> Outcome:
        """What is sent through a channel that is made here is told to whom it is handed back."""
        channel, value = (node.child_by_field_name(field) for field in ("channel", "value"))
        worth = self.value(value) if value is not None else Outcome.REAL
        return worth if self._is_empty_local(channel) and worth is Outcome.ERROR else Outcome.REAL

    def _is_empty_local(self, node: Node | None) -> bool:
        """Whether an expression names a local variable with nothing in it; what was handed in is somebody's."""
        name = text(node)
        return name not in self._arguments and self._values.get(name) is Outcome.ZERO

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
            self._said_unsupported = self._said_unsupported or self._says(node)
            return set(), False
        if name == "close" and self._is_empty_local(only_argument(node)):
            return set(), False
        body = self._callee(node)
        outcome = body.outcome
        if outcome is Outcome.REAL and not self._results and MAKES_ERROR.search(name) and self._says(node):
            return {Outcome.ERROR}, False  # http.Error and its like
        if outcome is Outcome.PANIC:
            return {outcome}, not body.comes_back
        return (set(), False) if outcome is not Outcome.REAL else ({outcome}, False)

    def _given_up(self, call: Node) -> Outcome:
        """A panic says "not implemented" with a text; with an error value it reports a real failure."""
        arguments = call.child_by_field_name("arguments")
        values = arguments.named_children if arguments else []
        literal = bool(values) and all(v.type in {"interpreted_string_literal", "raw_string_literal"} for v in values)
        if literal or self._says(call) or any(self.value(v) is Outcome.ERROR for v in values):
            return Outcome.PANIC
        return Outcome.REAL

    def _logs(self, node: Node) -> bool:
        """Whether a call goes to a logger: the root of its chain is one."""
        root: Node | None = node
        while root is not None and root.type in {"call_expression", "selector_expression"}:
            root = root.child_by_field_name("function") or root.child_by_field_name("operand")
        name = text(root)
        path = next((i.path for i in self._file.facts.imports if i.name == name), "")
        return node.type == "call_expression" and (name in _LOGGERS or path.rpartition("/")[2] in _LOGGERS)

    def _callee(self, call: Node) -> Body:
        """What a called function comes to; real when it is not ours to see."""
        function = call.child_by_field_name("function")
        if function is None:
            return REAL
        if function.type == "func_literal":
            return Ways(self._bodies, self._file, function, self).body(briefly=True)
        name = text(function)
        if function.type == "identifier":
            if name in self._closures:
                return Body(self._closures[name], comes_back=self._closures[name] is not Outcome.PANIC)
            return self._bodies.roughly(name) if name not in self._values else REAL
        if function.type != "selector_expression":
            return REAL
        operand, method = function.child_by_field_name("operand"), text(function.child_by_field_name("field"))
        package = self._package(operand)
        if package is not None:
            return package.roughly(method)
        owner = self._typed(operand)
        return owner[0].method(owner[1], method) if owner is not None else REAL

    def _package(self, operand: Node | None) -> "Bodies | None":
        """The package of this repository that an operand names."""
        if operand is None or operand.type != "identifier" or text(operand) in self._values:
            return None
        return self._bodies.elsewhere(self._file, text(operand))

    def _typed(self, node: Node | None) -> "tuple[Bodies, str] | None":
        """The package and the name of an expression's type, where syntax alone tells them."""
        if node is None:
            return None
        match node.type:
            case "identifier":
                written = self._types.get(text(node))
                return self._bodies.typed(self._file, written) if written is not None else None
            case "parenthesized_expression":
                return self._typed(node.named_children[0]) if node.named_children else None
            case "unary_expression":
                return self._typed(node.child_by_field_name("operand"))
            case "composite_literal":
                return self._bodies.typed(self._file, text(node.child_by_field_name("type")))
            case "selector_expression":
                owner = self._typed(node.child_by_field_name("operand"))
                return owner[0].field(owner[1], text(node.child_by_field_name("field"))) if owner is not None else None
            case _:
                return None

    def _says(self, node: Node) -> bool:
        """Whether a text in the expression says "not supported", or an error text is joined with runtime.GOOS."""
        source = text(node)
        strings = " ".join([*(text(s) for s in literals(node)), *(self._bodies.says(n) for n in identifiers(node))])
        return bool(SAYS_UNSUPPORTED.search(strings)) or ("runtime.GOOS" in source and bool(strings.strip()))

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
                return self._selected(node)
            case "composite_literal":
                return self._composite(node)
            case "unary_expression":
                return self._unary(node)
            case "parenthesized_expression":
                return self.value(node.named_children[0])
            case "func_literal":
                outcome = Ways(self._bodies, self._file, node, self).body(briefly=True).outcome
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
        if NAMES_UNSUPPORTED.search(name):
            return Outcome.ERROR
        return self._bodies.value(name)

    def _selected(self, node: Node) -> Outcome:
        field = text(node.child_by_field_name("field"))
        if NAMES_UNSUPPORTED.search(field):
            return Outcome.ERROR
        package = self._package(node.child_by_field_name("operand"))
        return package.value(field) if package is not None else Outcome.REAL

    def _refuses(self, written: str, converted: Node | None = None) -> bool:
        """Whether a type, as it is written here, is that of an error that says "not supported", or is made of such a text."""
        if NAMES_UNSUPPORTED.search(written):
            return True
        owner = self._bodies.typed(self._file, written)
        if owner is None:
            return False
        bodies, name = owner
        return bodies.refuses(name) or (converted is not None and bodies.is_error(name) and self._says(converted))

    def _unary(self, node: Node) -> Outcome:
        source = text(node)
        operand = node.child_by_field_name("operand")
        if source == "-1":  # the fixed "not found"
            return Outcome.ZERO
        if operand is not None and operand.type == "composite_literal" and source.startswith("&"):
            outcome = self.value(operand)
            made = text(operand.child_by_field_name("type"))
            return Outcome.REAL if outcome is Outcome.ZERO and self._chooses_type(made) else outcome
        if operand is not None and source.startswith(("&", "*")):
            return self.value(operand)
        return Outcome.REAL

    def _chooses_type(self, made: str) -> bool:
        """Whether an empty value stands for an interface: its type is the answer, unless that type does nothing."""
        if not self._results or f"*{made}" in self._results:
            return False
        owner = self._bodies.typed(self._file, made)
        return owner is None or not owner[0].does_nothing(owner[1])

    def _composite(self, node: Node) -> Outcome:
        if self._refuses(text(node.child_by_field_name("type"))) or self._says(node):
            return Outcome.ERROR
        body = node.child_by_field_name("body")
        elements = [e for e in body.named_children if e.type != "comment"] if body else []
        values = [element(e) for e in elements if e.named_children]
        # An argument that is kept in something new is not handed back unchanged.
        kept = any(v is not None and v.type == "identifier" and text(v) in self._arguments for v in values)
        worths = {self.value(v) if v is not None else Outcome.REAL for v in values}
        if Outcome.ERROR in worths:
            return Outcome.ERROR
        if kept:
            return Outcome.REAL
        return Outcome.ZERO if worths <= {Outcome.ZERO} else Outcome.REAL

    def _call_value(self, node: Node) -> Outcome:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        name = text(function)
        values = [a for a in arguments.named_children if a.type != "comment"] if arguments else []
        if name in {"make", "new"}:
            return Outcome.ZERO
        if len(values) == 1 and self._converts(function):
            return Outcome.ERROR if self._refuses(name.strip("()*"), values[0]) else self.value(values[0])
        outcome = self._callee(node).outcome
        if outcome is not Outcome.REAL:
            return Outcome.ZERO if outcome is Outcome.NOOP else outcome
        if name in _ASKS or not self._can_refuse:
            return Outcome.REAL
        if NAMES_UNSUPPORTED.search(name.rpartition(".")[2]) or (MAKES_ERROR.search(name) and self._says(node)):
            return Outcome.ERROR
        # A sentinel that is wrapped.
        return Outcome.ERROR if any(self.value(v) is Outcome.ERROR for v in values) else Outcome.REAL

    def _converts(self, function: Node | None) -> bool:
        """Whether a call is a conversion to a type."""
        if function is None:
            return False
        name = text(function)
        if function.type == "parenthesized_expression":
            return name.startswith("(*")
        if function.type == "identifier":
            return bool(_BASIC_TYPES.match(name)) or self._bodies.is_type(name)
        return name in _CONVERSIONS or self._bodies.typed(self._file, name) is not None

    @property
    def _can_refuse(self) -> bool:
        """Whether some result can hold an error; a predicate or a text cannot."""
        return not self._results or any(r == "error" or not _BASIC_TYPES.match(r) for r in self._results)
