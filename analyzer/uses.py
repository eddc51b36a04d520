"""Where a file uses a name, and what the name is there: looked up at the places that a byte search finds."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from functools import lru_cache

from tree_sitter import Node

from analyzer import syntax
from analyzer.symbols import GoFile
from analyzer.syntax import text

# Trees of this many files are kept: those of one package, which several questions are asked of.
CACHED_TREES = 64
# The words of this many files are kept: most are the same at base and at head.
CACHED_WORDS = 512

_WORD = re.compile(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*")
_BEFORE, _AFTER = rb"(?<![\w\x80-\xff])", rb"(?![\w\x80-\xff])"
_NAMES_BY_FIELD = frozenset(
    {
        "parameter_declaration",
        "variadic_parameter_declaration",
        "type_parameter_declaration",
        "const_spec",
        "var_spec",
        "type_spec",
        "type_alias",
        "function_declaration",
    }
)
# Statements that may declare what stands on their left. An assignment is taken for a declaration too: that is silent.
_DECLARES_LEFT = frozenset({"short_var_declaration", "range_clause", "receive_statement"})
_NAMES = frozenset({"identifier", "type_identifier"})


class Role(Enum):
    """What a name does at one place."""

    DECLARES = auto()
    REFERS = auto()
    OTHER = auto()


@lru_cache(maxsize=CACHED_WORDS)
def words(content: bytes) -> frozenset[str]:
    """Every word of a file, comments and texts included: what is not among them is not used."""
    return frozenset(word.decode(errors="replace") for word in set(_WORD.findall(content)))


def parsed(file: GoFile) -> "Uses":
    """The uses in a file. Equal content is parsed once."""
    return _parsed(file.source.content)


@lru_cache(maxsize=CACHED_TREES)
def _parsed(content: bytes) -> "Uses":
    return Uses(content)


class Uses:
    """The uses in one file.

    Attributes:
        root: its syntax tree.
        clear: whether all of it was read as it stands; else nothing is claimed about it.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.root = syntax.parse(content).root_node
        same = self.root.text == content[self.root.start_byte : self.root.end_byte]
        self.clear = same and not self.root.has_error

    def unqualified(self, name: str) -> Iterator[Node]:
        """Where the file refers to a name of its own package. A declaration that has a local one of it is left out."""
        by_top: dict[int, list[tuple[Node, Role]]] = defaultdict(list)
        for node in self.occurrences(name):
            by_top[top_level(node).id].append((node, role(node)))
        for found in by_top.values():
            if not any(what is Role.DECLARES for _, what in found):
                yield from (node for node, what in found if what is Role.REFERS)

    def qualified(self, qualifier: str, name: str) -> Iterator[Node]:
        """Where the file says ``qualifier.name`` and the qualifier is no local variable."""
        for node in self.occurrences(name):
            before = _qualifier(node)
            if before is not None and text(before) == qualifier and not self.declared(qualifier, top_level(node)):
                yield node

    def selected(self, name: str) -> Iterator[tuple[Node, Node]]:
        """Every ``operand.name``, as operand and name."""
        for node in self.occurrences(name):
            parent = node.parent
            if node.type == "field_identifier" and parent is not None and parent.type == "selector_expression":
                operand = parent.child_by_field_name("operand")
                if operand is not None and operand != node:
                    yield operand, node

    def declared(self, name: str, top: Node) -> list[Node]:
        """Where a declaration at package level declares a name for itself."""
        return [node for node in self.occurrences(name, top) if role(node) is Role.DECLARES]

    def occurrences(self, name: str, within: Node | None = None) -> Iterator[Node]:
        """The nodes that are the name."""
        where = within or self.root
        pattern = re.compile(_BEFORE + re.escape(name.encode()) + _AFTER)
        for match in pattern.finditer(self._content, where.start_byte, where.end_byte):
            node = where.descendant_for_byte_range(match.start(), match.end())
            if node is not None and (node.start_byte, node.end_byte) == match.span():
                yield node


def top_level(node: Node) -> Node:
    """The declaration at package level that a node is in."""
    while node.parent is not None and node.parent.parent is not None:
        node = node.parent
    return node


def role(node: Node) -> Role:
    """What a name does where it stands."""
    parent = node.parent
    if node.type not in _NAMES or parent is None:
        return Role.OTHER
    if parent.type in _NAMES_BY_FIELD and node in parent.children_by_field_name("name"):
        return Role.DECLARES
    if parent.type == "qualified_type" or _is_key(parent):
        return Role.OTHER
    if parent.type == "expression_list" and _declares_left(parent):
        return Role.DECLARES
    if parent.type == "type_elem" and _of_receiver(parent):
        return Role.DECLARES
    return Role.REFERS


def lines(nodes: Iterable[Node]) -> list[int]:
    """The lines of nodes, counted from 1."""
    return [node.start_point.row + 1 for node in nodes]


def _declares_left(names: Node) -> bool:
    statement = names.parent
    if statement is None:
        return False
    if statement.type in _DECLARES_LEFT:
        return statement.child_by_field_name("left") == names
    return statement.type == "type_switch_statement" and statement.child_by_field_name("alias") == names


def _is_key(element: Node) -> bool:
    """Whether it is the key of a literal: a field's name, or a value, which only the type could tell."""
    pair = element.parent
    return (
        element.type == "literal_element"
        and pair is not None
        and pair.type == "keyed_element"
        and pair.child_by_field_name("key") == element
    )


def _of_receiver(element: Node) -> bool:
    """Whether it is a type parameter in a receiver: ``func (l *List[T])`` declares T."""
    node: Node | None = element
    while node is not None and node.type in {"type_elem", "type_arguments", "generic_type", "pointer_type"}:
        node = node.parent
    if node is None or node.type != "parameter_declaration":
        return False
    parameters = node.parent
    method = parameters.parent if parameters is not None else None
    return method is not None and method.child_by_field_name("receiver") == parameters


def _qualifier(node: Node) -> Node | None:
    """What stands before the dot of a name; None where there is no dot."""
    parent = node.parent
    if parent is None:
        return None
    if parent.type == "selector_expression" and parent.child_by_field_name("field") == node:
        operand = parent.child_by_field_name("operand")
        return operand if operand is not None and operand.type == "identifier" else None
    if parent.type == "qualified_type" and parent.child_by_field_name("name") == node:
        return parent.child_by_field_name("package")
    return None


def selected(content: bytes, qualifier: str) -> frozenset[str]:
    """What a file says behind a qualifier and a dot, comments and texts included."""
    pattern = _BEFORE + re.escape(qualifier.encode()) + rb"\s*\.\s*([A-Za-z_\x80-\xff][\w\x80-\xff]*)"
    return frozenset(name.decode(errors="replace") for name in re.findall(pattern, content))
