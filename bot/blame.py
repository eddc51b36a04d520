"""`winparity blame`: which commit made a symbol a stub, implemented it, or brought and removed it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from rich.console import Console

from analyzer.model import Options, Place, Snapshot, SourceFile, Status, Stub
from analyzer.names import platform_name
from analyzer.parity import Revision, View
from analyzer.reading import outlined
from analyzer.symbols import directory, packages
from bot.ids import Sha
from bot.past import Change, Past
from bot.terminal import text

MAX_MOVES = 20
"""How often a file is followed into the folder that it came from."""

CACHED_BLOBS = 4_096
"""Files whose content is kept while a history is walked; a commit changes few of a folder's files."""

SCHEMA = 1
"""The version of the JSON."""

# The functions and values that a file declares: a method is known by its bare name, and groups are looked into. Types
# are left out: what a function is hardly ever depends on them, and the large ones change often.
_DECLARED = re.compile(rb"^(?:func[ \t]*(?:\([^)]*\)[ \t]*)?|var[ \t]+|const[ \t]+)(\w+)", re.MULTILINE)
_GROUP = re.compile(rb"^(?:var|const)[ \t]*\(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(rb"^\t(\w+)", re.MULTILINE)
_WORD = re.compile(rb"[A-Za-z_]\w*")
_REAL = frozenset({Status.SHARED, Status.IMPLEMENTED, Status.PARTIAL, Status.WINDOWS_ONLY})


@dataclass(frozen=True, slots=True)
class State:
    """What the symbol is at a commit; ``status`` is None where neither platform declares it."""

    status: Status | None = None
    stub: Stub | None = None
    place: Place | None = None

    @property
    def words(self) -> str:
        """In a word, as ``scan`` has it."""
        if self.status is None:
            return "absent"
        return f"{self.status.value} ({self.stub.value})" if self.stub else self.status.value


@dataclass(frozen=True, slots=True)
class Event:
    """A commit after which the symbol is something else; ``package`` is its folder then."""

    change: Change
    package: str
    before: State
    after: State
    moved_from: str = ""


class History:
    """The past of one symbol.

    Args:
        source: the repository.
        options: the platforms.
        name: ``Func`` or ``Recv.Method``.
        progress: told how many commits of how many were looked at.
    """

    def __init__(self, source: Past, options: Options, name: str, progress: Callable[[int, int], None]) -> None:
        self._source = source
        self._options = options
        self._name = name
        self._progress = progress
        self._bare = name.rpartition(".")[2].encode()
        self._names = {self._bare}
        self._last: tuple[object, State] = (None, State())
        self._declares: dict[tuple[str, str], frozenset[bytes]] = {}
        self._files: LRUCache[tuple[str, str], SourceFile] = LRUCache(CACHED_BLOBS)

    def events(self, rev: Sha, folder: str) -> list[Event]:
        """All changes of what the symbol is, newest first.

        Args:
            rev: from which commit on to look back, along first parents.
            folder: the directory in which the symbol is, or was.
        """
        found: list[Event] = []
        for _ in range(MAX_MOVES):
            here = list(self._events(rev, folder))
            found += here
            came_from = self._came_from(here[-1], folder) if here else None
            if came_from is None:
                break
            last = found.pop()
            rev, old = came_from
            before = self._state(rev, directory(old))
            found.append(Event(last.change, folder, before, last.after, old))
            folder = directory(old)
        return found

    def _events(self, rev: Sha, folder: str) -> Iterator[Event]:
        changes = self._source.changes(rev, folder)
        after = self._state(changes[0].commit, folder) if changes else State()
        for number, change in enumerate(changes, 1):
            self._progress(number, len(changes))
            older = changes[number] if number < len(changes) else None
            before = self._state(older.commit, folder) if older else State()
            if (before.status, before.stub) != (after.status, after.stub):
                yield Event(change, folder, before, after)
            after = before

    def _came_from(self, event: Event, folder: str) -> tuple[Sha, str] | None:
        """Where the symbol was before a commit that brought it here, if its file was renamed from another folder."""
        if event.before.status is not None or event.after.place is None or event.change.parent is None:
            return None
        old = self._source.renamed(event.change, event.after.place.path)
        if not old or directory(old) == folder:
            return None
        there = self._state(event.change.parent, directory(old))
        return (event.change.parent, old) if there.status is not None else None

    def _state(self, rev: Sha, folder: str) -> State:
        """What the symbol is; judged anew only when a file changed that declares it, or what its body names."""
        files = {p: b for p, b in self._source.go_files(rev, folder).items() if not p.endswith("_test.go")}
        concerned = frozenset(
            (path, blob) for path, blob in files.items() if not self._names.isdisjoint(self._declared(path, blob))
        )
        if (folder, concerned) != self._last[0]:
            self._last = (folder, concerned), self._judged(rev, folder, files)
        return self._last[1]

    def _judged(self, rev: Sha, folder: str, files: Mapping[str, str]) -> State:
        known = {path: self._file(path, blob) for path, blob in files.items()}
        if not any(self._bare in self._declared(path, blob) for path, blob in files.items()):
            return State()
        found = packages(Snapshot(rev, known), self._options, outlined)
        twins = [side.get(self._name) for side in (found[folder].target, found[folder].reference)]
        bodies = [symbol.source for symbol in twins if symbol is not None]
        if not bodies:
            return State()
        self._names = {self._bare, *(word for body in bodies for word in _WORD.findall(body.partition(b"{")[2]))}
        for other in self._imported(rev, found[folder].files.values()):
            known |= {path: self._file(path, blob) for path, blob in self._source.go_files(rev, other).items()}
        every = packages(Snapshot(rev, known), self._options, outlined)
        parity = View(every[folder], Revision(every, self._options)).status(self._name)
        return State(parity.status, parity.stub, parity.windows or parity.linux)

    def _imported(self, rev: Sha, files: Any) -> Iterator[str]:
        """The folders of this repository that the declaring files import: their errors and helpers are followed."""
        paths = {
            i.path for f in files if any(d.name == self._name for d in f.facts.declarations) for i in f.facts.imports
        }
        for path in sorted(paths):
            parts = path.split("/")
            # The first element of what is not Go's own library is a host.
            for start in range(1, len(parts)) if "." in parts[0] else ():
                if self._source.go_files(rev, "/".join(parts[start:])):
                    yield "/".join(parts[start:])
                    break

    def _declared(self, path: str, blob: str) -> frozenset[bytes]:
        """What a file seems to declare: enough to tell whether it concerns the symbol."""
        if (path, blob) not in self._declares:
            content = self._source.content(blob)
            grouped = (name for group in _GROUP.findall(content) for name in _MEMBER.findall(group))
            self._declares[path, blob] = frozenset((*_DECLARED.findall(content), *grouped))
        return self._declares[path, blob]

    def _file(self, path: str, blob: str) -> SourceFile:
        if (path, blob) not in self._files:
            self._files[path, blob] = SourceFile(path, blob, self._source.content(blob))
        return self._files[path, blob]


def words(event: Event, options: Options) -> str:
    """What a commit did to the symbol."""
    target, before, after = platform_name(options.target), event.before, event.after
    if event.moved_from and (before.status, before.stub) == (after.status, after.stub):
        return "moved it"
    match before.status, after.status:
        case None, Status.STUB:
            return "added it as a stub"
        case None, Status.MISSING:
            return f"added it without {target}"
        case None, _:
            return "added it"
        case _, None:
            return "removed it"
        case Status.STUB, Status.STUB:
            return "changed the stub"
        case Status.MISSING, Status.STUB:
            return f"gave {target} a stub"
        case _, Status.STUB:
            return "made it a stub"
        case _, Status.MISSING:
            return f"took it from {target}"
        case ((Status.STUB | Status.MISSING), _):
            return "implemented it"
        case _:
            return "changed it"


def show_blame(symbol: str, events: list[Event], options: Options, console: Console) -> None:
    """A line for what the symbol is now and since when, and one for each commit that changed it."""
    now = events[0]
    since = f"since {now.change.commit[:12]} ({now.change.day})"
    console.print(f"[bold]{text(symbol)}[/]  {now.after.words} {since}", highlight=False, soft_wrap=True)
    width = max(len(words(event, options)) for event in events)
    for event in events:
        change, did = event.change, words(event, options)
        style = "green" if event.after.status in _REAL else "yellow" if event.after.status else "dim"
        console.print(
            f"  [dim]{change.day}[/] {change.commit[:12]}  [{style}]{did:{width}}[/]  {text(change.subject)}",
            highlight=False,
            soft_wrap=True,
        )
        was = f"{event.before.words} → {event.after.words}"
        moved = f", from {event.moved_from}" if event.moved_from else ""
        place = f", {event.after.place.path}:{event.after.place.line}" if event.after.place else ""
        console.print(f"             [dim]{text(was + place + moved)}[/]", highlight=False, soft_wrap=True)


def blame_json(symbol: str, rev: Sha, events: list[Event], options: Options) -> dict[str, Any]:
    """The same for programs."""
    return {
        "schema": SCHEMA,
        "symbol": symbol,
        "rev": rev,
        "events": [
            {
                "commit": event.change.commit,
                "date": event.change.day,
                "author": event.change.author,
                "subject": event.change.subject,
                "change": words(event, options),
                "dir": event.package,
                "before": _state_json(event.before),
                "after": _state_json(event.after),
                "moved_from": event.moved_from or None,
            }
            for event in events
        ],
    }


def _state_json(state: State) -> dict[str, Any]:
    return {
        "status": state.status.value if state.status else "absent",
        "stub": state.stub.value if state.stub else None,
        "place": {"path": state.place.path, "line": state.place.line} if state.place else None,
    }
