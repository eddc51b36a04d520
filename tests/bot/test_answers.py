"""What people read because they asked: every shape as a snapshot, within its budget, and harmless."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.model import Analysis, Options, Platform
from bot.answers import ACCEPT, EXPLAIN, RECOMPUTE, buttons, ignored, said
from bot.finding_ids import finding_id
from bot.passages import BUDGET
from bot.report import Report, render
from bot.talk import ALL, MAX_REASON, Talk, Word
from bot.words import BUTTONS, COMMANDS
from tests.bot.rendered import rendered
from tests.bot.shapes import ACCEPTED, GAIN, HOSTILE, LONG, LOSS, MANY, NOTE, QUIET, STALE, WARNING, analysis
from tests.bot.test_injection import REPO, TEXTS, _assert_harmless
from tests.conftest import Snapshots

WORD = Word("octocat", 1, "a port comes next week", 9)
WHOLE = analysis(LOSS, WARNING, GAIN, NOTE, verdict="mixed")
ASKED = Talk(
    explain=(ALL,), help=True, called=True, troubles=(msgspec.structs.replace(WORD, reason="no such *thing*"),)
)


def _shown(talk: Talk, known: Analysis) -> Report:
    known = talk.settled(known)
    return render(known, REPO, said=said(talk, known, REPO, "https://github.com"))


@pytest.mark.parametrize(
    ("name", "talk", "known"),
    [
        ("all", ASKED, WHOLE),
        ("one", Talk(explain=(finding_id(WARNING), "vendor-drift", "gone")), WHOLE),
        ("accepted", Talk(explain=(ALL,), help=True).accepting([LOSS, WARNING], WORD), analysis(LOSS, WARNING)),
        ("darwin", Talk(explain=(ALL,)), replace(WHOLE, options=Options(target=Platform("darwin")))),
    ],
)
def test_what_was_asked_for_is_shown_as_it_was(snapshots: Snapshots, name: str, talk: Talk, known: Analysis) -> None:
    report = _shown(talk, known)
    parts = [f"# comment\n\n{report.comment}", f"# when it is resolved\n\n{report.resolved}"]
    snapshots.check(f"{name}.md", "\n\n".join([*parts, f"# the check run's text\n\n{report.check.text}"]) + "\n")


def test_what_is_quiet_is_shown_as_it_was(snapshots: Snapshots) -> None:
    reports = [ignored(Talk(), msgspec.structs.replace(WORD, reason="")), ignored(ASKED, WORD)]
    assert {(report.comment, report.check.conclusion) for report in reports} == {(None, "neutral")}
    snapshots.check(
        "ignored.md",
        "\n\n".join(
            f"{r.resolved}\n\n# check run: {r.check.title}\n\n{r.check.summary}\n\n{r.check.text}" for r in reports
        )
        + "\n",
    )


@pytest.mark.parametrize("known", [MANY, LONG])
def test_explanations_leave_the_findings_their_room(known: Analysis) -> None:
    report = _shown(ASKED, known)
    for text in (report.comment or "", report.resolved or "", report.check.text):
        assert len(text.encode()) <= BUDGET
        assert text.count("**implementation-lost**: ") >= 1
        assert " more" in text
        assert rendered(text).unbalanced == []
    assert " (regression)" in report.check.text


@settings(max_examples=25)
@given(TEXTS, TEXTS, st.integers(0, 2))
def test_any_words_of_people_stay_words(reason: str, name: str, length: int) -> None:
    word = Word("octocat", 1, (reason * 10**length)[:MAX_REASON], 9)
    hostile = replace(HOSTILE, symbol=name or None, path=f"x/{name}_windows.go")
    talk = Talk(explain=(ALL,), help=True, troubles=(word, word, word)).accepting([LOSS], word)
    report, quiet = _shown(talk, analysis(LOSS, hostile)), ignored(talk, word)
    for text in (report.comment, report.resolved, report.check.text, quiet.resolved, quiet.check.summary):
        assert text is not None
        _assert_harmless(text)


# Buttons.


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (analysis(), (RECOMPUTE,)),
        (analysis(NOTE, ACCEPTED), (RECOMPUTE,)),
        (analysis(GAIN), (RECOMPUTE, EXPLAIN)),
        (analysis(STALE), (RECOMPUTE, EXPLAIN)),
        (analysis(QUIET), (RECOMPUTE, ACCEPT, EXPLAIN)),
        (analysis(LOSS), (RECOMPUTE, ACCEPT, EXPLAIN)),
    ],
)
def test_there_are_buttons_for_what_can_be_done(known: Analysis, wanted: object) -> None:
    assert buttons(known) == wanted


def test_buttons_are_as_short_as_github_wants_them() -> None:
    for action in (RECOMPUTE, ACCEPT, EXPLAIN):
        assert len(action.label) <= 20
        assert len(action.description) <= 40
        assert len(action.identifier) <= 20
    assert {action.identifier for action in (RECOMPUTE, ACCEPT, EXPLAIN)} == set(BUTTONS)


def test_the_documentation_knows_every_command_and_button() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [command for command in COMMANDS if f"`/winparity {command}`" not in page] == []
    assert [action.label for action in (RECOMPUTE, ACCEPT, EXPLAIN) if f"**{action.label}**" not in page] == []
