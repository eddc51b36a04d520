"""What a condition is worth on a platform: no, maybe or yes. Knows runtime.GOOS and whatever is derived from it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cached_property

from tree_sitter import Node

from analyzer import syntax
from analyzer.model import Platform
from analyzer.platforms import KNOWN_GOOS, UNIX_GOOS
from analyzer.symbols import Symbol
from analyzer.syntax import text

# Fields and functions that hold the name of a system, when they are compared with the name of one.
_HOLDS_SYSTEM = re.compile(r"(?:^|_|[a-z.])(?:GOOS|OS|OSType|Platform)$|^(?:goos|os|osType|platform)$")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words that add nothing to the name of a system in the name of a predicate: isDaemonWindows, RunningOnWindows.
_FILLERS = frozenset(
    "is are on the a daemon daemons running runs run host client cli server engine for platform os".split()
)
# Behind the name of Windows they are an edition of it.
_EDITIONS = frozenset("client server".split())
_NEGATIONS = frozenset("not non no isnt un".split())
_USER = re.compile(r"^os\.Gete?[ug]id\(\)$")
_VERSION = re.compile(r"(?:KV|[vV]ersion|[bB]uild)$")
# Mechanisms that no test finds on Windows: their names in predicates, and as texts that something is compared with.
_LINUX_ONLY = frozenset(
    "apparmor aufs btrfs cgroup cgroups cgroupfs devicemapper overlay overlay2 seccomp selinux systemd userns zfs".split()
)
# A predicate that follows another one this deep is not followed any further.
MAX_DEPTH = 8


class Truth(IntEnum):
    """How sure it is that a condition holds, or that a line is reached."""

    NO = 0
    MAYBE = 1
    YES = 2

    def __invert__(self) -> "Truth":
        return Truth(2 - self)


class Scope:
    """The names of a package as one platform sees them, and what conditions that use them are worth there.

    Args:
        platform: the platform.
        names: the package's symbols there.
        tests: it is for tests.
        own: it is for code of this platform alone: that has no need to ask for its own system, but for another's.
    """

    def __init__(
        self, platform: Platform, names: Mapping[str, Symbol], *, tests: bool = False, own: bool = False
    ) -> None:
        self.platform = platform
        self.names = names
        self._tests = tests
        self._own = own
        self._known: dict[str, Truth | str | None] = {}
        self._saying: dict[tuple[bytes, ...], frozenset[bytes]] = {}

    def predicate(self, method: str) -> str:
        """The full name of the package's own method that answers a question, by its bare name; "" for none, or several."""
        return self._methods.get(method, "")

    @cached_property
    def _methods(self) -> Mapping[str, str]:
        """The package's own predicates that only one of its types has, by their bare names."""
        methods = [(name.rpartition(".")[2], name) for name, symbol in self.names.items() if is_own_predicate(symbol)]
        count = Counter(bare for bare, _ in methods)
        return {bare: name for bare, name in methods if count[bare] == 1}

    def saying(self, words: tuple[bytes, ...]) -> frozenset[bytes]:
        """The names of the functions in whose text one of some words occurs."""
        if words not in self._saying:
            self._saying[words] = frozenset(
                name.encode()
                for name, symbol in self.names.items()
                if symbol.declaration.is_function and any(word in symbol.source for word in words)
            )
        return self._saying[words]

    def truth(self, node: Node | None, local: Mapping[str, Node] | None = None, depth: int = 0) -> Truth:
        """What a condition is worth.

        Args:
            node: an expression.
            local: what local variables were set to, where that is known; a parameter's name stands for its declaration,
                where nobody knows what it is given.
            depth: how many names were followed to come here.
        """
        if node is None or depth > MAX_DEPTH:
            return Truth.MAYBE
        match node.type:
            case "true":
                return Truth.YES
            case "false":
                return Truth.NO
            case "parenthesized_expression":
                return self.truth(_only(node), local, depth)
            case "unary_expression" if text(node.child_by_field_name("operator")) == "!":
                return ~self.truth(node.child_by_field_name("operand"), local, depth)
            case "binary_expression":
                return self._binary(node, local, depth)
            case "identifier":
                return self._name(node, local, depth)
            case "selector_expression" | "call_expression" if _is_given(node, local):
                return Truth.MAYBE
            case "selector_expression":
                return self.named(text(node.child_by_field_name("field")), whole=text(node))
            case "call_expression":
                return self._call(node, local, depth)
            case _:
                return Truth.MAYBE

    def asks_version(self, node: Node | None) -> bool:
        """Whether a condition of a test holds only from some version on."""
        if node is None:
            return False
        left, operator = node.child_by_field_name("left"), text(node.child_by_field_name("operator"))
        if operator == "&&":
            return any(self.asks_version(side) for side in node.named_children)
        return self._newer(left, operator) is Truth.YES

    def matches(self, value: Node | None, cases: Sequence[Node], local: Mapping[str, Node] | None = None) -> Truth:
        """What ``switch value { case cases: }`` is worth; without a value the cases are conditions."""
        if value is None:
            return max((self.truth(case, local) for case in cases), default=Truth.NO)
        return max((self._equal(value, case, local, 0) for case in cases), default=Truth.NO)

    def chosen(self, value: Node | None, arms: Sequence[Node], local: Mapping[str, Node]) -> int | None:
        """The number of the arm of a switch that the platform takes: -1 for none, None when it is not sure."""
        default = -1
        for number, arm in enumerate(arms):
            if arm.type == "default_case":
                default = number
                continue
            cases = arm.child_by_field_name("value")
            worth = self.matches(value, cases.named_children if cases is not None else [], local)
            if worth is Truth.YES:
                return number
            if worth is Truth.MAYBE:
                return None
        return default

    def _binary(self, node: Node, local: Mapping[str, Node] | None, depth: int) -> Truth:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        match text(node.child_by_field_name("operator")):
            case "&&":
                return min(self.truth(left, local, depth + 1), self.truth(right, local, depth + 1))
            case "||":
                return max(self.truth(left, local, depth + 1), self.truth(right, local, depth + 1))
            case "==":
                return self._equal(left, right, local, depth)
            case "!=":
                return ~self._equal(left, right, local, depth)
            case operator:
                return max(self._user(left, operator, right), self._newer(left, operator))

    @property
    def _lacks_linux(self) -> bool:
        return self._tests and self.platform.goos == "windows"

    def _newer(self, left: Node | None, operator: str) -> Truth:
        """In tests, "from this version on" is what counts: the versions before it are passing away."""
        newer = self._tests and operator in {">", ">="} and left is not None and _VERSION.search(_last_name(left))
        return Truth.YES if newer else Truth.NO

    def _user(self, left: Node | None, operator: str, right: Node | None) -> Truth:
        """In tests, ``os.Getuid() != 0`` asks for root: on Windows the answer is always -1 (os, "Getuid")."""
        if not self._tests or self.platform.goos != "windows" or left is None or right is None:
            return Truth.MAYBE
        if not _USER.match(text(left)) or right.type != "int_literal" or not text(right).isdigit():
            return Truth.MAYBE
        return Truth.YES if operator in {"<", "<="} else Truth.NO

    def _equal(self, left: Node | None, right: Node | None, local: Mapping[str, Node] | None, depth: int) -> Truth:
        if left is not None and right is not None and text(left) == "runtime.GOARCH":
            return Truth.YES if text(right)[1:-1] == self.platform.goarch else Truth.NO
        if left is not None and _USER.match(text(left)):
            return self._user(left, "==", right)
        if self._lacks_linux and any(n is not None and text(n)[1:-1] in _LINUX_ONLY for n in (left, right)):
            return Truth.NO
        for one, other in ((left, right), (right, left)):
            if one is None or other is None:
                continue
            if one.type in {"true", "false"}:
                worth = self.truth(other, local, depth + 1)
                return worth if one.type == "true" else ~worth
            system = _system(self, one, local, depth)
            if system is not None and system.lower() in KNOWN_GOOS:
                mine = _system(self, other, local, depth)
                if mine is not None:
                    return Truth.YES if mine.lower() == system.lower() else Truth.NO
                if not (self._own or _is_given(other, local)) and _HOLDS_SYSTEM.search(_last_name(other)):
                    return Truth.YES if system.lower() == self.platform.goos else Truth.NO
        return Truth.MAYBE

    def _name(self, node: Node, local: Mapping[str, Node] | None, depth: int) -> Truth:
        name = text(node)
        if local is not None and name in local:
            return self.truth(local[name], local, depth + 1)
        worth = self._package_level(name, depth)
        return worth if isinstance(worth, Truth) else self.named(name)

    def _call(self, node: Node, local: Mapping[str, Node] | None, depth: int) -> Truth:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None:
            return Truth.MAYBE
        given = arguments.named_children if arguments else []
        name = text(function)
        own = name if function.type == "identifier" else self.predicate(_last_name(function))
        if own in self.names and (own == name or not given):
            worth = self._package_level(own, depth)
            if isinstance(worth, Truth):
                return worth
        if name in {"strings.EqualFold", "strings.Contains", "strings.HasPrefix"} and len(given) == 2:
            return self._equal(given[0], given[1], local, depth)
        return self.named(_last_name(function), whole=name) if not given else Truth.MAYBE

    def _package_level(self, name: str, depth: int) -> Truth | str | None:
        """What a constant, a variable or a function of the package is worth: a truth, the name of a system, or None."""
        if name not in self._known:
            self._known[name] = None
            if name in self.names:
                self._known[name] = self._initial(self.names[name], depth)
        return self._known[name]

    def _initial(self, symbol: Symbol, depth: int) -> Truth | str | None:
        if symbol.declaration.kind in {"const", "var"}:
            value = syntax.initial_value(symbol.source, symbol.name)
        elif symbol.declaration.is_function:
            statements = syntax.body_statements(symbol.source)
            if len(statements) > 1:
                worth = self._answer(statements, depth + 1)
                return worth if worth is not Truth.MAYBE else None
            value = _result(statements[0]) if statements else None
        else:
            return None
        if value is None:
            return None
        system = _system(self, value, None, depth + 1)
        if system is not None:
            return system
        worth = self.truth(value, None, depth + 1)
        # A variable that starts as true or false may be changed by a flag; a constant may not.
        constant = symbol.declaration.kind != "var" or value.type not in {"true", "false"}
        return worth if worth is not Truth.MAYBE and constant else None

    def _answer(self, statements: Sequence[Node], depth: int) -> Truth:
        """What a predicate that is nothing but choices answers: ``if condition { return one }; return another``."""
        if not statements or depth > MAX_DEPTH:
            return Truth.MAYBE
        first, rest = statements[0], statements[1:]
        if first.type == "return_statement":
            return self.truth(_result(first), None, depth + 1)
        if first.type != "if_statement" or first.child_by_field_name("initializer") is not None:
            return Truth.MAYBE
        other = first.child_by_field_name("alternative")
        if other is not None:
            rest = [other] if other.type == "if_statement" else list(syntax.statements(other))
        yes = self._answer(list(syntax.statements(first.child_by_field_name("consequence"))), depth + 1)
        no = self._answer(rest, depth + 1)
        condition = self.truth(first.child_by_field_name("condition"), None, depth + 1)
        if condition is Truth.MAYBE:
            return yes if yes is no else Truth.MAYBE
        return yes if condition is Truth.YES else no

    def named(self, name: str, whole: str = "") -> Truth:
        """What the name of a predicate says: ``isWindows`` is sure, ``windowsContainerd`` is possible on Windows only."""
        words = [word.lower() for word in _WORD.findall(name)]
        joined = "".join(words)
        if joined.endswith("hyperv") or ("isolation" in whole.lower() and joined == "isprocess"):
            return Truth.MAYBE if self.platform.goos == "windows" else Truth.NO
        if self._lacks_linux and not _LINUX_ONLY.isdisjoint(words):
            return Truth.YES if not _NEGATIONS.isdisjoint(words) else Truth.NO
        systems = [word for word in words if word in KNOWN_GOOS or word == "unix"]
        if len(systems) != 1 or name.isupper():
            return Truth.MAYBE
        here = self.platform.goos in (UNIX_GOOS if systems[0] == "unix" else {systems[0]})
        behind = words[words.index(systems[0]) + 1 :][:1] if systems[0] == "windows" else []
        rest = [word for word in words if word not in _FILLERS - _EDITIONS.intersection(behind) and word != systems[0]]
        if rest and set(rest) <= _NEGATIONS:
            return Truth.NO if here else Truth.YES
        if rest:
            sure_not = not here and words[0] in {"is", "runtime", "running", "has"}
            return Truth.NO if sure_not else Truth.MAYBE
        return Truth.YES if here else Truth.NO


def is_own_predicate(symbol: Symbol) -> bool:
    """Whether a declaration is a method that only its package can call, and that answers a question."""
    method = symbol.declaration.kind == "method" and not symbol.name.rpartition(".")[2][:1].isupper()
    return method and symbol.declaration.signature == "() (bool)"


def note(statement: Node, local: dict[str, Node]) -> None:
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


def _system(scope: Scope, node: Node, local: Mapping[str, Node] | None, depth: int) -> str | None:
    """The name of a system that an expression is known to be on the platform: a text, runtime.GOOS, or derived."""
    if depth > MAX_DEPTH:
        return None
    match node.type:
        case "interpreted_string_literal" | "raw_string_literal":
            return text(node)[1:-1]
        case "parenthesized_expression":
            inner = _only(node)
            return _system(scope, inner, local, depth + 1) if inner is not None else None
        case "selector_expression" if text(node) == "runtime.GOOS":
            return scope.platform.goos
        case "identifier":
            name = text(node)
            if local is not None and name in local:
                return _system(scope, local[name], local, depth + 1)
            worth = scope._package_level(name, depth)  # noqa: SLF001 - a function of this module
            return worth if isinstance(worth, str) else None
        case "call_expression":
            arguments = node.child_by_field_name("arguments")
            function = text(node.child_by_field_name("function"))
            given = arguments.named_children if arguments else []
            if function == "strings.ToLower" and len(given) == 1:
                return _system(scope, given[0], local, depth + 1)
            worth = scope._package_level(function, depth) if not given else None  # noqa: SLF001 - likewise
            return worth if isinstance(worth, str) else None
        case _:
            return None


def _is_given(node: Node, local: Mapping[str, Node] | None) -> bool:
    """Whether an expression is a parameter, or comes from one by way of fields and methods."""
    root: Node | None = node
    while root is not None and root.type in {"selector_expression", "call_expression", "parenthesized_expression"}:
        root = root.child_by_field_name("operand") or root.child_by_field_name("function") or _only(root)
    declared = local.get(text(root)) if local else None
    return declared is not None and declared.type == "parameter_declaration"


def _only(node: Node) -> Node | None:
    return node.named_children[0] if node.named_children else None


def _last_name(node: Node) -> str:
    match node.type:
        case "selector_expression":
            return text(node.child_by_field_name("field"))
        case "call_expression":
            function = node.child_by_field_name("function")
            return _last_name(function) if function is not None else ""
        case "identifier":
            return text(node)
        case _:
            return ""


def _result(statement: Node) -> Node | None:
    """The one expression that a statement returns."""
    values = _only(statement) if statement.type == "return_statement" else None
    return _only(values) if values is not None and len(values.named_children) == 1 else None
