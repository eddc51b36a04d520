"""What a body is: the table in tests/bodies, judged through `scan` as everybody sees it."""

from functools import cache

import pytest

from analyzer import scan
from analyzer.model import Place, SymbolParity
from tests.analyzer.bodies import FOLDER, STUBS, WORDS, Body, bodies, count, files
from tests.analyzer.cases import snapshot

BODIES = tuple(bodies())


@cache
def _judged(group: str) -> dict[Place, SymbolParity]:
    table = scan(snapshot(files(group)))
    return {symbol.windows: symbol for package in table.packages for symbol in package.symbols if symbol.windows}


def _parameter(body: Body) -> object:
    # A body that begins to pass must lose its todo, so that it is kept from then on.
    marks = [pytest.mark.xfail(strict=True)] if body.todo else []
    return pytest.param(body, id=f"{body.group}:{body.name}", marks=marks)


@pytest.mark.parametrize("body", [_parameter(body) for body in BODIES])
def test_a_body_is_what_the_table_says(body: Body) -> None:
    symbol = _judged(body.group)[Place(body.path, body.line)]
    word = str(symbol.stub or symbol.status)
    if body.word == "real":
        assert word in {"implemented", "partial"}
    else:
        assert word == body.word


@pytest.mark.parametrize("group", sorted(path.stem for path in FOLDER.glob("*.txtar")))
def test_the_whole_table_is_read_and_is_go(group: str) -> None:
    own = [body for body in BODIES if body.group == group]
    assert len(own) == count(group)
    assert {body.word for body in own} <= set(WORDS)
    assert scan(snapshot(files(group))).unreadable == ()


def test_each_kind_of_stub_stands_beside_what_only_looks_like_it() -> None:
    for kind in STUBS:
        words = {body.word for body in BODIES if body.group == kind}
        assert {kind, "implemented"} <= words
