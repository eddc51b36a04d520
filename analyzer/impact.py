"""From a function to what a user loses: the routes, commands and services that reach it on the target."""

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from analyzer import commands, reading, routes, services, starts
from analyzer.calls import Call, Calls
from analyzer.entries import Entry, Link, Root, shown
from analyzer.feeds import feeders
from analyzer.model import Options, Place, Snapshot
from analyzer.symbols import GoFile, Symbol, directory, packages

__all__ = ["Chain", "Entry", "Impact", "Link"]

_SELECTED = re.compile(rb"\.\s*([A-Za-z_]\w*)")
_BARE = re.compile(rb"(?<![.\w])[A-Za-z_]\w*")
# What stands before a name: a qualifier and its dot, or something else that is not of the same word.
_BEHIND = re.compile(rb"(?:(?<![\w.])(\w+)\.|(?<!\w))\Z")
MAX_QUALIFIER = 64

# In the order in which entries are told that are equally near.
FINDERS = (routes.find, services.find, commands.find, starts.find)

Ref = tuple[str, str]
"""A function: package and name."""


@dataclass(frozen=True, slots=True)
class Chain:
    """How an entry comes to a function.

    Attributes:
        entry: the entry.
        links: from the function that the entry begins with to the one that it comes to.
        sure: whether every link surely calls the next; else the entry only may come to it.
    """

    entry: Entry
    links: tuple[Link, ...]
    sure: bool


class Impact:
    """Who reaches which function of one revision on the target. What is asked for is read, and once.

    Args:
        snapshot: the revision, all of it.
        options: the platforms.
        other: of the same revision, with the platforms the other way round. What both platforms have it is asked for: it has
            read who comes there, and what only this one has is called by little else.
    """

    def __init__(self, snapshot: Snapshot, options: Options | None = None, other: "Impact | None" = None) -> None:
        self._snapshot = snapshot
        self._options = options or Options()
        self._other = other
        self._callers: dict[Ref, list[tuple[Ref, Call]]] = {}
        self._feeds: dict[str, Mapping[str, list[tuple[str, int]]]] = {}
        self._holders: dict[Ref, frozenset[str]] = {}

    @cached_property
    def calls(self) -> Calls:
        """The calls of all functions."""
        return Calls(packages(self._snapshot, self._options, reading.of_a_table), self._options)

    @cached_property
    def roots(self) -> Mapping[Ref, list[Root]]:
        """By function, the entries that begin with it."""
        found: dict[Ref, dict[Root, None]] = defaultdict(dict)
        for finder in FINDERS:
            for root in finder(self.calls):
                found[root.where, root.name][root] = None
        return {ref: [*roots] for ref, roots in found.items()}

    @cached_property
    def _mentions(self) -> Mapping[str, list[Ref]]:
        """By the bare name of a function, the functions that may name it: behind a dot, or within its package."""
        functions = self.calls.functions
        behind = {name.rpartition(".")[2].encode() for _, name in functions if "." in name or name[:1].isupper()}
        own: dict[str, set[bytes]] = defaultdict(set)
        for where, name in functions:
            if "." not in name:
                own[where].add(name.encode())
        found: dict[str, list[Ref]] = defaultdict(list)
        for ref, symbol in functions.items():
            near = own[ref[0]]
            # A dot before a line end may end a comment, or begin a selector.
            said = behind.intersection(_SELECTED.findall(symbol.source))
            said |= near.intersection(_BARE.findall(symbol.source))
            for word in said:
                found[word.decode()].append(ref)
        return found

    def entries(self, where: str, name: str) -> tuple[Chain, ...]:
        """Every entry that reaches a function on the target: those that surely do, then those that may; nearest first.

        The start of a program comes after what users ask for.

        What only may happen is looked at when nothing but the start of a program surely reaches it.

        Args:
            where: the directory of the package.
            name: ``Func`` or ``Recv.Method``.
        """
        if (where, name) not in self.calls.functions:
            return ()
        chains = [*self._search((where, name), sure=True)]
        if all(chain.entry.kind == "start" for chain in chains):
            known = {chain.entry for chain in chains}
            chains += (c for c in self._search((where, name), sure=False) if c.entry not in known)
        chains.sort(key=lambda chain: (not chain.sure, chain.entry.kind == "start"))
        return tuple(chains or self._exported((where, name)))

    def declared(self, path: str, symbol: str | None) -> list[Ref]:
        """The functions that the target builds of a package and have a name; without a name, those of a file.

        Args:
            path: a file of the package.
            symbol: ``Func`` or ``Recv.Method``, in whichever file it is; None for all that this file has.
        """
        if symbol is not None:
            ref = directory(path), symbol
            return [ref] if ref in self.calls.functions else []
        return [ref for ref, found in self.calls.functions.items() if found.file.path == path]

    def callers(self, where: str, name: str) -> tuple[Link, ...]:
        """The functions built on the target that call it, those that surely do first."""
        found = sorted(self._called_by((where, name)), key=lambda caller: not caller[1].sure)
        return tuple({caller: self.link(caller, call.line) for caller, call in reversed(found)}.values())[::-1]

    def named_by(self, name: str) -> int:
        """How many functions may name one of that name, in whichever package: so many are read to tell who calls it.

        Args:
            name: ``Func`` or ``Recv.Method``.
        """
        return len(self._mentions.get(name.rpartition(".")[2], ()))

    def is_dead(self, where: str, name: str) -> bool:
        """Whether no code that is built on the target calls or names it; when in doubt it is not dead.

        What another repository may import, or an interface of another one may ask for, is not, unless code of its own
        package that only the reference builds is all that names it.
        """
        ref = where, name
        symbol = self.calls.functions.get(ref)
        if symbol is None or self._called_by(ref) or ref in self.roots or name == "main" or name.startswith("init "):
            return False
        receiver, _, bare = name.rpartition(".")
        package = self.calls.packages[where]
        hidden = not bare[:1].isupper() or (bool(receiver) and not receiver[:1].isupper())
        if not hidden and _is_importable(symbol) and not receiver:
            return False
        word = re.compile((rb"\.\s*" if receiver else rb"(?<![\w])") + re.escape(bare.encode()) + rb"(?!\w)")
        near = [package] if hidden else [*self.calls.packages.values()]
        if any(f.on_target and _names(f, word, name) for p in near for f in p.files.values()):
            return False
        if not receiver or not bare[:1].isupper():
            return True
        others = (f for f in package.files.values() if f.on_reference and not f.on_target and not f.is_test)
        return not self.calls.kinds.asks_for(bare) and any(_names(f, word, name) for f in others)

    def reached(self, entry: Entry) -> Iterator[tuple[str, str, Chain]]:
        """What an entry comes to on the target, nearest first: package, function, and how."""
        roots = [root for found in self.roots.values() for root in found if root.entry == entry]
        seen: set[Ref] = set()
        for sure in (True, False):
            work: deque[tuple[Ref, tuple[Link, ...]]] = deque()
            begun: set[Ref] = set()
            for root in roots:
                ref = root.where, root.name
                if (root.sure or not sure) and ref not in begun:
                    begun.add(ref)
                    work.append((ref, root.lead))
            while work:
                ref, links = work.popleft()
                whole = (*links, self.link(ref))
                if ref not in seen and self._in_one_program(whole):
                    seen.add(ref)
                    yield *ref, Chain(entry, whole, sure)
                for call in self.calls.of(*ref) if sure else self._may_call(ref):
                    target = call.where, call.name
                    registers = (shown(*ref), call.line, target) in self._inline
                    if (call.sure or not sure) and target not in begun and not registers:
                        begun.add(target)
                        work.append((target, (*links, self.link(ref, call.line))))

    def all_entries(self) -> tuple[Entry, ...]:
        """Every entry of the revision."""
        return tuple(dict.fromkeys(root.entry for found in self.roots.values() for root in found))

    def _called_by(self, ref: Ref) -> list[tuple[Ref, Call]]:
        if ref not in self._callers:
            self._callers[ref] = [
                (caller, call)
                for caller in self._may_mean(ref)
                for call in self.calls.to(ref[1].rpartition(".")[2], *caller)
                if (call.where, call.name) == ref != caller
            ]
        return self._callers[ref]

    def _may_mean(self, ref: Ref) -> Iterator[Ref]:
        """The functions that name one like it and can mean it: reading what a function calls is dear."""
        where, name = ref
        receiver, _, bare = name.rpartition(".")
        for caller in self._mentions.get(bare, ()):
            if caller[0] == where:
                yield caller
            elif not bare[:1].isupper():
                continue
            elif not receiver:
                if where in self.calls.imports[caller[0]]:
                    yield caller
            elif self._can_have(caller[0], ref) and self._is_behind_a_value(
                self.calls.functions[caller], bare.encode()
            ):
                yield caller

    def _can_have(self, where: str, ref: Ref) -> bool:
        """Whether a package can have a value whose method it is: of that type, or of an interface that asks for one."""
        if ref not in self._holders:
            signature = self.calls.functions[ref].declaration.signature
            self._holders[ref] = frozenset({ref[0]}) | self.calls.kinds.askers(ref[1].rpartition(".")[2], signature)
        held = self._holders[ref]
        return where in held or not held.isdisjoint(self.calls.imported_by(where))

    def _is_behind_a_value(self, symbol: Symbol, bare: bytes) -> bool:
        """Whether a name stands somewhere else than behind the name of a package (``filepath.Join`` is no method)."""
        source = symbol.source
        for said in re.finditer(rb"%s\b" % bare, source):
            before = _BEHIND.search(source, max(0, said.start() - MAX_QUALIFIER), said.start())
            if before is None:  # the end of another name
                continue
            name = (before[1] or b"").decode(errors="replace")
            is_package = self.calls.kinds.foreign(symbol.file, name) or self.calls.world.imported(symbol.file, name)
            # Where it is declared anew no dot follows it.
            if not is_package or re.search(rb"\b%s\b(?!\.\w)" % before[1], source):
                return True
        return False

    @cached_property
    def _inline(self) -> frozenset[tuple[str, int, Ref]]:
        """What is written in place for an entry: who registers it does not do it, on that line, to that function."""
        return frozenset(
            (link.function, link.call.line, ref)
            for ref, found in self.roots.items()
            for root in found
            if root.entry.kind != "start"
            for link in root.lead
            if link.call is not None
        )

    def _turned(self, chain: Chain) -> Chain | None:
        """A chain of the other platform on this one, where functions that each has for itself call the same; else None."""
        links, sure = [*chain.links], chain.sure
        for at, link in enumerate(links[:-1]):
            if link.place not in self._places:
                ref, following = _ref(link), _ref(links[at + 1])
                calls = self.calls.to(following[1].rpartition(".")[2], *ref) if ref in self.calls.functions else ()
                call = next(
                    (c for c in sorted(calls, key=lambda c: not c.sure) if (c.where, c.name) == following), None
                )
                if call is None:
                    return None
                links[at], sure = self.link(ref, call.line), sure and call.sure
        return Chain(chain.entry, tuple(links), sure)

    @cached_property
    def _places(self) -> frozenset[Place]:
        """Where functions are that the target builds."""
        return frozenset(symbol.place for symbol in self.calls.functions.values())

    @cached_property
    def _programs(self) -> list[frozenset[str]]:
        """The packages of each program."""
        return [frozenset({where}) | self.calls.imported_by(where) for where in starts.mains(self.calls)]

    def _in_one_program(self, links: Sequence[Link]) -> bool:
        """Whether one program has all functions of a chain: what implements an interface may be another one's."""
        packages = {link.function.rpartition(":")[0] for link in links}
        first = links[0].function.rpartition(":")[0]
        mine = [program for program in self._programs if first in program]
        return not mine or any(packages <= program for program in mine)

    def _fed(self, where: str) -> Mapping[str, list[tuple[str, int]]]:
        """What runs in the background in a package, and which methods give it something to do, on which line."""
        if where not in self._feeds:
            functions = {n: s for n, s in self.calls.packages[where].target.items() if s.declaration.is_function}
            found = ((name, [*feeders(name, functions)]) for name in functions)
            self._feeds[where] = {name: given for name, given in found if given}
        return self._feeds[where]

    def _may_be_called_by(self, ref: Ref) -> Iterator[tuple[Ref, Call]]:
        """Its callers; of what runs in the background, those too that give it something to do."""
        yield from self._called_by(ref)
        for name, line in self._fed(ref[0]).get(ref[1], ()) if not self._is_called(ref) else ():
            yield (ref[0], name), Call(*ref, line, sure=False)

    def _may_call(self, ref: Ref) -> Iterator[Call]:
        """The reverse."""
        yield from self.calls.of(*ref)
        for name, given in self._fed(ref[0]).items():
            mine = [line for feeder, line in given if feeder == ref[1]]
            if mine and not self._is_called((ref[0], name)):
                yield from (Call(ref[0], name, line, sure=False) for line in mine)

    def _is_called(self, ref: Ref) -> bool:
        """Whether somebody surely calls it, so that it does not merely run in the background."""
        return any(call.sure for _, call in self._called_by(ref))

    def _search(self, target: Ref, *, sure: bool) -> Iterator[Chain]:
        """Every entry that comes to a function, nearest first."""
        after: dict[Ref, tuple[Ref, Call] | None] = {target: None}
        work = deque([target])
        told: set[Entry] = set()
        while work:
            ref = work.popleft()
            for root in self.roots.get(ref, ()):
                links = (*root.lead, *self._links(ref, after))
                if root.entry not in told and (root.sure or not sure) and self._in_one_program(links):
                    told.add(root.entry)
                    yield Chain(root.entry, links, sure)
            if self._other is not None and ref != target and ref in self._other.calls.functions:
                for known in self._other.entries(*ref):
                    chain = self._turned(known) if known.entry not in told and (known.sure or not sure) else None
                    if chain is not None and (chain.sure or not sure):
                        told.add(chain.entry)
                        yield Chain(chain.entry, (*chain.links[:-1], *self._links(ref, after)), sure)
                continue
            # Who hands a handler to the router does not call it.
            handed_on = any(root.entry.kind != "start" for root in self.roots.get(ref, ()))
            for caller, call in self._called_by(ref) if sure else self._may_be_called_by(ref):
                registers = (shown(*caller), call.line, ref) in self._inline
                if caller not in after and (call.sure or not (sure or handed_on)) and not registers:
                    after[caller] = ref, call
                    work.append(caller)

    def _exported(self, target: Ref) -> Iterator[Chain]:
        """The nearest functions that other repositories can call, where nothing is served: it is a library."""
        if any(entry.kind == "route" for entry in self.all_entries()):
            return
        after: dict[Ref, tuple[Ref, Call] | None] = {target: None}
        work = deque([target])
        while work:
            ref = work.popleft()
            symbol = self.calls.functions[ref]
            if symbol.declaration.exported and _is_importable(symbol):
                yield Chain(Entry("api", shown(*ref)), tuple(self._links(ref, after)), sure=True)
                continue
            for caller, call in self._called_by(ref):
                if caller not in after and call.sure:
                    after[caller] = ref, call
                    work.append(caller)

    def _links(self, ref: Ref, after: Mapping[Ref, tuple[Ref, Call] | None]) -> Iterator[Link]:
        at: Ref | None = ref
        while at is not None:
            following = after[at]
            yield self.link(at, following[1].line if following is not None else None)
            at = following[0] if following is not None else None

    def link(self, ref: Ref, line: int | None = None) -> Link:
        """A function as a chain has it.

        Args:
            ref: the function.
            line: where it calls the next one; None for the last.
        """
        symbol = self.calls.functions[ref]
        return Link(shown(*ref), symbol.place, Place(symbol.file.path, line) if line is not None else None)


def _ref(link: Link) -> Ref:
    where, _, name = link.function.partition(":")
    return where, name


def _is_importable(symbol: Symbol) -> bool:
    """Whether other repositories can import the package of a function."""
    inside = not {"internal", "cmd"}.isdisjoint(symbol.file.path.split("/")[:-1])
    return not inside and symbol.file.facts.package != "main" and not symbol.file.helps_tests


def _names(file: GoFile, word: re.Pattern[bytes], name: str) -> bool:
    """Whether a file names a function elsewhere than in its own declaration and in comments."""
    content = file.source.content
    if name.rpartition(".")[2].encode() not in content:
        return False
    own = [(d.start, d.end) for d in file.facts.declarations if d.name == name]
    return any(
        not any(start <= match.start() < end for start, end in own)
        and b"//" not in content[content.rfind(b"\n", 0, match.start()) + 1 : match.start()]
        for match in word.finditer(content)
    )
