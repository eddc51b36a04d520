"""What the dashboard shows to whom, which forms it takes, and what GitHub is asked for it: over HTTP, against the stand-in."""

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest

from bot.dashboard import permissions
from bot.dashboard.visitors import AWAY
from bot.demo.github import RepositoryState, StandIn
from bot.demo.run import _free_port
from tests.bot.manifest_flow import Visitor
from tests.bot.signing_in import OURS, THEIRS, Place, app_of, serving


@pytest.fixture
def ours(standin: StandIn, place: Place) -> RepositoryState:
    assert place
    return standin.repositories[OURS.lower()]


# What is seen.


async def test_the_front_page_has_what_somebody_may_read(place: Place, visitor: Visitor) -> None:
    await visitor.open(place.url)
    assert visitor.page.split("\n")[1] == "Acme/Open"
    await place.sign_in(visitor)
    await visitor.open(place.url)
    assert visitor.page.split("\n")[1] == f"{OURS} Acme/Open"
    async with Visitor() as stranger:
        await place.sign_in(stranger, "stranger")
        await stranger.open(place.url)
        assert stranger.page.split("\n")[1] == "Acme/Open"
    assert {call.path for call in place.standin.calls if call.path.startswith("/repos/")} == set()


async def test_while_github_is_away_the_front_page_has_what_is_public_and_says_so(
    place: Place, visitor: Visitor
) -> None:
    await place.sign_in(visitor)
    place.standin.refuse_next("/user/installations", 502)
    assert await visitor.open(place.url) == 200
    first, shown = visitor.page.split("\n")
    assert (first.split()[2], shown) == ("True", "Acme/Open")


async def test_a_private_repository_is_as_if_it_were_not(place: Place, visitor: Visitor) -> None:
    """To nobody, and to somebody who may not read it: the same bytes, and the same questions to GitHub."""
    for login in (None, "stranger"):
        if login:
            await place.sign_in(visitor, login)
        answers, questions = [], []
        for name in (THEIRS, "other/nothing"):
            before = len(place.standin.calls)
            assert await visitor.open(f"{place.url}/r/{name}") == 404
            shown = {key: value for key, value in visitor.headers.items() if key != "Date"}
            answers.append((visitor.page, shown))
            questions.append([(call.method, call.status) for call in place.standin.calls[before:]])
        assert answers[0] == answers[1]
        assert questions[0] == questions[1] == ([("GET", 404)] if login else [])


async def test_while_github_is_away_nobody_learns_whether_there_is_one(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    answers = []
    for name in (OURS, THEIRS, "other/nothing"):
        place.standin.refuse_next("/repos/", 502)
        assert await visitor.open(f"{place.url}/r/{name}") == 503
        answers.append((visitor.page, {key: value for key, value in visitor.headers.items() if key != "Date"}))
        async with Visitor() as nobody:
            assert await nobody.open(f"{place.url}/r/{name}") == 404
        place.standin._refusals.clear()
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == f"{AWAY}\n"


async def test_a_github_that_could_not_answer_is_left_alone_for_a_while(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    place.standin.refuse_next("/repos/", 403, {"Retry-After": "120"})
    before = place.asked("/repos/")
    for _ in range(3):
        assert await visitor.open(f"{place.url}/r/{OURS}") == 503
    assert place.asked("/repos/") == before + 1


async def test_one_persons_questions_do_not_keep_others_waiting(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    place.standin.latency = 0.5
    before = place.asked("/repos/")

    async def ask(name: str) -> int:
        async with visitor._session.get(f"{place.url}/r/{name}") as answer:
            return answer.status

    names = [f"acme/x{number}" for number in range(permissions.MAX_ASKING + 5)]
    statuses = await asyncio.gather(*map(ask, names))
    assert sorted(statuses) == [404] * permissions.MAX_ASKING + [503] * 5
    assert place.asked("/repos/") == before + permissions.MAX_ASKING
    place.standin.latency = 0.0
    assert await ask(OURS) == 200, "nothing is held against them"
    same = await asyncio.gather(*(ask("acme/same") for _ in range(30)))
    assert same == [404] * 30


async def test_an_answer_counts_for_a_minute(
    place: Place, visitor: Visitor, ours: RepositoryState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "REMEMBERED", 60.0)
    other = replace(place.settings, port=_free_port())
    other = replace(other, public_url=f"http://127.0.0.1:{other.port}")
    await place.sign_in(visitor)
    async with serving(other, app_of(Place(place.standin, other, place.jobs))) as url:
        for status in (200, 200):
            assert await visitor.open(f"{url}/r/{OURS}") == status
            ours.permissions.clear()
        for _ in range(2):
            assert await visitor.open(f"{url}/r/{THEIRS}") == 404
    assert place.asked("/repos/") == 2


async def test_permission_that_is_taken_away_is_gone_at_the_next_question(
    place: Place, visitor: Visitor, ours: RepositoryState
) -> None:
    await place.sign_in(visitor)
    assert await visitor.open(f"{place.url}/r/{OURS}") == 200
    ours.permissions["octocat"] = "none"
    assert await visitor.open(f"{place.url}/r/{OURS}") == 404


async def test_another_repository_under_its_name_is_not_taken_for_it(
    place: Place, visitor: Visitor, ours: RepositoryState
) -> None:
    """What is known under a name is of the private repository that had it."""
    await place.sign_in(visitor, "stranger")
    ours.public = True
    assert await visitor.open(f"{place.url}/r/{OURS}") == 404
    ours.public = False
    ours.permissions["stranger"] = "read"
    place.standin.rename(OURS, "Acme/Moved")
    assert await visitor.open(f"{place.url}/r/{OURS}") == 404


async def test_what_is_somebodys_is_kept_by_nothing(place: Place, visitor: Visitor) -> None:
    await visitor.open(f"{place.url}/r/Acme/Open")
    assert visitor.headers["ETag"] == '"x"'
    await place.sign_in(visitor)
    for name in (OURS, THEIRS):
        await visitor.open(f"{place.url}/r/{name}")
        kept = {name: visitor.headers.get(name) for name in ("Cache-Control", "ETag", "Vary", "Referrer-Policy")}
        known = {"Cache-Control": "private, no-store", "ETag": None, "Vary": "Cookie", "Referrer-Policy": "same-origin"}
        assert kept == known


# Those who look after it.


async def test_administrators_see_how_it_does_and_nobody_else(place: Place, visitor: Visitor) -> None:
    assert await visitor.open(f"{place.url}/operations") == 404
    async with Visitor() as stranger:
        await place.sign_in(stranger, "stranger")
        assert await stranger.open(f"{place.url}/operations") == 404
    await place.sign_in(visitor)
    assert await visitor.open(f"{place.url}/operations") == 200
    place.standin.refuse_next("GET /user", 502)
    assert await visitor.open(f"{place.url}/operations") == 503


async def test_an_administrator_who_is_not_one_any_more_sees_nothing(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    place.standin.people.revoke("octocat")
    assert await visitor.open(f"{place.url}/operations") == 404


# Forms.


@pytest.fixture
async def form(place: Place, visitor: Visitor) -> dict[str, Any]:
    """What a browser sends for a form of ours."""
    await place.sign_in(visitor)
    await visitor.open(place.url)
    [token] = re.findall(r"^octocat (\w+)", visitor.page)
    return {"data": {"token": token}, "headers": {"Sec-Fetch-Site": "same-origin", "Origin": place.url}}


@pytest.mark.parametrize("path", ["/write", "/logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "ours"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
async def test_a_form_from_elsewhere_is_refused(
    place: Place, visitor: Visitor, form: dict[str, Any], headers: dict[str, str], path: str
) -> None:
    sent = {name: place.url if value == "ours" else value for name, value in headers.items()}
    assert await visitor.ask("POST", place.url + path, **{**form, "headers": sent}) == 403
    assert place.wrote == []
    await visitor.open(place.url)
    assert visitor.page.startswith("octocat ")


@pytest.mark.parametrize("data", [{}, {"token": ""}, {"token": "x" * 64}, {"token": "é"}, "theirs", "json", "large"])
async def test_a_form_without_our_token_is_refused(
    place: Place, visitor: Visitor, form: dict[str, Any], data: Any
) -> None:
    more: dict[str, Any] = {"data": data}
    if data == "theirs":
        async with Visitor() as other:
            await place.sign_in(other, "mallory")
            await other.open(place.url)
            more = {"data": {"token": re.findall(r"^mallory (\w+)", other.page)[0]}}
    elif data == "json":
        more = {"json": form["data"]}
    elif data == "large":
        more = {"data": {**form["data"], "x": "y" * 100_000}}
    for path in ("/write", "/logout"):
        assert await visitor.ask("POST", place.url + path, **more, headers=form["headers"]) in {403, 413}
    assert place.wrote == []
    await visitor.open(place.url)
    assert visitor.page.startswith("octocat ")


async def test_a_form_of_ours_is_taken(place: Place, visitor: Visitor, form: dict[str, Any]) -> None:
    assert await visitor.ask("POST", f"{place.url}/write", **form) == 200
    old = {**form, "headers": {"Origin": place.url}}
    assert await visitor.ask("POST", f"{place.url}/write", **old) == 200
    assert place.wrote == ["octocat"] * 2
    async with Visitor() as nobody:
        assert await nobody.ask("POST", f"{place.url}/write", **form) == 403
        assert await nobody.ask("POST", f"{place.url}/logout", **form, allow_redirects=False) == 303
