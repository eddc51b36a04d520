"""Which functions the target ever comes to: not those that are only called behind a refusal or an early return."""

import re
from collections.abc import Iterable, Sequence

from tree_sitter import Node

from analyzer import syntax
from analyzer.branches import reached
from analyzer.conditions import Scope
from analyzer.effects import leaves, one_line
from analyzer.model import Stub
from analyzer.parity import View
from analyzer.symbols import GoFile, Package, Symbol
from analyzer.syntax import text


class Reach:
    """The calls of one revision's packages, as far as the target comes to them. A name is taken for a call of it.

    Args:
        views: the packages that are held.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views
        self._known: dict[tuple[str, str], bool] = {}
        self._asked: set[tuple[str, str]] = set()
        self._read: dict[tuple[str, bool, bool], list[str]] = {}

    def reached(self, view: View, name: str) -> bool:
        """Whether the target may come to a function. What the package itself never names is called from elsewhere."""
        key = view.package.dir, name
        if key not in self._known:
            self._asked.add(key)
            self._known[key] = self._look(view, name)
            self._asked.remove(key)
        return self._known[key]

    def _look(self, view: View, name: str) -> bool:
        receiver, _, bare = name.rpartition(".")
        package = view.package
        if bare[:1].isupper() and not receiver:
            return True  # other packages call it, and not all of them are held
        # A method stands behind a dot, and a function of the package itself does not.
        behind = re.compile(rf"\.\s*{re.escape(bare)}\b")
        word = _of_values(bare, _sources(package)) if receiver else re.compile(rf"(?<![.\w]){re.escape(bare)}\b")
        callers = [s for s in _naming(package, name, word) if (package.dir, s.name) not in self._asked]
        if self._named_outside(package, re.compile(rf"\b{re.escape(bare)}\b")):
            return True
        others = (v.package for v in self._views if v is not view) if bare[:1].isupper() else ()
        if any(behind.search(code) for other in others for code in self._code(other)):
            return True
        if not callers:
            return not view.shared(name) or not any(word.search(code) for code in self._code(package, target=False))
        return any(_comes_to(s, word, view.scopes[0]) and self.reached(view, s.name) for s in callers)

    def asked_for(self, view: View, name: str) -> bool:
        """Whether the target comes to something that names a function, or nothing does as yet; else it is the others' own."""
        mine, theirs = self.named(view, name)
        return (mine and self._come_to(view, name)) or not (mine or theirs)

    def _come_to(self, view: View, name: str) -> bool:
        """Whether what names a function on the target does so where the target comes: not in a branch of the others."""
        imported = _import_of(view, name)
        for other, word in zip(self._views, self._words(view, name), strict=True):
            package = other.package
            if other is not view and not any(imported in code for code in self._code(package)):
                continue
            callers = _naming(package, name, word)
            if any(_comes_to(s, word, other.scopes[0]) for s in callers) or self._named_outside(package, word):
                return True
        return False

    def _words(self, view: View, name: str) -> list[re.Pattern[str]]:
        """How each package names a function or a type. A method of that name is not what an import has under the same name."""
        receiver, _, bare = name.rpartition(".")
        behind, own = re.compile(rf"\.\s*{re.escape(bare)}\b"), re.compile(rf"(?<![.\w]){re.escape(bare)}\b")
        return [
            _of_values(bare, other.package.files.values()) if receiver else behind if other is not view else own
            for other in self._views
        ]

    def named(self, view: View, name: str, apart: str = "") -> tuple[bool, bool]:
        """Whether something that the target builds names a function or a type, and whether other code does.

        Args:
            view: the package.
            name: the function or the type.
            apart: a file that does not count.
        """
        bare = name.rpartition(".")[2]
        there = self._words(view, name)
        itself = [s for s in (view.package.target.get(name), view.package.reference.get(name)) if s is not None]
        declared = [one_line(s.source.decode(errors="replace")) for s in itself]
        gone = [
            one_line(f.source.content.decode(errors="replace")) for f in view.package.files.values() if f.path == apart
        ]
        imported = _import_of(view, name)
        sides = [
            any(
                word.search(_without(declared, code))
                for word, other in zip(there, self._views, strict=True)
                for code in self._code(other.package, target=target, tests=not target)
                if bare in code and code not in gone and (other is view or imported in code)
            )
            for target in (True, False)
        ]
        return sides[0], sides[1]

    def _named_outside(self, package: Package, word: re.Pattern[str]) -> bool:
        """Whether something other than a function names it: an interface, a variable, an ``init``."""
        within = sum(len(word.findall(one_line(s.source.decode(errors="replace")))) for s in _functions(package))
        return sum(len(word.findall(code)) for code in self._code(package)) > within

    def _code(self, package: Package, *, target: bool = True, tests: bool = False) -> list[str]:
        """What the target builds of a package, or else what only the reference does; read once for all that is asked."""
        key = package.dir, target, tests
        if key not in self._read:
            self._read[key] = [
                one_line(file.source.content.decode(errors="replace"))
                for file in package.files.values()
                if file.on_target is target and (target or file.on_reference) and (tests or not file.is_test)
            ]
        return self._read[key]


def refuses_in_the_end(symbol: Symbol, view: View) -> bool:
    """Whether a function always comes to a call that refuses on the target, whatever it looks up before.

    Args:
        symbol: a function of the target.
        view: its package.
    """
    statements = syntax.body_statements(symbol.source)
    refusing = {
        name.rpartition(".")[2]
        for name, other in view.package.target.items()
        if other.declaration.is_function
        and (body := view.body(name)) is not None
        and body.stub in {Stub.ERROR, Stub.PANIC}
    }
    return any(_called(node) in refusing for node in statements)


def _called(statement: Node) -> str:
    """The bare name of what a statement calls to hand on its error: ``return f()``, ``if err := f(); err != nil {…}``."""
    if statement.type == "if_statement":
        start = statement.child_by_field_name("initializer")
        asked = one_line(text(statement.child_by_field_name("condition")))
        if (
            start is None
            or asked != "err != nil"
            or not leaves(list(syntax.statements(statement.child_by_field_name("consequence"))))
        ):
            return ""
        values = start.child_by_field_name("right")
    else:
        values = (
            statement.named_children[0] if statement.type == "return_statement" and statement.named_children else None
        )
    call = values.named_children[0] if values is not None and len(values.named_children) == 1 else None
    if call is None or call.type != "call_expression":
        return ""
    return text(call.child_by_field_name("function")).rpartition(".")[2]


def _without(parts: Sequence[str], code: str) -> str:
    for part in parts:
        code = code.replace(part, "")
    return code


def _sources(package: Package) -> list[GoFile]:
    return [f for f in package.files.values() if not f.is_test]


def _of_values(method: str, files: Iterable[GoFile]) -> re.Pattern[str]:
    """A method's name behind a value: not behind the name of what some file imports, where it is that package's own."""
    imported = {i.name or i.path.rpartition("/")[2] for f in files for i in f.facts.imports}
    names = "|".join(sorted(map(re.escape, imported - {"", ".", "_"}))) or r"\Z"
    return re.compile(rf"(?:[)\]}}]|(?<=\.)\w+|\b(?!(?:{names})\b)\w+)\s*\.\s*{re.escape(method)}\b")


def _functions(package: Package) -> list[Symbol]:
    return [s for s in package.target.values() if s.declaration.is_function]


def _import_of(view: View, name: str) -> str:
    """What the code of another package must say to mean a function; "" for a method, which an interface may stand for."""
    return f'/{view.package.dir}"' if view.package.dir != "." and "." not in name else ""


def _naming(package: Package, name: str, word: re.Pattern[str]) -> list[Symbol]:
    """The functions of a package that name another one."""
    bare = name.rpartition(".")[2].encode()
    functions = (s for s in _functions(package) if s.name != name and bare in s.source)
    return [s for s in functions if word.search(one_line(_body(s)))]


def _body(symbol: Symbol) -> str:
    """A function without its own name."""
    return symbol.source.decode(errors="replace").partition("(")[2]


def _comes_to(symbol: Symbol, word: re.Pattern[str], scope: Scope) -> bool:
    """Whether a function names something where the target comes to it."""
    statements = syntax.body_statements(symbol.source)
    try:
        return any(word.search(one_line(text(node))) for node in reached(statements, scope))
    except RecursionError:
        return True
