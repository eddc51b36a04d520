"""What a pull request shows for an analysis: every shape as a snapshot, and no text that can do harm."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.model import Analysis, Finding, Level, Unreadable
from bot.ids import Repo
from bot.repo_config import PATH, Problem, RepoConfig
from bot.report import (
    BUDGET,
    MARKER,
    MAX_LISTED,
    MAX_MESSAGE,
    Report,
    code,
    internal_error,
    not_checked,
    plain,
    render,
    section,
)
from bot.text import visible
from tests.bot.rendered import references, rendered, unbalanced
from tests.bot.shapes import (
    ACCEPTED,
    GAIN,
    GONE,
    HOSTILE,
    LISTED,
    LONG,
    LOSS,
    MANY,
    NOTE,
    QUIET,
    SHAPES,
    STALE,
    UNREADABLE,
    WARNING,
    analysis,
)
from tests.conftest import Snapshots

REPO = Repo("example/berth")
OUR_LINKS = "https://github.com/example/berth/"
# What hostile text is made of: pieces of markup, and whatever else there is.
MARKUP = ["http://", "www.", "GH-", "@octocat", "1.", "</details>", "<!--", "<script>", "](x)", "&amp;", "abc1234"]
MARKUP += [
    "deadbeef",
    ":tada:",
    "```",
    "~~~",
    "---",
    "javascript:",
    *"`*_~[]()<>#@!|\\&$-=+:./ \n\t\0\x1b\u200b\u202e0a1",
]
PIECES = st.sampled_from(MARKUP)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=20).map("".join)


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
    assert report.check.text.count("Accepted") == 2


def test_without_a_repository_links_lead_to_files_beside_the_text() -> None:
    links = rendered(render(SHAPES["mixed"], None).comment or "").links
    assert links
    assert [link for link in links if ":" in link or link.startswith("/")] == []


def test_what_stands_at_base_only_is_linked_there_and_not_annotated() -> None:
    report = render(analysis(GONE), REPO)
    assert report.check.annotations == ()
    assert f"/blob/{analysis().base}/volume/old_windows.go#L20)" in report.check.text


def test_notes_are_not_annotated() -> None:
    assert render(analysis(NOTE), REPO).check.annotations == ()


def test_a_long_list_is_cut_and_counted() -> None:
    comment = render(MANY, REPO).comment or ""
    assert comment.count(" (regression)") == MAX_LISTED
    assert f"- {len(MANY.findings) - MAX_LISTED} more in the check run" in comment
    assert render(MANY, REPO).check.text.count(" (regression)") == len(MANY.findings)


def test_over_the_budget_fewer_are_listed_and_the_rest_is_counted() -> None:
    report = render(LONG, REPO)
    listed = (report.comment or "").count(" (regression)")
    assert 0 < listed < MAX_LISTED
    assert f"- {len(LONG.findings) - listed} more" in (report.comment or "")
    kept = report.check.text.count(" (regression)")
    assert 0 < kept < len(LONG.findings)
    assert report.check.text.endswith(f"- {len(LONG.findings) - kept} more; run `winparity diff` to see all")


def test_a_message_without_end_is_cut() -> None:
    [annotation] = render(analysis(replace(LOSS, message="x" * 10**6)), REPO).check.annotations
    assert len(annotation.message) == MAX_MESSAGE


def _findings() -> st.SearchStrategy[Finding]:
    return st.builds(
        replace,
        st.sampled_from([LOSS, GONE, WARNING, QUIET, GAIN, NOTE, HOSTILE]),
        path=TEXTS.map(lambda name: f"{name * 10}.go"),
        symbol=st.none() | TEXTS,
        message=TEXTS.map(lambda message: message * 20),
        line=st.integers(1, 10**6),
        level=st.sampled_from(Level),
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
        assert unbalanced(shown.html) == []
        assert [link for link in shown.links if not link.startswith(OUR_LINKS)] == []
        assert references(shas.sub("", shown.text)) == []
    for body in (report.comment or "", report.resolved or ""):
        assert body.startswith(f"{MARKER}\n### ")
        assert body.endswith("this comment is kept up to date</sub>")


@settings(deadline=None)
@given(TEXTS)
def test_code_is_one_code_span(text: str) -> None:
    shown = rendered(f"- before {code(text)} after")
    assert len(shown.code) == 1
    assert shown.text == "before  after"
    assert (shown.links, shown.html) == ([], [])
    assert shown.code[0].strip() == visible(text)[:200].strip() or shown.code[0].endswith("…")


@settings(deadline=None)
@given(TEXTS)
def test_plain_is_just_text(text: str) -> None:
    for before in ("", "- "):
        shown = rendered(before + plain(text))
        assert (shown.code, shown.links, shown.html) == ([], [], [])
        assert set(shown.blocks) <= {"paragraph", *(["bullet_list", "list_item"] if before else [])}
        assert references(shown.text) == []
        words = visible(" ".join(text.split())).replace("\u200b", "")
        assert shown.text.replace("\u200b", "") == (before.removeprefix("- ") + words).strip()


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "abc1234", "a" * 40, "@a/b", "x#1", "gh-1", "a@b.c", "1. x", "- x", "---", "a:tada:b"],
)
def test_plain_breaks_what_github_would_link(text: str) -> None:
    shown = rendered(plain(text))
    assert references(shown.text) == []
    assert shown.text.replace("\u200b", "") == text
    assert shown.blocks == ["paragraph"]


def test_a_break_is_never_part_of_a_host_name() -> None:
    """Browsers ignore it there, so the link would lead where the text says."""
    assert "//\u200b" not in plain("https://evil.example")


def test_a_section_ends_at_the_next_heading() -> None:
    page = "Title.\n\nWhat to do\n    Mend it,\n    soon.\n\nNot reported\n    Else.\n"
    assert section(page, "What to do") == "Mend it, soon."
    assert section(page, "Missing") == ""
