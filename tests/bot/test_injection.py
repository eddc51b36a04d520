"""Nothing of a pull request becomes markup, a link, a mention or a log line: each hostile text in every place."""

import io
import json
import re
from dataclasses import replace
from typing import Literal

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.model import Accepted, Analysis, Finding, Level, Place, Unreadable
from analyzer.suppress import accepted
from bot import log
from bot.docs import HOME
from bot.ids import Repo
from bot.markdown import MAX_MESSAGE, MAX_NAME, code, plain
from bot.passages import BUDGET
from bot.repo_config import Problem, RepoConfig
from bot.report import Report, internal_error, not_checked, render
from bot.text import visible
from bot.workflow import workflow_commands
from tests.bot.injection import INJECTIONS
from tests.bot.rendered import OURS, references, rendered
from tests.bot.shapes import BASE, GAIN, GONE, HEAD, LOSS, NOTE, QUIET, STALE, UNEXPLAINED, UNTESTED, WARNING, analysis

REPO = Repo("example/berth")
OUR_LINKS = ("https://github.com/example/berth/", f"{HOME}/blob/main/")
SHAS = re.compile(f"{BASE[:7]}|{HEAD[:7]}")
TEXTS = st.lists(st.sampled_from([*INJECTIONS.values()]) | st.text(max_size=8), max_size=6).map("".join)
SHORT = {name: text for name, text in INJECTIONS.items() if len(text) < MAX_NAME}
FINDINGS = (LOSS, GONE, WARNING, UNTESTED, QUIET, GAIN, NOTE, STALE, UNEXPLAINED)


def _made_of(text: str) -> tuple[Analysis, RepoConfig, tuple[Problem, ...]]:
    """An analysis that has every kind of finding, and the text wherever a pull request or a person can put one."""
    hostile = [
        replace(
            finding,
            path=f"x/{text}.go",
            symbol=text,
            message=f"{text} is {text}",
            package=text,
            before=Place(f"b/{text}", 1),
            counterpart=Place(f"c/{text}", 1),
            line=number,
        )
        for number, finding in enumerate(FINDINGS, 1)
    ]
    by = [
        Accepted(text, Place(text, 1), in_source=True, new=True),
        Accepted(text, None, in_source=False, new=True, who=text),
        Accepted(text, Place(text, 1), in_source=False, issue=text),
    ]
    hostile += [accepted(hostile[0], who) for who in by]
    hostile += [replace(hostile[0], message=text), replace(hostile[0], symbol=None, message=f"{text}.")]
    known = analysis(*hostile, verdict="mixed", unreadable=(Unreadable(text, text),))
    problem = Problem(1, f"comment must be one of never, not {text[:40]!r}")
    return known, RepoConfig(problems=(problem, Problem(2, text))), (problem, Problem(2, text))


def _report(text: str) -> Report:
    known, config, edited = _made_of(text)
    return render(known, REPO, comment="always", config=config, edited=edited)


def _texts(report: Report) -> list[str]:
    return [report.comment or "", report.resolved or "", report.check.summary, report.check.text]


def _assert_harmless(markdown: str) -> None:
    shown = rendered(markdown)
    assert set(shown.tags) <= OURS
    assert (shown.attributes, shown.unbalanced) == ([], [])
    assert shown.comments == ["winparity"] * markdown.startswith("<!--")
    assert [link for link in shown.links if not link.startswith(OUR_LINKS)] == []
    assert references(SHAS.sub("", shown.text)) == []
    assert shown.shown.isprintable() or all(c.isprintable() or c == "\n" for c in shown.shown)
    assert len(markdown.encode()) <= BUDGET


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_it_is_harmless_in_every_place_of_every_text(text: str) -> None:
    for markdown in _texts(_report(text)):
        _assert_harmless(markdown)


@pytest.mark.parametrize("text", SHORT.values(), ids=SHORT)
def test_it_is_shown_as_the_text_that_it_is(text: str) -> None:
    report = _report(text)
    for markdown in (report.comment or "", report.check.text):
        shown = rendered(markdown)
        assert any(visible(text).strip() in span for span in shown.code)
        assert visible(" ".join(text.split())) in shown.shown


@pytest.mark.parametrize("text", SHORT.values(), ids=SHORT)
def test_it_brings_no_element_and_takes_none_away(text: str) -> None:
    """The page has the same elements as one with harmless text. Longer texts pass the budget sooner than others."""
    harmless = "x" * len(text) if text.strip() else text
    mine, theirs = (rendered(_report(words).comment or "").tags for words in (text, harmless))
    assert mine == theirs


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_annotations_and_title_are_plain(text: str) -> None:
    check = _report(text).check
    assert check.annotations
    for annotation in check.annotations:
        assert references(annotation.message) == []
        lines = annotation.message.split("\n")
        assert len(lines) <= 3
        assert all(line.replace("\u200b", "").isprintable() for line in lines)
        assert len(annotation.message) < 2 * MAX_MESSAGE
        assert annotation.title in {finding.rule for finding in FINDINGS} | {"settings"}
    assert check.title.startswith("Windows: mixed. 2 regressions") or "regressions" in check.title
    assert references(check.title) == []


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_our_own_trouble_tells_it_as_text(text: str) -> None:
    for report in (internal_error(text), not_checked(text)):
        _assert_harmless(report.check.summary)


@pytest.mark.parametrize("text", INJECTIONS.values(), ids=INJECTIONS)
def test_it_forges_no_line_of_a_workflows_log(text: str) -> None:
    known, _, _ = _made_of(text)
    *commands, last = workflow_commands(known)
    for line in commands:
        assert line.isprintable()
        assert re.match(r"::(error|warning|notice) [^:]*title=[a-z-]+::", line)
    assert last.startswith("Windows: ")


@pytest.mark.parametrize("form", ["console", "json"])
def test_it_forges_no_line_of_our_log(form: Literal["console", "json"], monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    log.set_up(form)
    try:
        for text in INJECTIONS.values():
            structlog.get_logger().info("done", outcome=text, pull=f"example/berth#1 {text}", names=[text])
    finally:
        structlog.reset_defaults()
    lines = out.getvalue().split("\n")
    assert len(lines) == len(INJECTIONS) + 1
    assert all(line.isprintable() for line in lines)
    if form == "json":
        assert {json.loads(line)["event"] for line in lines if line} == {"done"}


@settings(max_examples=30)
@given(TEXTS)
def test_no_mixture_of_them_does_harm(text: str) -> None:
    for markdown in _texts(_report(text)):
        _assert_harmless(markdown)


@settings(max_examples=100)
@given(TEXTS, st.sampled_from(["", "- ", "**x**: "]))
def test_plain_is_just_text(text: str, before: str) -> None:
    shown = rendered(before + plain(text))
    assert (shown.code, shown.links, shown.unbalanced) == ([], [], [])
    assert set(shown.tags) <= {"p", "ul", "li", "strong"}
    assert references(shown.text) == []
    words = visible(" ".join(text.split()))
    if len(words) <= MAX_MESSAGE:
        assert shown.shown.strip().endswith(words.strip())


@settings(max_examples=100)
@given(TEXTS)
def test_code_is_one_code_span(text: str) -> None:
    shown = rendered(f"- before {code(text)} after")
    assert len(shown.code) == 1
    assert shown.text.strip() == "before  after"
    assert (shown.links, set(shown.tags)) == ([], {"ul", "li", "code"})


def test_a_dollar_is_never_the_beginning_of_math() -> None:
    """GitHub looks for math in the source, where a backslash before it says that it is text."""
    assert plain("$x$ $`y`$") == r"\$x\$ \$\`y\`\$"


@pytest.mark.parametrize("finding", [f for f in FINDINGS if f.level is not Level.NOTE], ids=lambda f: f.rule)
def test_every_place_is_really_tried(finding: Finding) -> None:
    """A kind of finding that the page does not show would pass all of the above."""
    known, _, _ = _made_of("@octocat")
    assert sum(f.rule == finding.rule for f in known.findings)
    assert f"[{finding.rule}][" in (render(known, REPO, comment="always").check.text)
