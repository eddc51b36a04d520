"""What a terminal shows, as snapshots; and that no name reaches it raw."""

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from analyzer.model import PackageParity, Parity, Place, Score, Status, Stub, SymbolParity, Unreadable
from bot.output import analysis_json
from bot.terminal import show_analysis, show_parity
from tests.bot.shapes import HEAD, HOSTILE, HOSTILE_NAME, LOSS, SHAPES, analysis
from tests.conftest import Snapshots


def _shown(show: Callable[[Console], None], width: int = 100, *, colour: bool = False) -> str:
    out = io.StringIO()
    show(
        Console(file=out, width=width, emoji=False, force_terminal=colour, color_system="standard" if colour else None)
    )
    return out.getvalue()


def _parity(*dirs: str) -> Parity:
    symbols = (SymbolParity("F", "func", Status.STUB, Stub.ERROR, gap=True, windows=Place("f_windows.go", 3)),)
    packages = tuple(PackageParity(name, Score(3 - n, n, 1, 0), symbols) for n, name in enumerate(dirs))
    return Parity(HEAD, Score(5, 1, 2), packages, (Unreadable("big/data.go", "larger than 2 MiB"),))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_comparison_is_shown_as_it_was(snapshots: Snapshots, shape: str) -> None:
    snapshots.check(f"diff-{shape}.txt", _shown(lambda console: show_analysis(SHAPES[shape], console, patches=True)))


@pytest.mark.parametrize(("name", "dirs"), [("two", ("a", "b/c")), ("none", ()), ("hostile", (HOSTILE_NAME,))])
def test_a_table_is_shown_as_it_was(snapshots: Snapshots, name: str, dirs: tuple[str, ...]) -> None:
    snapshots.check(f"scan-{name}.txt", _shown(lambda console: show_parity(_parity(*dirs), console)))


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_name_cannot_steer_the_terminal(name: str) -> None:
    known = analysis(
        LOSS.__class__("stub-added", LOSS.level, f"{name}.go", 1, 1, "head", name, f"{name} is a stub.", ".")
    )
    text = _shown(lambda console: show_analysis(known, console), 10_000)
    assert all(c.isprintable() for c in text.replace("\n", ""))
    assert len(text.splitlines()) == 6, "no line of its own"


def test_a_name_cannot_style_the_terminal() -> None:
    plain = _shown(lambda console: show_analysis(analysis(HOSTILE), console), 10_000)
    assert "[bold]x[/]" in plain
    assert ":tada:" in plain
    coloured = _shown(lambda console: show_analysis(analysis(HOSTILE), console), 10_000, colour=True)
    assert "[31m`" in coloured
    assert "\x1b[31m`" not in coloured


def test_a_patch_is_shown_only_when_it_is_asked_for() -> None:
    assert "errNotSupported" not in _shown(lambda console: show_analysis(SHAPES["advised"], console))


def test_a_long_path_stays_on_one_line() -> None:
    """Terminals and editors follow path:line, and so does grep."""
    path = "a-rather-long-folder-name/" * 5 + "x_windows.go"
    known = analysis(LOSS.__class__("stub-added", LOSS.level, path, 7, 7, "head", None, "A stub.", "."))
    assert f"{path}:7\n" in _shown(lambda console: show_analysis(known, console), 80)


def test_json_names_every_field_once() -> None:
    found = analysis_json(SHAPES["regressed"])
    assert found["findings"][0]["fingerprint"] == "implementation-lost:volume:Store.Free"
    assert found["findings"][0]["counterpart"] == {"path": "volume/usage_linux.go", "line": 6}
    assert found["findings"][1]["side"] == "base"
