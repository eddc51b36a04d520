"""Revisions to points, one after the other: a package is judged once for all revisions in which it is the same."""

import hashlib
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec
from cachetools import LRUCache

from analyzer import grammar
from analyzer.closure import fingerprints, own_fingerprints
from analyzer.common import Common
from analyzer.model import Options, Score, Snapshot
from analyzer.parity import Revision, View
from bot.dashboard import records, survey
from bot.dashboard.records import About, Point, Survey, Table
from bot.dashboard.survey import common_of, measured, revision_of, table_of
from bot.kept import Kept

KEPT_TABLES = 16_384
"""Tables that are kept in memory: Kubernetes has 5,000 packages, and a revision changes some of them."""

MAX_KEPT_BYTES = 256 * 1024 * 1024
"""Of the file. The older half is dropped when there is more; moby's releases of ten years take 20 MB."""

_NOTHING: Mapping[type, Table | Common] = {Table: Table(Score(), ()), Common: Common()}
_Kept = TypeVar("_Kept", Table, Common)


class Measure:
    """Measures revisions.

    Args:
        folder: where is kept what was judged; None for memory alone.
        common: look at what the platforms share, too: whoever shows nothing but scores need not pay for it.
    """

    def __init__(self, folder: Path | None = None, *, common: bool = True) -> None:
        self._common = common
        self._kept = Kept(folder, "tables", _version(), MAX_KEPT_BYTES)
        self._memory: LRUCache[str, Table | Common] = LRUCache(KEPT_TABLES)

    def __call__(self, snapshot: Snapshot, about: About, options: Options) -> Survey:
        """What is recorded of a revision; the same as `bot.dashboard.survey.survey`.

        Args:
            snapshot: the revision, all of it.
            about: which it is.
            options: the platforms, and what reads files.
        """
        revision = revision_of(snapshot, options, tests=self._common)
        view = cache(lambda where: View(revision.packages[where], revision))
        tables = self._judged(fingerprints(revision), Table, lambda where: table_of(view(where)), options)
        common = self.common(revision, options, view) if self._common else None
        found = measured(snapshot, revision, tables, about, common)
        self._kept.save([(self._point_name(about.rev, options), msgspec.msgpack.encode(found.point))])
        return found

    def common(
        self, revision: Revision, options: Options, view: Callable[[str], View] | None = None
    ) -> dict[str, Common]:
        """What the code that the platforms share does in each package of a revision.

        Args:
            revision: its packages, their tests read.
            options: the platforms.
            view: one of its packages by directory, where that is at hand.
        """
        look = view or (lambda where: View(revision.packages[where], revision))
        return self._judged(own_fingerprints(revision), Common, lambda where: common_of(look(where)), options)

    def point(self, about: About, options: Options) -> Point | None:
        """The point of a revision that was measured before, by any process; None of one that was not."""
        name = self._point_name(about.rev, options)
        stored = self._kept.load([name]).get(name)
        with suppress(msgspec.DecodeError):
            if stored is not None:
                point = msgspec.msgpack.decode(stored, type=Point)
                return msgspec.structs.replace(point, name=about.name, kind=about.kind, time=about.time)
        return None

    def _judged(
        self, names: Mapping[str, str], kind: type[_Kept], judge: Callable[[str], _Kept], options: Options
    ) -> dict[str, _Kept]:
        """Of each package what is known under its name, or is judged now."""
        known = self._known({*names.values()}, kind)
        left = [where for where, name in names.items() if name not in known]
        judged = options.share(judge, left, kind)
        new = {names[where]: one for where, one in zip(left, judged, strict=True)}
        self._keep(new, _NOTHING[kind])
        known |= new
        return {where: known[name] for where, name in names.items()}

    def _known(self, wanted: set[str], kind: type[_Kept]) -> dict[str, _Kept]:
        known = {name: one for name in wanted if isinstance(one := self._memory.get(name), kind)}
        for name, data in self._kept.load(sorted(wanted - known.keys())).items():
            with suppress(msgspec.DecodeError, zlib.error):
                one = msgspec.msgpack.decode(zlib.decompress(data), type=kind) if data else _NOTHING[kind]
                if isinstance(one, kind):
                    known[name] = one
        self._memory.update(known)
        return known

    def _keep(self, new: Mapping[str, Table | Common], nothing: Table | Common) -> None:
        self._memory.update(new)
        rows = []
        for name, one in new.items():
            with suppress(UnicodeEncodeError):  # names may hold bytes that are no text
                empty = one == nothing if isinstance(one, Common) else not one.symbols
                rows.append((name, b"" if empty else zlib.compress(msgspec.msgpack.encode(one), 1)))
        self._kept.save(rows)

    def _point_name(self, rev: str, options: Options) -> str:
        sides = (options.target, options.reference)
        told = " ".join([rev, *(f"{side.goos}/{side.goarch}/{side.cgo}/{sorted(side.tags)}" for side in sides)])
        return told + " and what is shared" * self._common


@cache
def _version() -> str:
    """Tells tables apart that were judged by other code, or are kept in another form."""
    digest = hashlib.sha256(repr(grammar.GO.semantic_version).encode())
    sources = sorted((str(path), path.read_bytes()) for path in _sources(Path(str(files("analyzer")))))
    for name, content in [
        *sources,
        *((module.__name__, Path(module.__file__ or "").read_bytes()) for module in (records, survey)),
    ]:
        digest.update(f"{len(name)} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def _sources(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.py") if "rules" not in path.relative_to(folder).parts]
