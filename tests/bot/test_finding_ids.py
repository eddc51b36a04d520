"""Findings have short names: stable, and each names one finding of a report."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.finding_ids import SHORTEST, finding_id, short_ids
from tests.bot.shapes import GAIN, LOSS, WARNING

# The first two symbols whose ids begin with the same eight digits.
ALIKE = ("F57629", "F64077")


def test_a_name_is_the_beginning_of_the_id() -> None:
    known = short_ids([LOSS, WARNING, GAIN])
    assert all(finding_id(f).startswith(known[f.fingerprint]) for f in (LOSS, WARNING, GAIN))
    assert {len(name) for name in known.values()} == {SHORTEST}
    assert short_ids([]) == {}


def test_lines_and_words_do_not_change_it() -> None:
    assert finding_id(replace(LOSS, line=99, message="else")) == finding_id(LOSS)
    assert finding_id(replace(LOSS, rule="stub-added")) != finding_id(LOSS)


def test_names_grow_until_they_differ() -> None:
    one, other = (replace(LOSS, symbol=symbol) for symbol in ALIKE)
    assert finding_id(one)[:8] == finding_id(other)[:8]
    known = short_ids([one, other, LOSS])
    assert {len(name) for name in known.values()} == {9}
    assert len(set(known.values())) == 3


def test_findings_with_one_fingerprint_have_one_name() -> None:
    assert len(short_ids([LOSS, replace(LOSS, line=9)])) == 1


@given(st.lists(st.text(max_size=5), max_size=30))
def test_no_two_have_one_name(symbols: list[str]) -> None:
    known = short_ids(replace(LOSS, symbol=symbol) for symbol in symbols)
    assert len(set(known.values())) == len(known)
