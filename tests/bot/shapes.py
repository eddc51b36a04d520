"""Analyses of every shape, made by hand: what people read does not depend on a rule's words of the day."""

from dataclasses import replace

from analyzer.model import (
    Accepted,
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
HOSTILE = replace(
    LOSS,
    path=f"x/{HOSTILE_NAME}",
    symbol=f"T.{HOSTILE_NAME}",
    message=f"T.{HOSTILE_NAME} is gone; see GH-1, www.evil.example, http://evil.example :tada: **deadbeef1234** [bold]x[/]",
)


def analysis(*findings: Finding, **changes: object) -> Analysis:
    known = Analysis(BASE, HEAD, "unchanged", findings, Score(6, 1, 2, 1), Score(5, 1, 3, 1))
    return replace(known, **changes)


SHAPES = {
    "improved": analysis(GAIN, verdict="improved"),
    "regressed": analysis(LOSS, GONE, verdict="regressed"),
    "behind": analysis(WARNING, UNTESTED, VENDORED, verdict="regressed"),
    "mixed": analysis(LOSS, WARNING, GAIN, QUIET, NOTE, verdict="mixed"),
    "unchanged": analysis(),
    "incomplete": analysis(WARNING, verdict="regressed", unreadable=UNREADABLE),
    "incomplete-unchanged": analysis(unreadable=UNREADABLE),
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
