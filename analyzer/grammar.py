"""Go source to a syntax tree, and where it stops being Go: what tree-sitter-go takes and Go does not, and the reverse."""

import re

import tree_sitter_go
from tree_sitter import Language, Node, Parser, Tree

GO = Language(tree_sitter_go.language())

# What tree-sitter-go 0.25 cannot read yet: a method with type parameters (Go 1.27) and new of a value (Go 1.26).
_GENERIC_METHOD = re.compile(rb"(?:^|;)[ \t]*func[ \t]*\((?:[^()]|\([^()]*\))*+\)[ \t]*[\w\x80-\xff]+[ \t]*(?=\[)", re.MULTILINE)
_BRACKET = re.compile(rb"[\[\]]")
_NOT_A_LINE_END = re.compile(rb"[^\n]")
_NEW_OF_VALUE = re.compile(
    rb"(?<![\w.])(?<!func )new(?=\(\s*(?:[0-9\"'`&!^+-]|<-"
    rb"|(?!(?:func|chan|struct|interface)\b)[\w.\[\]*]+\s*(?:[({+/%|&^<>=!*-]|\[\s*[0-9\"])))"
)
# A name that nobody has: a call of it is a call of something unknown.
_NEW_AS_A_CALL = b"neW"

SPECS = frozenset({"const_spec", "var_spec", "type_spec", "type_alias"})
_LINE_END = "source_file_token1"
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
        if (node.is_error and node is not root) or node.is_missing:
            return node.start_point.row + 1
        children = node.children
        work += [
            child
            for at, child in reversed([*enumerate(children)])
            if (child.has_error or child.is_missing) and not _harmless(child, _after(children, at), top=node is root)
        ]
    return root.end_point.row + 1 if root.is_error else None


def _after(siblings: list[Node], at: int) -> Node | None:
    return next((node for node in siblings[at + 1 : at + 3] if node.type != "comment"), None)


def _harmless(node: Node, after: Node | None, *, top: bool) -> bool:
    """Whether Go reads what the grammar stumbles over: no line end before a closing parenthesis or the file's end."""
    if not (after is None if top else after is not None and after.type == ")"):
        return False
    if node.is_missing:
        return node.type == _LINE_END
    return node.is_error and node.child_count == 1 and node.children[0].type in SPECS
