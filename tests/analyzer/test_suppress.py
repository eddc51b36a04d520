"""What a project makes of findings: directives in the source, entries of its configuration, levels of its own."""

from dataclasses import replace

import pytest

from analyzer import analyze, scan
from analyzer.directives import directives
from analyzer.model import Acceptance, Accepted, Finding, Level, Options, Platform, Policy, RuleLevel
from analyzer.suppress import PAGES, accepted
from analyzer.symbols import packages
from tests.analyzer.cases import snapshot

REAL = 'package vol\n\nimport "os"\n\nfunc Free(name string) error {\n\treturn os.Remove(name)\n}\n'
STUB = "package vol\n\nfunc Free(name string) error {\n\treturn nil\n}\n"
BASE = {"vol/free_linux.go": REAL, "vol/free_windows.go": REAL}
ENTRY = Acceptance("vol", "Free", (), "Windows frees by itself.", ".github/winparity.yml", 4, "https://x.example/1")
OURS = (".github/winparity.yml", 4)


def _above(*lines: str, source: str = STUB) -> str:
    return source.replace("func Free", "\n".join([*lines, "func Free"]))


def _found(windows: str, policy: Policy | None = None, base: dict[str, str] | None = None) -> tuple[Finding, ...]:
    before = BASE if base is None else base
    head = {**BASE, "vol/free_windows.go": windows}
    return analyze(snapshot(before, "a"), snapshot(head, "b"), Options(policy=policy or Policy())).findings


def _said(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.level.value) for finding in findings]


LOST = ("implementation-lost", "regression")
ACCEPTED = ("implementation-lost", "note")
REASON = "//winparity:ignore implementation-lost Windows frees by itself."


@pytest.mark.parametrize(
    "windows",
    [
        _above(REASON),
        _above("// Free frees.", "//", REASON),
        _above(REASON, "//", "// Free frees."),
        _above("//winparity:ignore stub-added,implementation-lost Windows frees by itself."),
        _above("//winparity:ignore stub-added, implementation-lost Windows frees by itself."),
        _above(REASON).replace("\n", "\r\n"),
        STUB.replace("error {", "error { " + REASON),
        REASON + "\n\n" + STUB,
        "// Package vol.\n" + REASON + "\n" + STUB,
    ],
)
def test_a_directive_accepts(windows: str) -> None:
    [finding] = _found(windows)
    assert (finding.rule, finding.level) == ACCEPTED
    assert finding.message.endswith("Accepted in this very change: Windows frees by itself.")
    assert finding.accepted is not None
    assert (finding.accepted.new, finding.accepted.in_source) == (True, True)
    assert finding.accepted.place.path == "vol/free_windows.go"


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        (STUB, [LOST]),
        (_above(REASON, ""), [LOST, ("ignore-stale", "warning")]),
        (_above("//winparity:ignore implementation-lost"), [LOST, ("ignore-unexplained", "warning")]),
        (_above("//winparity:ignore"), [LOST, ("ignore-unexplained", "warning")]),
        (_above("//winparity:ignore because I say so"), [LOST, ("ignore-stale", "warning")]),
        (_above("//winparity:ignore implementation-gone so it is"), [LOST, ("ignore-stale", "warning")]),
        (_above("//winparity:ignore stub-added another rule"), [LOST]),
        (_above("//winparity:ignored implementation-lost x"), [LOST]),
        (_above("// winparity:ignore implementation-lost x"), [LOST]),
        (STUB + "\nvar text = `\n" + REASON + "\nfunc Free()`\n", [LOST]),
        (STUB.replace("\treturn nil", "\t" + REASON + "\n\treturn nil"), [LOST, ("ignore-stale", "warning")]),
    ],
)
def test_a_directive_that_does_not_accept(windows: str, said: list[tuple[str, str]]) -> None:
    assert _said(_found(windows)) == said


def test_a_person_accepts_by_name_and_without_a_place() -> None:
    [finding] = _found(STUB)
    settled = accepted(finding, Accepted("nobody asks for it", None, in_source=False, new=True, who="octocat"))
    assert settled.level is Level.NOTE
    assert settled.message == f"{finding.message} Accepted by octocat: nobody asks for it"
    assert settled.fingerprint == finding.fingerprint


def test_what_was_accepted_before_is_not_called_new() -> None:
    base = {**BASE, "vol/free_windows.go": _above(REASON, source=REAL)}
    [finding] = _found(_above(REASON), base=base)
    assert finding.message.endswith(" Accepted: Windows frees by itself.")
    assert finding.accepted is not None
    assert not finding.accepted.new


def test_what_is_only_on_linux_is_accepted_there() -> None:
    base = {"vol/free_linux.go": REAL, "vol/free_windows.go": REAL + "\nfunc Other() {\n\tFree(`x`)\n}\n"}
    head = {"vol/free_linux.go": _above(REASON, source=REAL), "vol/free_windows.go": base["vol/free_windows.go"][-30:]}
    head["vol/free_windows.go"] = "package vol\n\nfunc Other() {\n\tprintln(`x`)\n}\n"
    found = analyze(snapshot(base, "a"), snapshot(head, "b")).findings
    assert [(f.rule, f.level, f.side) for f in found if f.symbol == "Free"] == [(*ACCEPTED, "base")]


def test_a_directive_goes_stale_loudly_once_and_quietly_after() -> None:
    """The change that mends the stub is told to remove the comment; later changes beside it are only reminded."""
    stubbed = {**BASE, "vol/free_windows.go": _above(REASON)}
    mended = {**BASE, "vol/free_windows.go": _above(REASON, source=REAL)}
    later = {**mended, "vol/other.go": "package vol\n"}
    loud = analyze(snapshot(stubbed, "a"), snapshot(mended, "b"))
    assert _said(loud.findings) == [("ignore-stale", "warning"), ("stub-resolved", "improvement")]
    assert loud.verdict == "improved"
    assert _said(analyze(snapshot(mended, "a"), snapshot(later, "b")).findings) == [("ignore-stale", "note")]


def test_a_directive_that_still_has_something_to_accept_is_left_alone() -> None:
    stubbed = {**BASE, "vol/free_windows.go": _above(REASON)}
    assert _found(_above(REASON) + "\nvar x int\n", base=stubbed) == ()


def test_a_file_that_builds_again_has_nothing_left_to_accept() -> None:
    head = "//winparity:ignore tag-added no pty there\n\npackage vol\n\nfunc G() {}\n"
    found = analyze(snapshot({"g.go": "package vol\n"}, "a"), snapshot({"g.go": head}, "b")).findings
    assert _said(found) == [("ignore-stale", "warning")]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (ENTRY, [ACCEPTED]),
        (replace(ENTRY, rules=("implementation-lost",)), [ACCEPTED]),
        (replace(ENTRY, rules=("stub-added",)), [LOST]),
        (replace(ENTRY, name="Other"), [LOST, ("ignore-stale", "note")]),
        (replace(ENTRY, package="other"), [LOST]),
        (replace(ENTRY, expires="2026-01-31"), [ACCEPTED]),
        (replace(ENTRY, expires="2026-01-30"), [LOST, ("ignore-stale", "note")]),
        (replace(ENTRY, name="gone.go"), [LOST, ("ignore-stale", "note")]),
    ],
)
def test_an_entry_accepts(entry: Acceptance, said: list[tuple[str, str]]) -> None:
    found = _found(STUB, Policy(accept=(entry,), today="2026-01-31"))
    assert _said(found) == said
    if found[0].level is Level.NOTE:
        assert found[0].message.endswith(" Accepted: Windows frees by itself. (https://x.example/1)")
    assert [(f.path, f.line) for f in found if f.rule in PAGES] == [OURS] * (len(said) - 1)


def test_an_entry_may_name_a_file() -> None:
    base = {"vol/free.go": REAL, "vol/free_linux.go": "package vol\n"}
    head = {"vol/free.go": "//go:build !windows\n\n" + REAL, "vol/free_linux.go": "package vol\n"}
    policy = Policy(accept=(replace(ENTRY, name="free.go"),))
    found = analyze(snapshot(base, "a"), snapshot(head, "b"), Options(policy=policy))
    assert _said(found.findings) == [ACCEPTED]
    assert found.verdict == "unchanged"


@pytest.mark.parametrize(
    ("level", "said"),
    [("off", []), ("note", [ACCEPTED]), ("warning", [("implementation-lost", "warning")]), ("regression", [LOST])],
)
def test_a_rule_has_the_level_that_the_project_wants(level: RuleLevel, said: list[tuple[str, str]]) -> None:
    assert _said(_found(STUB, Policy({"implementation-lost": level}))) == said


def test_good_news_is_never_raised_to_bad() -> None:
    base = {**BASE, "vol/free_windows.go": STUB}
    assert _said(_found(REAL, Policy({"stub-resolved": "regression"}), base)) == [("stub-resolved", "improvement")]


def test_a_scan_lists_every_acceptance_gone_stale() -> None:
    files = {**BASE, "vol/free_windows.go": _above("//winparity:ignore stub-added", source=REAL)}
    policy = Policy(accept=(ENTRY, replace(ENTRY, package="gone", line=9)))
    found = scan(snapshot(files), Options(policy=policy)).accepting
    assert [(f.rule, f.path, f.line) for f in found] == [
        ("ignore-stale", *OURS),
        ("ignore-stale", ".github/winparity.yml", 9),
        ("ignore-unexplained", "vol/free_windows.go", 5),
    ]


def test_a_file_that_is_no_go_is_no_trouble() -> None:
    [package] = packages(snapshot({"a.go": REASON + "\npackage\x00 a {{{{\n" + REASON}), Options()).values()
    assert [d.line for d in directives(package)] != []


@pytest.mark.parametrize(("goos", "name"), [("darwin", "macOS"), ("freebsd", "FreeBSD")])
def test_other_platforms_are_called_by_their_names(goos: str, name: str) -> None:
    base = {"v/Windows_linux.go": REAL, f"v/f_{goos}.go": REAL}
    head = {"v/Windows_linux.go": REAL, f"v/f_{goos}.go": STUB}
    options = Options(target=Platform(goos))
    [finding] = analyze(snapshot(base, "a"), snapshot(head, "b"), options).findings
    assert finding.message == f"Free did real work on {name} and now returns only zero values."
