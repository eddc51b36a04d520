"""What a line says that was addressed to us, and which findings it names."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.model import Finding
from bot.finding_ids import finding_id
from bot.talk import MAX_REASON
from bot.words import (
    BUTTONS,
    COMMANDS,
    MAX_QUOTED,
    SHORTEST_ID,
    Accept,
    Command,
    Explain,
    Help,
    Ignore,
    Rerun,
    Unclear,
    UnclearError,
    named,
    parse,
)
from tests.bot.shapes import LOSS, NOTE, QUIET, WARNING

FINDINGS = (LOSS, WARNING, QUIET, NOTE)
ID = finding_id(LOSS)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("rerun", Rerun()),
        ("  RERUN  ", Rerun()),
        ("help", Help()),
        ("help me please", Help()),
        ("", Help()),
        ("explain", Explain("")),
        ("explain Store.Free", Explain("Store.Free")),
        ("explain `0123456`", Explain("0123456")),
        ("explain 012345\u200b6", Explain("0123456")),
        ("accept 0123456 no  such\tthing", Accept("0123456", "no such thing")),
        ("Accept stub-added:Free it is @meant", Accept("stub-added:Free", "it is @meant")),
        ("ignore", Ignore("")),
        ("ignore we know", Ignore("we know")),
    ],
)
def test_what_can_be_said_is_understood(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("accept", "a reason"),
        ("accept 0123456", "a reason"),
        ("accept `` because", "a reason"),
        ("explain a b", "one id"),
        ("rerun now", "nothing else"),
        ("please help", "no command please"),
        ("x" * 900, "no command xxx"),
    ],
)
def test_what_is_malformed_is_told_why(line: str, why: str) -> None:
    said = parse(line)
    assert isinstance(said, Unclear)
    assert why in said.words
    assert len(said.words) < MAX_QUOTED + 100


@given(st.text() | st.builds(" ".join, st.lists(st.sampled_from([*COMMANDS, *BUTTONS, "0123456", "`", "\u200b", "a"]))))
def test_any_line_is_one_command_and_short(line: str) -> None:
    match parse(line):
        case Accept(what, reason):
            assert 0 < len(what) + len(reason) <= MAX_REASON
            assert reason == " ".join(reason.split())
        case Explain(words) | Ignore(words) | Unclear(words):
            assert len(words) <= MAX_REASON
        case Rerun() | Help():
            assert line.split()[:1] == [] or line.split(maxsplit=1)[0].lower() in {"rerun", "help"}


@given(st.sampled_from(["explain", "ignore"]), st.from_regex(r"[!-~]{1,40}", fullmatch=True))
def test_what_is_said_is_what_is_kept(verb: str, word: str) -> None:
    said = parse(f"{verb} {word}")
    assert said == (Ignore(word) if verb == "ignore" else Explain(word.strip("`'\"")))


@pytest.mark.parametrize(
    "what",
    [
        ID,
        ID[:SHORTEST_ID],
        ID[:9].upper(),
        "Store.Free",
        "implementation-lost:Store.Free",
        "volume:Store.Free",
        LOSS.fingerprint,
        LOSS.path,
    ],
)
def test_a_finding_is_named_in_many_ways(what: str) -> None:
    assert named(what, FINDINGS) == [LOSS]


@pytest.mark.parametrize("what", [ID[: SHORTEST_ID - 1], "f" * 12, "Free", "Store.free", "", "x" * 500, NOTE.path])
def test_what_names_none_is_told_so(what: str) -> None:
    with pytest.raises(UnclearError, match="there is no finding"):
        named(what, FINDINGS)


def _alike() -> list[Finding]:
    """Two findings whose ids begin with the same digits."""
    known: dict[str, Finding] = {}
    for number in range(20_000):
        finding = replace(LOSS, symbol=f"F{number}")
        first = known.setdefault(finding_id(finding)[:SHORTEST_ID], finding)
        if first is not finding:
            return [first, finding]
    raise AssertionError("there are none")


def test_digits_that_begin_two_ids_are_not_enough() -> None:
    two = _alike()
    with pytest.raises(UnclearError, match="more than one"):
        named(finding_id(two[0])[:SHORTEST_ID], two)
    assert named(finding_id(two[0]), two) == [two[0]]


def test_a_name_that_looks_like_digits_is_a_name() -> None:
    accede = replace(LOSS, symbol="accede")
    assert named("accede", [accede, LOSS]) == [accede]
