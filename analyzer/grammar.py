"""Go source to a syntax tree, and where it stops being Go: what tree-sitter-go takes and Go does not, and the reverse."""

import re
from itertools import pairwise

import tree_sitter_go
from tree_sitter import Language, Node, Parser, Tree

GO = Language(tree_sitter_go.language())

# What tree-sitter-go 0.25 cannot read yet: a method with type parameters (Go 1.27) and new of a value (Go 1.26).
_GENERIC_METHOD = re.compile(
    rb"(?:^|;)[ \t]*func[ \t]*\((?:[^()]|\([^()]*\))*+\)[ \t]*[\w\x80-\xff]+[ \t]*(?=\[)", re.MULTILINE
)
_BRACKET = re.compile(rb"[\[\]]")
_NOT_A_LINE_END = re.compile(rb"[^\n]")
_NEW_OF_VALUE = re.compile(
    rb"(?<![\w.])(?<!func )new(?=\(\s*(?:[0-9\"'`&!^+-]|<-"
    rb"|(?!(?:func|chan|struct|interface)\b)[\w.\[\]*]+\s*(?:[({+/%|&^<>=!*-]|\[\s*[0-9\"])))"
)
# A name that nobody has: a call of it is a call of something unknown.
_NEW_AS_A_CALL = b"neW"

SPECS = frozenset({"const_spec", "var_spec", "type_spec", "type_alias"})
# What holds things that a line end or a semicolon separates.
_LISTS = frozenset(
    {
        "source_file",
        "const_declaration",
        "type_declaration",
        "var_spec_list",
        "import_spec_list",
        "statement_list",
        "field_declaration_list",
        "interface_type",
    }
)
_DECLARATIONS = frozenset(
    {
        "comment",
        "import_declaration",
        "function_declaration",
        "method_declaration",
        "type_declaration",
        "const_declaration",
        "var_declaration",
    }
)


def parse(source: bytes) -> Tree:
    """The syntax tree of Go source. Malformed source gives a tree with error nodes, never an exception.

    Offsets and lines are those of the source. In the text of the tree, type parameters of methods are blank.
    """
    tree = Parser(GO).parse(source)
    if not tree.root_node.has_error:
        return tree
    amended = _without_method_parameters(_NEW_OF_VALUE.sub(_NEW_AS_A_CALL, source))
    return tree if amended == source else Parser(GO).parse(amended)


def _without_method_parameters(source: bytes) -> bytes:
    pieces, done = [], 0
    for match in _GENERIC_METHOD.finditer(source):
        if match.end() < done:
            continue
        end = _closing(source, match.end())
        if end is None:
            break
        pieces += [source[done : match.end()], _NOT_A_LINE_END.sub(b" ", source[match.end() : end])]
        done = end
    return b"".join([*pieces, source[done:]])


def _closing(source: bytes, start: int) -> int | None:
    """The offset behind the bracket that closes the one at the start."""
    depth = 0
    for match in _BRACKET.finditer(source, start):
        depth += 1 if match[0] == b"[" else -1
        if depth == 0:
            return match.end()
    return None


def broken_line(root: Node) -> int | None:
    """The first line of a file that is not Go; None when all of it parses."""
    return min((line for line in (_misplaced(root), _first_error(root)) if line is not None), default=None)


def _misplaced(root: Node) -> int | None:
    """The line of the first node that has no place there: the grammar reads pieces of a file too."""
    expected = frozenset({"comment", "package_clause"})
    for node in root.named_children:
        if node.is_error:
            return None
        if node.type not in expected:
            return node.start_point.row + 1
        if node.type == "package_clause":
            expected = _DECLARATIONS
        elif node.type not in {"comment", "import_declaration"}:
            expected = _DECLARATIONS - {"import_declaration"}
    return root.end_point.row + 1 if "package_clause" in expected else None


def _first_error(root: Node) -> int | None:
    """The line of the first error node. Only subtrees with errors are entered; their depth costs no stack."""
    work = [root] if root.has_error else []
    while work:
        node = work.pop()
        if (node.is_error and node.parent is not None) or node.is_missing:
            return node.start_point.row + 1
        children = node.children
        wrong = [at for at, child in enumerate(children) if child.has_error or child.is_missing]
        if not wrong and (line := _lacks_separator(node)) is not None:
            return line
        work += [children[at] for at in reversed(wrong) if not _harmless(children, at)]
    return root.end_point.row + 1 if root.is_error else None


def _lacks_separator(node: Node) -> int | None:
    """The line of two things that nothing separates.

    A line end that the parser missed leaves no node, only the mark that something is wrong. Go needs none before a
    closing parenthesis and at the end of the file.
    """
    if node.type not in _LISTS:
        return None
    source = node.text or b""
    for before, after in pairwise(child for child in node.named_children if child.type != "comment"):
        between = source[before.end_byte - node.start_byte : after.start_byte - node.start_byte]
        if b";" not in between and b"\n" not in between:
            return after.start_point.row + 1
    return None


def _harmless(siblings: list[Node], at: int) -> bool:
    """Whether an error only wraps the last thing of a group on one line, which lacks the line end that Go does not need."""
    node = siblings[at]
    if not node.is_error or node.child_count != 1 or node.children[0].type not in SPECS:
        return False
    after = at + 1
    while after < len(siblings) and siblings[after].type == "comment":
        after += 1
    return after < len(siblings) and siblings[after].type == ")"
