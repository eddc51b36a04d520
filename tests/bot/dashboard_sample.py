"""A repository's records, made by hand: a small one with everything that a page can show, and as large a one as is wanted."""

from collections.abc import Sequence
from typing import Any

import msgspec

from analyzer.common import Common, KeptFile, KeptGuard, KeptTest
from analyzer.guards import Effect
from analyzer.model import Place, Score, Status, Stub, SymbolParity
from analyzer.skips import Runs
from bot.dashboard.records import (
    FORM,
    AcceptedRecord,
    Detail,
    Kind,
    Known,
    Point,
    PullRecord,
    ReachRecord,
    Records,
    SightRecord,
    Survey,
    SurveyReport,
    Table,
    ThereRecord,
    _key,
    _pack,
    _write,
)
from bot.ids import Repo

NAME, SECRET, LARGE = "Example/Berth", "Example/Secret", "Example/Fleet"
BEGIN = 1_420_070_400
MONTH = 2_629_800
HOSTILE = '<img src=x onerror="alert(1)">'
BODY = """func (d *Daemon) Pause(name string) error {
\tc, err := d.container(name)
\tif err != nil {
\t\treturn err // a line that is long enough to be wider than any phone, and so has to be scrolled in its own box
\t}
\treturn d.freeze(c)
}
"""
STUB = """func (d *Daemon) Pause(name string) error {
\treturn errors.New("pause is not supported on Windows")
}
"""


def rev(number: int) -> str:
    return f"{number:040x}"


def symbol(
    name: str, status: str, *, stub: Stub | None = None, gap: bool = False, where: str = "daemon"
) -> SymbolParity:
    on = Place(f"{where}/{name.lower().partition('.')[0]}_windows.go", 12)
    off = Place(f"{where}/{name.lower().partition('.')[0]}_linux.go", 34)
    there = status != "missing"
    return SymbolParity(
        name, "method" if "." in name else "func", Status(status), stub, gap, on if there else None,
        off if status != "windows-only" else None,
    )  # fmt: skip


def table(symbols: Sequence[SymbolParity], shared: int = 3) -> Table:
    counted = [s for s in symbols if s.name[0].isupper() or s.status != "missing"]
    counts = {state: sum(s.status == state for s in counted) for state in ("implemented", "partial", "stub", "missing")}
    return Table(Score(**counts), tuple(symbols), shared)


PAUSE = symbol("Daemon.Pause", "stub", stub=Stub.ERROR, gap=True)
REAL_PAUSE = symbol("Daemon.Pause", "implemented")
DAEMON = [
    PAUSE,
    symbol("Daemon.Start", "implemented"),
    symbol("Daemon.Stats", "partial"),
    symbol("Checkpoint", "missing", gap=True),
    symbol("unixHelper", "missing"),
    symbol("setupSeccomp", "stub", stub=Stub.NOOP),
    symbol("hcsVersion", "windows-only"),
]
VOLUME = [symbol("Free", "implemented", where="volume/local"), symbol("Mount", "implemented", where="volume/local")]
NOW = {"daemon": table(DAEMON), "volume/local": table(VOLUME), ".": table([symbol("main", "implemented", where="cmd")])}
OLD = {
    "daemon": table([REAL_PAUSE, symbol("Daemon.Stats", "stub", stub=Stub.ZERO, gap=True), symbol("gone", "stub")]),
    "volume": table([symbol("Mount", "implemented", where="volume")]),
    ".": NOW["."],
}
NEVER, FULLY, SOMETIMES = Runs.NEVER, Runs.FULLY, Runs.SOMETIMES


def common(*kept: KeptTest, runs: Sequence[str] = (), guards: Sequence[KeptGuard] = ()) -> Common:
    return Common((KeptFile("pause_test.go", target=True, reference=True, tests=(*runs,), kept=kept),), (*guards,))


OLD_COMMON = {"daemon": common(KeptTest("TestStats", NEVER, NEVER), runs=("TestPause", "TestStart", "TestWait"))}
NOW_COMMON = {
    "daemon": common(
        KeptTest("TestPause", NEVER, NEVER),
        KeptTest("TestWait", SOMETIMES, SOMETIMES),
        *(KeptTest(f"TestCheckpointOfAContainerThatRuns{n}", NEVER, NEVER) for n in range(4)),
        runs=("TestStart", "TestStats"),
        guards=[
            KeptGuard(
                "Daemon.Rename", "rename.go", 40, Effect.REFUSED, 'runtime.GOOS == "windows" && c.IsRunning()',
                'if runtime.GOOS == "windows" && c.IsRunning() { return errors.New("stop it") }', ("d.rename(c)",),
                ('return errors.New("stop it")',), sure=False,
            )
        ],
    ),
    "volume": Common((KeptFile("mount_linux_test.go", target=False, reference=True, tests=("TestMount",)),)),
}  # fmt: skip
DETAIL = Detail(
    package="daemon",
    name="Daemon.Pause",
    target=SightRecord(
        "windows", "a stub that refuses", Place("daemon/pause_windows.go", 12), 14, STUB, ((13, "it always refuses"),)
    ),
    reference=SightRecord(
        "linux", "real work", Place("daemon/pause_linux.go", 34), 40, BODY, ((39, "it does the work"),)
    ),
    elsewhere=(("freebsd", Place("daemon/pause_freebsd.go", 9)),),
    gap="users can ask for it",
    reach=(
        ReachRecord(
            "POST /containers/{name}/pause",
            ("docker pause", "IContainerOperations.PauseContainerAsync"),
            links=(
                ("api:router.pause", Place("api/router.go", 5)),
                ("daemon:Daemon.Pause", Place("daemon/pause_windows.go", 12)),
            ),
        ),
        ReachRecord("GET /events", sure=False),
    ),
    entries=3,
)
LACKS = Detail(
    package="daemon",
    name="Checkpoint",
    target=SightRecord("windows", "not there"),
    reference=SightRecord("linux", "real work", Place("daemon/checkpoint_linux.go", 34), 40, BODY),
    there=ThereRecord(
        (
            ReachRecord(
                "POST /containers/{name}/checkpoints",
                ("docker checkpoint create",),
                links=(
                    ("api:router.checkpoint", Place("api/router.go", 9)),
                    ("daemon:Checkpoint", Place("daemon/checkpoint_linux.go", 34)),
                ),
            ),
        ),
        2,
        (("api:router.checkpoint", Place("api/router.go", 9)),),
    ),
)
FEATURE: dict[str, Any] = {
    "kind": "route",
    "name": "POST /containers/{name}/pause",
    "cli": ["docker pause", "docker container pause"],
    "client": ["ContainerPause"],
    "dotnet": ["IContainerOperations.PauseContainerAsync"],
    "powershell": ["Suspend-Container"],
    "state": "refused",
    "isolation": {"process": "refused", "hyper-v": "works"},
    "handler": {"function": "api:router.pause", "path": "api/router.go", "line": 5, "call": None},
    "reasons": [
        {
            "what": "refuses", "function": "daemon:Daemon.Pause", "path": "daemon/pause_windows.go", "line": 12, "end_line": 14,
            "says": 'return errors.New("pause is not supported on Windows")', "conditions": ["c.isProcess()"],
            "isolation": "process", "sure": True,
            "chain": [{"function": "api:router.pause", "path": "api/router.go", "line": 5, "call": {"path": "api/router.go", "line": 7}}],
        }
    ],
}  # fmt: skip
WORKS: dict[str, Any] = FEATURE | {
    "name": "GET /version", "cli": ["docker version"], "client": [], "dotnet": [], "powershell": [],
    "state": "works", "isolation": None, "reasons": [],
}  # fmt: skip
REPORT = SurveyReport(
    rev=rev(100),
    features=[FEATURE, WORKS],
    owners={"daemon/daemon_windows.go": ("@example/windows",)},
    accepted=(
        AcceptedRecord(
            "daemon", "setupSeccomp", ("stub-added",), "seccomp is a mechanism of Linux", Place(".github/winparity.yml", 3),
            "https://github.com/example/berth/issues/12", "2027-06-30",
        ),
        AcceptedRecord("old", "nothing", (), "", Place("old/old.go", 1), issue="javascript:alert(1)", wrong="it accepts nothing"),
    ),
)  # fmt: skip
ANALYSIS: dict[str, Any] = {
    "schema": 1, "base": rev(1), "head": rev(2), "verdict": "mixed", "complete": False,
    "unreadable": [{"path": "vol/new_windows.go", "reason": "it cannot be parsed"}],
    "score": {
        "base": {"implemented": 3, "partial": 0, "stub": 1, "missing": 0, "percent": 75.0},
        "head": {"implemented": 2, "partial": 0, "stub": 2, "missing": 0, "percent": 50.0},
    },
    "findings": [
        {
            "rule": "implementation-lost", "level": "regression", "path": "daemon/pause_windows.go", "line": 12, "end_line": 14,
            "side": "head", "symbol": "Daemon.Pause", "stub": "error", "gap": True, "silent": False,
            "counterpart": {"path": "daemon/pause_linux.go", "line": 34}, "message": f"Daemon.Pause became a stub {HOSTILE}",
            "impact": ["docker pause"], "fingerprint": "implementation-lost:daemon:Daemon.Pause",
        },
        {
            "rule": "tag-removed", "level": "improvement", "path": "vol/x.go", "line": 1, "end_line": 1, "side": "base",
            "symbol": None, "stub": None, "gap": False, "silent": False, "counterpart": None,
            "message": "vol/x.go is built on Windows again", "impact": [], "fingerprint": "tag-removed:vol:x.go",
        },
    ],
}  # fmt: skip


def _point(
    number: int,
    at: int,
    kind: Kind,
    tables: dict[str, Table],
    name: str = "",
    *,
    shared: dict[str, Common] | None = None,
) -> Survey:
    score = sum((one.score for one in tables.values()), Score())
    gaps = sum(s.gap for one in tables.values() for s in one.symbols)
    point = Point(
        rev=rev(number), name=name, kind=kind, time=BEGIN + at * MONTH, score=score, gaps=gaps, packages=len(tables),
        form=FORM if shared is not None else 0,
    )  # fmt: skip
    return Survey(point=point, tables=tables, common=shared or {})


async def fill(records: Records, name: str = NAME, *, private: bool = False) -> Repo:
    """A small repository."""
    repo = Repo(name)
    for number in range(0 if private else 24):
        await records.add(repo, _point(number + 1, number, "month", OLD if number < 12 else NOW))
    for number, (at, tag) in enumerate(
        ((2, "v1.0.0"), (5, "v1.0.1"), (11, "v1.1.0"), (14, "v2.0.0-rc1"), (15, "v2.0.0"))
    ):
        old = at < 12
        shared = None if tag == "v1.0.1" else OLD_COMMON if old else NOW_COMMON
        await records.add(repo, _point(50 + number, at, "release", OLD if old else NOW, tag, shared=shared))
    head = _point(100, 25, "push", NOW, shared=NOW_COMMON).point
    await records.add(repo, Survey(point=head, tables=NOW, common=NOW_COMMON, report=REPORT, details=(DETAIL, LACKS)))
    await records.add_pull(
        repo, PullRecord(number=7, at=BEGIN, conclusion="success", title="Windows: unchanged", analysis=None)
    )
    await records.add_pull(
        repo,
        PullRecord(
            number=12, at=BEGIN + 9 * MONTH, conclusion="neutral", title=f"Windows: mixed {HOSTILE}", analysis=ANALYSIS
        ),
    )
    known = Known(
        name=name, private=private, installation=7, branch="main", head=head.rev, surveyed=head.time, done=3, planned=29
    )
    await records.know(repo, known)
    return repo


async def fill_large(records: Records, packages: int = 400, symbols: int = 40, releases: int = 300) -> Repo:
    """A repository as large as the largest ones that there are, with long names."""
    repo = Repo(LARGE)
    states = ("implemented", "stub", "missing", "partial", "implemented")
    folder = "components/engine/internal/subsystem{0:03}/implementation"
    tables = {
        folder.format(p): table(
            [
                symbol(
                    f"ContainerLifecycleManager.{'Operation' * (1 + n % 3)}{n:03}", states[(n + p) % 5],
                    stub=Stub.NOOP if states[(n + p) % 5] == "stub" else None, gap=(n + p) % 5 in {1, 2}, where=folder.format(p),
                )
                for n in range(symbols if p else 40 * symbols)
            ]
        )
        for p in range(packages)
    }  # fmt: skip
    old = {where: table(one.symbols[::-2]) for where, one in tables.items()}
    months = [_point(number + 1, number, "month", {}) for number in range(130)]
    tags = [
        _point(1000 + n, n * 128 // releases, "release", {}, f"v{1 + n // 40}.{n // 4 % 10}.{n % 4}")
        for n in range(releases)
    ]
    long = "TestThatTheContainerLifecycleManagerHandles{0}OperationsOfTheSubsystem{1:03}"
    shared = {
        where: common(
            *(KeptTest(long.format(n, number), NEVER, NEVER) for n in range(12)),
            runs=[long.format(n, number) for n in range(12, symbols)],
            guards=NOW_COMMON["daemon"].guards if number < 60 else (),
        )
        for number, where in enumerate(tables)
    }
    trees, commons = {}, {}
    for is_old, kept, same in ((True, old, {}), (False, tables, shared)):
        await records.add(repo, _point(9000 + is_old, 0, "push", kept, shared=same))
        trees[is_old] = await records.tree(repo, rev(9000 + is_old))
        commons[is_old] = await records.commons(repo, rev(9000 + is_old))
    for survey in (*months, *tags):
        is_old = survey.point.time < BEGIN + 60 * MONTH
        score = sum((one.score for one in (old if is_old else tables).values()), Score())
        point = msgspec.structs.replace(survey.point, score=score, gaps=1234, form=FORM)
        await records.redis.hset(_key(repo, "points"), point.rev, _write(point))
        await records.redis.hset(_key(repo, "trees"), point.rev, _pack(trees[is_old]))
        await records.redis.hset(_key(repo, "commons"), point.rev, _pack(commons[is_old]))
    head = _point(5000, 131, "push", tables).point
    features = [FEATURE | {"name": f"POST /containers/{{name}}/operation{n}"} for n in range(400)]
    await records.add(
        repo, Survey(point=head, tables=tables, report=SurveyReport(rev=head.rev, features=features), details=(DETAIL,))
    )
    many = [ANALYSIS["findings"][0] | {"fingerprint": f"x:{n}", "symbol": f"F{n}"} for n in range(1000)]
    for number in range(300):
        found = ANALYSIS | {"findings": many if number == 1 else ANALYSIS["findings"]}
        await records.add_pull(
            repo,
            PullRecord(number=number, at=BEGIN + number, conclusion="success", title="Windows: mixed", analysis=found),
        )
    await records.know(
        repo, Known(name=LARGE, private=False, branch="main", head=head.rev, surveyed=head.time, done=430, planned=430)
    )
    return repo
