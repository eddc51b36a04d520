"""What a pull request shows for an analysis: every shape as a snapshot, and no text that can do harm."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.model import Advice, Analysis, Finding, Level, Place, Score, Side, Unreadable
from bot.check import MAX_ANNOTATED, MAX_TITLE
from bot.comment import MARKER, leading_to
from bot.docs import HOME
from bot.ids import Repo
from bot.markdown import MAX_MESSAGE, plain
from bot.passages import BUDGET, FEWER, headline
from bot.repo_config import PATH, Problem, RepoConfig
from bot.report import Report, internal_error, not_checked, render
from tests.bot.injection import INJECTIONS
from tests.bot.rendered import OURS, references, rendered
from tests.bot.shapes import (
    ACCEPTED,
    BASE,
    GAIN,
    GONE,
    HEAD,
    HOSTILE,
    LISTED,
    LONG,
    LONG_PATH,
    LOSS,
    MANY,
    NOTE,
    QUIET,
    REACHED,
    SHAPES,
    STALE,
    UNREADABLE,
    UNTESTED,
    VENDORED,
    WARNING,
    analysis,
)
from tests.conftest import Snapshots

REPO = Repo("example/berth")
OUR_LINKS = ("https://github.com/example/berth/", f"{HOME}/blob/main/")
TEXTS = st.lists(st.sampled_from([*INJECTIONS.values()]) | st.text(max_size=5), max_size=4).map("".join)


def _show(report: Report) -> str:
    check = report.check
    parts = [
        f"# comment\n\n{report.comment}",
        f"# when it is resolved\n\n{report.resolved}",
        f"# check run: {check.conclusion}, {check.title}\n\n{check.summary}",
        f"# its text\n\n{check.text}",
        "# its annotations\n\n" + "\n".join(str(annotation) for annotation in check.annotations),
    ]
    return "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_shown_is_as_it_was(snapshots: Snapshots, shape: str) -> None:
    snapshots.check(f"{shape}.md", _show(render(SHAPES[shape], REPO)))


@pytest.mark.parametrize(
    ("name", "report"),
    [("internal-error", internal_error("the-delivery")), ("no-source", not_checked("git fetch failed for *x*"))],
)
def test_our_own_trouble_is_shown_as_it_was(snapshots: Snapshots, name: str, report: Report) -> None:
    snapshots.check(f"{name}.md", _show(report))
    assert (report.comment, report.resolved, report.check.conclusion) == (None, None, "neutral")


@pytest.mark.parametrize(
    ("findings", "spoken"),
    [
        ((LOSS,), {"regressions", "findings", "always"}),
        ((WARNING,), {"findings", "always"}),
        ((GAIN,), {"findings", "always"}),
        ((QUIET,), {"always"}),
        ((NOTE,), {"always"}),
        ((), {"always"}),
    ],
)
def test_a_comment_is_as_rare_as_the_setting_says(findings: tuple[Finding, ...], spoken: set[str]) -> None:
    modes = ("never", "regressions", "findings", "always")
    said = {mode for mode in modes if render(analysis(*findings), REPO, comment=mode).comment is not None}  # type: ignore[arg-type]
    assert said == spoken


@pytest.mark.parametrize(
    ("known", "conclusion"),
    [
        (analysis(), "success"),
        (analysis(GAIN, QUIET, NOTE), "success"),
        (analysis(WARNING), "neutral"),
        (analysis(LOSS), "failure"),
        (analysis(LOSS, WARNING, GAIN), "failure"),
        (analysis(unreadable=UNREADABLE), "neutral"),
        (analysis(GAIN, unreadable=UNREADABLE), "neutral"),
        (analysis(LOSS, unreadable=UNREADABLE), "failure"),
    ],
)
def test_green_is_only_what_is_known_to_be(known: Analysis, conclusion: str) -> None:
    assert render(known, REPO).check.conclusion == conclusion


MISTAKE = Problem(3, "comment must be one of never, always, not '<b>@octocat'")


@pytest.mark.parametrize(
    ("known", "config", "edited", "conclusion"),
    [
        (analysis(LOSS), RepoConfig(fail_on="never"), (), "neutral"),
        (analysis(QUIET), RepoConfig(fail_on="warning"), (), "failure"),
        (analysis(QUIET), RepoConfig(), (), "success"),
        (analysis(), RepoConfig(problems=(MISTAKE,)), (), "neutral"),
        (analysis(LOSS), RepoConfig(problems=(MISTAKE,)), (), "failure"),
        (analysis(), RepoConfig(), (MISTAKE,), "neutral"),
        (analysis(ACCEPTED, LISTED, STALE), RepoConfig(), (), "success"),
    ],
)
def test_the_repository_says_what_fails(
    known: Analysis, config: RepoConfig, edited: tuple[Problem, ...], conclusion: str
) -> None:
    assert render(known, REPO, config=config, edited=edited).check.conclusion == conclusion


def test_mistakes_in_the_settings_are_shown_as_they_were(snapshots: Snapshots) -> None:
    report = render(analysis(), REPO, config=RepoConfig(problems=(MISTAKE,)), edited=(MISTAKE, Problem(9, "no")))
    snapshots.check("settings.md", _show(report))
    assert [(a.path, a.start_line) for a in report.check.annotations] == [(PATH, 3), (PATH, 9)]
    assert references(rendered(report.check.summary).text.replace("bbbbbbb…a1a1a1a", "")) == []


def test_what_is_accepted_is_no_news_but_no_secret() -> None:
    report = render(analysis(ACCEPTED, LISTED), REPO)
    assert report.comment is None
    assert report.check.title == "Windows: 1 accepted in this very change"
    assert report.check.text.count(". Accepted") == 2


def test_without_a_repository_links_lead_to_files_beside_the_text() -> None:
    links = rendered(render(SHAPES["mixed"], None, by_app=False).comment or "").links
    files = [link for link in links if not link.startswith(HOME)]
    assert "volume/usage_windows.go#L6-L8" in files
    assert [link for link in files if ":" in link or link.startswith("/")] == []


def test_where_no_app_is_nothing_leads_to_its_check_run_or_its_commands() -> None:
    for repo in (None, REPO):
        comment = render(MANY, repo, by_app=False).comment or ""
        assert "more: see `winparity diff`." in comment
        assert "//winparity:ignore implementation-lost REASON" in comment
        assert [words for words in ("/checks", "/winparity ", "full report", "full-report") if words in comment] == []


def test_what_stands_at_base_only_is_linked_there_and_not_annotated() -> None:
    report = render(analysis(GONE), REPO)
    assert report.check.annotations == ()
    assert "[`volume/old_windows.go:20`][1] before" in report.check.text
    assert f"[1]: {OUR_LINKS[0]}blob/{analysis().base}/volume/old_windows.go#L20\n" in report.check.text


@pytest.mark.parametrize(("side", "sha"), [("base", BASE), ("head", HEAD)])
def test_a_way_is_linked_where_it_was_read(side: Side, sha: str) -> None:
    text = render(analysis(replace(REACHED, chains_at=side)), REPO).check.text
    assert f"/blob/{sha}/api/router.go#L24" in text


def test_notes_are_not_annotated() -> None:
    assert render(analysis(NOTE), REPO).check.annotations == ()


def test_a_long_list_is_cut_and_counted() -> None:
    comment = render(MANY, REPO).comment or ""
    assert comment.count(" (regression)") == FEWER[0]
    assert f"\n{len(MANY.findings) - FEWER[0]} more: see [full report][full-report].\n" in comment
    assert render(MANY, REPO).check.text.count(" (regression)") == len(MANY.findings)


def test_over_the_budget_fewer_are_listed_and_the_rest_is_counted() -> None:
    report = render(LONG, REPO)
    listed = (report.comment or "").count(" (regression)")
    assert 0 < listed < FEWER[0]
    assert f"\n{len(LONG.findings) - listed} more: see" in (report.comment or "")
    kept = report.check.text.count(" (regression)")
    assert 0 < kept < len(LONG.findings)
    assert f"\n{len(LONG.findings) - kept} more: run `winparity diff` to see all.\n" in report.check.text
    assert len(report.check.text.encode()) > BUDGET - len(LONG_PATH) * 4, "one more would pass it"


def test_a_message_without_end_is_cut() -> None:
    [annotation] = render(analysis(replace(LOSS, message="x" * 10**6)), REPO).check.annotations
    assert len(annotation.message.split("\n")[0]) == MAX_MESSAGE


def _findings() -> st.SearchStrategy[Finding]:
    return st.builds(
        replace,
        st.sampled_from([LOSS, GONE, WARNING, QUIET, GAIN, NOTE, HOSTILE, REACHED]),
        path=TEXTS.map(lambda name: f"{name * 10}.go"),
        symbol=st.none() | TEXTS,
        message=TEXTS.map(lambda message: message * 20),
        line=st.integers(1, 10**6),
        level=st.sampled_from(Level),
        advice=st.none() | st.builds(Advice, TEXTS, TEXTS.map(lambda patch: patch * 20), st.just("") | TEXTS),
    )


@settings(max_examples=25, deadline=None)
@given(
    findings=st.lists(_findings(), max_size=6),
    times=st.sampled_from([1, 2, 30]),
    unreadable=st.lists(st.builds(Unreadable, TEXTS, TEXTS.map(lambda text: text * 20)), max_size=4),
)
def test_any_report_is_short_whole_and_harmless(
    findings: list[Finding], times: int, unreadable: list[Unreadable]
) -> None:
    known = analysis(*(findings * times), unreadable=tuple(unreadable * times))
    report = render(known, REPO, comment="always")
    shas = re.compile("|".join((known.base[:7], known.head[:7])))
    for text in (report.comment or "", report.resolved or "", report.check.summary, report.check.text):
        assert len(text.encode()) <= BUDGET
        shown = rendered(text)
        assert (shown.unbalanced, shown.attributes, set(shown.tags) - OURS) == ([], [], set())
        assert [link for link in shown.links if not link.startswith(OUR_LINKS)] == []
        assert references(shas.sub("", shown.text)) == []
    for body in (report.comment or "", report.resolved or ""):
        assert body.startswith(f"{MARKER}\n### ")
        assert body.splitlines()[-1] == f"[full-report]: {OUR_LINKS[0]}commit/{HEAD}/checks"


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "abc1234", "a" * 40, "@a/b", "x#1", "gh-1", "a@b.c", "1. x", "- x", "---", "a:tada:b"],
)
def test_plain_breaks_what_github_would_link(text: str) -> None:
    shown = rendered(plain(text))
    assert references(shown.text) == []
    assert shown.text.replace("\u200b", "") == text
    assert shown.tags == ["p"]


def test_a_break_is_never_part_of_a_host_name() -> None:
    """Browsers ignore it there, so the link would lead where the text says."""
    assert "//\u200b" not in plain("https://evil.example")


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (analysis(), "Windows: unchanged"),
        (analysis(unreadable=UNREADABLE), "Windows: nothing found; not all could be read"),
        (analysis(LOSS, GONE, WARNING), "Windows: regressed. 2 regressions, 1 warning"),
        (analysis(WARNING), "Windows: falls behind. 1 warning"),
        (analysis(WARNING, QUIET), "Windows: falls behind. 2 warnings"),
        (analysis(QUIET), "Windows: unchanged for users. 1 warning"),
        (analysis(STALE), "Windows: unchanged. 1 warning"),
        (analysis(GAIN), "Windows: improved. 1 improvement"),
        (analysis(GAIN, QUIET), "Windows: improved. 1 warning, 1 improvement"),
        (analysis(WARNING, GAIN), "Windows: mixed. 1 warning, 1 improvement"),
        (analysis(LOSS, GAIN), "Windows: mixed. 1 regression, 1 improvement"),
        (analysis(ACCEPTED), "Windows: 1 accepted in this very change"),
        (analysis(ACCEPTED, LOSS), "Windows: regressed. 1 regression, 1 accepted in this very change"),
        (analysis(LISTED, NOTE), "Windows: unchanged"),
    ],
)
def test_the_verdict_is_what_a_user_sees(known: Analysis, said: str) -> None:
    assert headline(known) == said
    assert (render(known, REPO, comment="always").comment or "").startswith(f"{MARKER}\n### {said}\n")


def test_evidence_leads_to_both_revisions_and_both_platforms() -> None:
    text = render(analysis(LOSS, UNTESTED, VENDORED, GAIN), REPO).comment or ""
    lost, untested, vendored, gained = (line for line in text.splitlines() if line.startswith("  [`"))
    assert lost.startswith(
        "  [`volume/usage_windows.go:6`][1] · [before][2] · [on Linux][3] · [implementation-lost][4] "
    )
    for number, where in enumerate(
        (
            f"{HEAD}/volume/usage_windows.go#L6-L8",
            f"{BASE}/volume/usage_windows.go#L12",
            f"{HEAD}/volume/usage_linux.go#L6",
        ),
        1,
    ):
        assert f"\n[{number}]: {OUR_LINKS[0]}blob/{where}\n" in text
    assert ("[before]" in untested, "[on Linux]" in untested) == (True, False)
    assert "[in the vendored package]" in vendored
    assert "[before]" not in gained


def test_a_place_is_linked_once() -> None:
    """New on Linux only: what was found is the counterpart itself."""
    found = replace(LOSS, before=None, counterpart=Place(LOSS.path, LOSS.line))
    assert "on Linux" not in (render(analysis(found), REPO).comment or "")


def test_a_rule_is_explained_once_however_many_findings_it_has() -> None:
    comment = render(analysis(LOSS, replace(LOSS, symbol="B"), WARNING), REPO).comment or ""
    assert comment.count("**Fix:**") == 2
    assert comment.count("implementation-lost](") == 0
    assert comment.count("[implementation-lost][") == 2


def test_a_finding_is_accepted_by_the_name_that_it_has_here() -> None:
    comment = render(analysis(LOSS, WARNING), REPO).comment or ""
    [name] = re.findall(r"/winparity accept ([0-9a-f]{7,}) REASON", comment)
    first = next(line for line in comment.splitlines() if line.startswith("  [`"))
    assert first.removesuffix("\\").endswith(f"`{name}`")


@pytest.mark.parametrize("finding", [GAIN, NOTE, ACCEPTED, STALE])
def test_what_needs_no_accepting_has_no_name(finding: Finding) -> None:
    assert re.search("`[0-9a-f]{7,}`", render(analysis(finding), REPO, comment="always").comment or "") is None


def test_a_file_is_accepted_above_its_package_clause() -> None:
    comment = render(analysis(replace(LOSS, symbol=None)), REPO).comment or ""
    assert "`//winparity:ignore implementation-lost REASON` above `package`" in comment


def test_details_are_last_because_a_mail_unfolds_them() -> None:
    comment = render(SHAPES["mixed"], REPO).comment or ""
    order = ["users lose", "Meant to be so?", "users gain", "<details>", "Windows parity", "[1]: "]
    assert sorted(order, key=comment.index) == order


def test_nothing_of_the_look_hides_on_a_phone() -> None:
    """GitHub gives <sub> no line height: where it wraps, its lines lie on each other."""
    assert "sub" not in rendered(render(SHAPES["mixed"], REPO).comment or "").tags


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ((), "### Windows: resolved\n\nWhat was reported here is resolved.\n"),
        ((ACCEPTED,), "What was reported here is resolved, or accepted in this very change.\n"),
        ((QUIET, WARNING), "2 findings left: see [full report]"),
        ((LOSS,), "### Windows: regressed. 1 regression\n\nComments are off here now; the full report"),
    ],
)
def test_a_resolved_comment_says_no_more_than_is_true(left: tuple[Finding, ...], said: str) -> None:
    assert said in (render(analysis(*left), REPO, comment="never").resolved or "")


def test_the_full_report_is_the_check_run_once_it_has_an_address() -> None:
    body = render(SHAPES["mixed"], REPO).comment or ""
    led = leading_to(body, "https://github.com/example/berth/runs/1")
    assert led.replace("/runs/1", f"/commit/{HEAD}/checks") == body
    assert rendered(led).links.count("https://github.com/example/berth/runs/1") == 1
    assert leading_to(body, "") == body
    assert leading_to("a body without a link", "https://x.example") == "a body without a link"


def test_the_full_report_cannot_be_led_elsewhere() -> None:
    """Text of the pull request that looks like our own link is only text, and stays as it is."""
    text = "[full report][full-report]\n[full-report]: https://evil.example"
    body = render(analysis(replace(LOSS, symbol=text, message=text, path=text)), REPO).comment or ""
    links = rendered(leading_to(body, "https://github.com/example/berth/runs/1")).links
    assert [link for link in links if not link.startswith(OUR_LINKS)] == []
    assert links.count("https://github.com/example/berth/runs/1") == 1


def test_titles_are_short() -> None:
    many = analysis(*(replace(f, symbol=str(n)) for f in (LOSS, WARNING, GAIN, ACCEPTED) for n in range(5_000)))
    check = render(replace(many, unreadable=UNREADABLE), REPO, edited=(MISTAKE,)).check
    assert len(check.title) <= MAX_TITLE
    assert check.title.startswith("Windows: mixed. 5000 regressions, 5000 warnings, 5000 improvements")


def test_of_very_many_remarks_the_first_are_made_and_the_text_counts_all() -> None:
    findings = [replace(QUIET, line=n, symbol=f"f{n}") for n in range(1, 3 * MAX_ANNOTATED)]
    check = render(analysis(LOSS, *findings), REPO).check
    assert len(check.annotations) == MAX_ANNOTATED
    assert check.annotations[0].title == LOSS.rule
    assert "more" in check.text


def test_annotations_say_how_to_fix_and_how_to_accept() -> None:
    by_rule = {a.title: a.message.split("\n") for a in render(analysis(LOSS, GAIN, QUIET), REPO).check.annotations}
    assert [len(lines) for lines in by_rule.values()] == [3, 1, 1]
    assert by_rule["implementation-lost"][1].startswith("To fix it: ")
    assert by_rule["implementation-lost"][2] == "Meant to be so? //winparity:ignore implementation-lost REASON"


def test_parity_is_left_out_where_nothing_is_counted() -> None:
    known = replace(analysis(), base_score=Score(), head_score=Score())
    assert "parity of" not in render(known, REPO).check.summary
    assert "65.0% → 55.0%" in render(analysis(), REPO).check.summary
