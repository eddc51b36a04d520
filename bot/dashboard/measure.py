"""Revisions to points, one after the other: a package is judged once for all revisions in which it is the same."""

import hashlib
import zlib
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec
from cachetools import LRUCache

from analyzer import grammar
from analyzer.closure import fingerprints
from analyzer.model import Options, Score, Snapshot
from analyzer.parity import View
from bot.dashboard import records, survey
from bot.dashboard.records import About, Point, Survey, Table
from bot.dashboard.survey import measured, revision_of, table_of
from bot.kept import Kept

KEPT_TABLES = 16_384
"""Tables that are kept in memory: Kubernetes has 5,000 packages, and a revision changes some of them."""

MAX_KEPT_BYTES = 256 * 1024 * 1024
"""Of the file. The older half is dropped when there is more; moby's releases of ten years take 20 MB."""

_EMPTY = Table(Score(), ())


class Measure:
    """Measures revisions.

    Args:
        folder: where is kept what was judged; None for memory alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._kept = Kept(folder, "tables", _version(), MAX_KEPT_BYTES)
        self._memory: LRUCache[str, Table] = LRUCache(KEPT_TABLES)

    def __call__(self, snapshot: Snapshot, about: About, options: Options) -> Survey:
        """What is recorded of a revision; the same as `bot.dashboard.survey.survey`.

        Args:
            snapshot: the revision, all of it.
            about: which it is.
            options: the platforms, and what reads files.
        """
        revision = revision_of(snapshot, options)
        names = fingerprints(revision)
        known = self._known(set(names.values()))
        views = {
            where: View(revision.packages[where], revision) for where in revision.packages if names[where] not in known
        }
        judged = options.share(lambda where: table_of(views[where]), [*views], Table)
        new = {names[where]: table for where, table in zip(views, judged, strict=True)}
        self._keep(new)
        known |= new
        found = measured(snapshot, revision, {where: known[name] for where, name in names.items()}, about)
        self._kept.save([(_point_name(about.rev, options), msgspec.msgpack.encode(found.point))])
        return found

    def point(self, about: About, options: Options) -> Point | None:
        """The point of a revision that was measured before, by any process; None of one that was not."""
        name = _point_name(about.rev, options)
        stored = self._kept.load([name]).get(name)
        with suppress(msgspec.DecodeError):
            if stored is not None:
                point = msgspec.msgpack.decode(stored, type=Point)
                return msgspec.structs.replace(point, name=about.name, kind=about.kind, time=about.time)
        return None

    def _known(self, wanted: set[str]) -> dict[str, Table]:
        known = {name: self._memory[name] for name in wanted if name in self._memory}
        for name, data in self._kept.load(sorted(wanted - known.keys())).items():
            with suppress(msgspec.DecodeError, zlib.error):
                known[name] = msgspec.msgpack.decode(zlib.decompress(data), type=Table) if data else _EMPTY
        self._memory.update(known)
        return known

    def _keep(self, new: dict[str, Table]) -> None:
        self._memory.update(new)
        rows = []
        for name, table in new.items():
            with suppress(UnicodeEncodeError):  # names may hold bytes that are no text
                rows.append((name, zlib.compress(msgspec.msgpack.encode(table), 1) if table.symbols else b""))
        self._kept.save(rows)


def _point_name(rev: str, options: Options) -> str:
    sides = (options.target, options.reference)
    return " ".join([rev, *(f"{side.goos}/{side.goarch}/{side.cgo}/{sorted(side.tags)}" for side in sides)])


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
