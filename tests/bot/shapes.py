"""Analyses of every shape, made by hand: what people read does not depend on a rule's words of the day."""

from dataclasses import replace

from analyzer.impact import Chain, Entry, Link
from analyzer.model import (
    Accepted,
    Advice,
    Analysis,
    Finding,
    Level,
    Options,
    Place,
    Platform,
    Score,
    Stub,
    Unreadable,
)
from bot.affected import names

BASE, HEAD = "b" * 40, "a1" * 20
LOSS = Finding(
    "implementation-lost",
    Level.REGRESSION,
    "volume/usage_windows.go",
    6,
    8,
    "head",
    "Store.Free",
    "Store.Free did real work on Windows and now returns a not-supported error.",
    "volume",
    Stub.ERROR,
    gap=True,
    counterpart=Place("volume/usage_linux.go", 6),
    before=Place("volume/usage_windows.go", 12),
)
WARNING = Finding(
    "stub-added",
    Level.WARNING,
    "engine/restart_windows.go",
    5,
    5,
    "head",
    "Engine.restart",
    "Engine.restart is new, and on Windows it does nothing.",
    "engine",
    Stub.NOOP,
    gap=True,
    silent=True,
)
QUIET = replace(
    WARNING, path="daemon/apparmor_windows.go", symbol="loadProfile", gap=False, message="loadProfile is a stub."
)
GAIN = Finding(
    "tag-removed",
    Level.IMPROVEMENT,
    "logs/remote.go",
    1,
    1,
    "head",
    None,
    "This file now builds on Windows.",
    "logs",
    gap=True,
)
GONE = replace(LOSS, side="base", path="volume/old_windows.go", line=20, end_line=20, before=None)
UNTESTED = Finding(
    "test-skipped",
    Level.WARNING,
    "integration/logs_test.go",
    40,
    40,
    "head",
    "TestFollowLogs",
    'TestFollowLogs no longer runs on Windows (runtime.GOOS == "windows").',
    "integration",
    gap=True,
    before=Place("integration/logs_test.go", 38),
)
VENDORED = Finding(
    "vendor-drift",
    Level.WARNING,
    "cmd/console.go",
    31,
    31,
    "head",
    "Resize",
    "term.Resize of example.org/term is no longer there on Windows, and code built there needs it (in 1 place).",
    "vendor/example.org/term",
    gap=True,
    counterpart=Place("vendor/example.org/term/resize_unix.go", 4),
)
NOTE = replace(GAIN, level=Level.NOTE, message="This is context.")
ACCEPTED = replace(
    LOSS,
    level=Level.NOTE,
    message=f"{LOSS.message} Accepted in this very change: no disk quota there.",
    accepted=Accepted("no disk quota there.", Place(LOSS.path, 5), in_source=True, new=True),
)
LISTED = replace(
    QUIET,
    level=Level.NOTE,
    message=f"{QUIET.message} Accepted: AppArmor is Linux's. (https://example.com/1)",
    accepted=Accepted(
        "AppArmor is Linux's.", Place(".github/winparity.yml", 3), in_source=False, issue="https://example.com/1"
    ),
)
COMMANDED = replace(
    WARNING,
    level=Level.NOTE,
    message=f"{WARNING.message} Accepted by octocat: the service manager restarts it there.",
    accepted=Accepted("the service manager restarts it there.", None, in_source=False, new=True, who="octocat"),
)
STALE = Finding(
    "ignore-stale",
    Level.WARNING,
    "volume/usage_windows.go",
    5,
    5,
    "head",
    "Store.Used",
    "This //winparity:ignore accepts nothing: Store.Used does real work now.",
    "volume",
)
UNEXPLAINED = replace(
    STALE,
    rule="ignore-unexplained",
    message="This //winparity:ignore accepts nothing: it gives no reason.",
    line=19,
    end_line=19,
)
UNREADABLE = (Unreadable("big/data.go", "larger than 2 MiB"), Unreadable("odd/link.go", "a symbolic link"))
HOSTILE_NAME = "a\n\x1b[31m`@octocat` [x](http://evil.example) <script> #1 \u202e_windows.go"
PAUSED = Entry("route", "POST /containers/{name}/pause")
STEPS = (
    Link("api:router.pause", Place("api/router.go", 20), Place("api/router.go", 24)),
    Link("volume:Store.Free", Place("volume/usage_windows.go", 6), None),
)
CHAINS = (
    Chain(PAUSED, STEPS, sure=True),
    Chain(Entry("route", "GET /containers/{name}/json"), STEPS, sure=True),
    Chain(Entry("start", "berthd"), STEPS[1:], sure=True),
)
REACHED = replace(LOSS, chains=CHAINS, entries=9, impact=tuple(names(CHAINS)))
PERHAPS = replace(WARNING, chains=(replace(CHAINS[0], sure=False),), entries=1, impact=tuple(names(CHAINS[:1])))
STARTED = replace(WARNING, symbol=None, chains=CHAINS[2:], entries=1, impact=("berthd",))
HOSTILE_LINK = Link(f"x:{HOSTILE_NAME}", Place(f"x/{HOSTILE_NAME}", 1), None)
HOSTILE_PATCH = f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n+// ```{HOSTILE_NAME}\n+</details>\n```\n+{'`' * 90} @octocat #1\n"
HOSTILE = replace(
    LOSS,
    path=f"x/{HOSTILE_NAME}",
    symbol=f"T.{HOSTILE_NAME}",
    message=f"T.{HOSTILE_NAME} is gone; see GH-1, www.evil.example, http://evil.example :tada: **deadbeef1234** [bold]x[/]",
    chains=(Chain(Entry("command", HOSTILE_NAME), (HOSTILE_LINK, HOSTILE_LINK), sure=True),),
    entries=1,
    impact=(HOSTILE_NAME,),
    advice=Advice(f"x/{HOSTILE_NAME}", HOSTILE_PATCH),
)


PATCH = (
    "--- a/volume/old_windows.go\n+++ b/volume/old_windows.go\n@@ -1,3 +1,8 @@\n package volume\n \n const old = `${HOME}`\n"
    "+\n+// Free is not supported on Windows.\n+func (s *Store) Free() error {\n+\treturn errNotSupported\n+}\n"
)
ADVISED = replace(GONE, advice=Advice("volume/old_windows.go", PATCH))
UNADVISED = replace(
    GONE, symbol="Store.Sync", advice=Advice("volume/old_windows.go", "", "unix.Stat_t does not exist on Windows")
)


def analysis(*findings: Finding, **changes: object) -> Analysis:
    known = Analysis(BASE, HEAD, "unchanged", findings, Score(6, 1, 2, 1), Score(5, 1, 3, 1))
    return replace(known, **changes)


SHAPES = {
    "improved": analysis(GAIN, verdict="improved"),
    "regressed": analysis(LOSS, GONE, verdict="regressed"),
    "behind": analysis(WARNING, UNTESTED, VENDORED, verdict="regressed"),
    "mixed": analysis(LOSS, WARNING, GAIN, QUIET, NOTE, verdict="mixed"),
    "reached": analysis(REACHED, PERHAPS, STARTED, verdict="regressed"),
    "unchanged": analysis(),
    "incomplete": analysis(WARNING, verdict="regressed", unreadable=UNREADABLE),
    "incomplete-unchanged": analysis(unreadable=UNREADABLE),
    "advised": analysis(ADVISED, UNADVISED, verdict="regressed"),
    "quiet": analysis(QUIET, verdict="regressed"),
    "accepted": analysis(ACCEPTED, LISTED, STALE),
    "commanded": analysis(GAIN, COMMANDED, verdict="improved"),
    "ignored": analysis(STALE, UNEXPLAINED),
    "darwin": analysis(
        replace(LOSS, message="Store.Free did real work on macOS and now returns a not-supported error."),
        verdict="regressed",
        options=Options(target=Platform("darwin")),
    ),
    "hostile": analysis(
        HOSTILE, verdict="regressed", unreadable=(Unreadable(HOSTILE_NAME, f"not Go: {HOSTILE_NAME}"),)
    ),
}
MANY = analysis(
    *(replace(LOSS, symbol=f"Store.F{n}", message=f"Store.F{n} is lost.", line=n) for n in range(1, 61)),
    verdict="regressed",
)
LONG_PATH = "long/" * 800 + "x_windows.go"
LONG = analysis(
    *(
        replace(finding, path=LONG_PATH, before=Place(LONG_PATH, finding.line), counterpart=Place(LONG_PATH, 99))
        for finding in MANY.findings
    ),
    verdict="regressed",
)
SHAPES["many"] = MANY
