"""Signing in with GitHub over HTTP, against the stand-in: who is let in, as whom, for how long, and who is not."""

import asyncio
import re
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import pytest
import structlog.testing
from yarl import URL

from bot.config import Secret, Settings
from bot.dashboard import oauth, permissions, sessions, signin
from bot.dashboard.signin import local
from bot.demo.github import StandIn
from bot.demo.run import _free_port
from bot.queue import Jobs
from tests.bot.conftest import until
from tests.bot.manifest_flow import Visitor
from tests.bot.signing_in import OURS, Place, app_of, back, serving, sign_in, signing_in, to_github

# Signing in.


async def test_somebody_signs_in_and_is_back_where_they_were(place: Place, visitor: Visitor) -> None:
    target = "/r/acme/harbor?a=%2F&b=1"
    await to_github(visitor, place.url, target)
    assert await visitor.open(await back(visitor), allow_redirects=False) == 303
    assert visitor.headers["Location"] == target
    assert await visitor.open(place.url + target) == 200
    assert visitor.page == OURS
    [(sent, answer)] = place.standin.people.exchanges
    assert len(sent["code_verifier"]) >= 43
    assert answer["token_type"] == "bearer"


async def test_who_follows_a_link_of_ours_is_back_where_they_were(place: Place, visitor: Visitor) -> None:
    for before, after in (
        (f"{place.url}/a/b?c=1", "/a/b?c=1"),
        ("https://evil.example/a", "/"),
        (place.url + "x", "/"),
    ):
        async with Visitor() as one:
            await one.open(f"{place.url}/login", headers={"Referer": before})
            assert await one.open(await back(one), allow_redirects=False) == 303
            assert one.headers["Location"] == after
    assert await visitor.open(f"{place.url}/login", headers={"Referer": f"{place.url}//evil.example"})
    assert await visitor.open(await back(visitor), allow_redirects=False) == 303
    assert visitor.headers["Location"] == "/"


async def test_who_has_agreed_before_is_not_asked_again(place: Place, visitor: Visitor) -> None:
    place.standin.people.agreed.add("octocat")
    await visitor.open(f"{place.url}/login?next=/")
    assert visitor.page.startswith("octocat ")


async def test_without_credentials_there_is_no_way_in(settings: Settings, standin: StandIn, jobs: Jobs) -> None:
    for missing in ({"client_id": ""}, {"client_secret": None}, {"public_url": ""}):
        here = signing_in(settings, standin)
        url = here.public_url
        app = app_of(Place(standin, replace(here, **missing), jobs))
        async with serving(here, app), Visitor() as visitor:
            for path in ("/login", "/login/callback"):
                assert await visitor.open(url + path) == 404
            assert await visitor.ask("POST", f"{url}/logout") == 404
            assert await visitor.open(url) == 200
            assert visitor.page.startswith("None  False")
            assert await visitor.ask("POST", f"{url}/write") == 403


async def test_a_state_that_is_missing_wrong_or_used_is_refused(place: Place, visitor: Visitor) -> None:
    await to_github(visitor, place.url)
    url = await back(visitor)
    async with Visitor() as other:
        assert await other.open(url) == 400, "another browser's"
    assert place.standin.people.exchanges == []
    assert await visitor.open(url, allow_redirects=False) == 303
    assert await visitor.open(url, allow_redirects=False) == 400, "its cookie is gone"
    async with Visitor() as other:
        await to_github(other, place.url)
        for state in ("", "?state=", "?state=x", "?state=%C3%A9%FF", "?state=x&state=y"):
            assert await other.open(URL(f"{place.url}/login/callback{state}", encoded=True)) == 400
    assert len(place.standin.people.exchanges) == 1


async def test_a_state_counts_once_even_with_its_cookie(place: Place, visitor: Visitor) -> None:
    await visitor.open(f"{place.url}/login", allow_redirects=False)
    held = {name: morsel.value for name, morsel in SimpleCookie(visitor.headers["Set-Cookie"]).items()}
    state = URL(visitor.headers["Location"]).query["state"]
    url = f"{place.url}/login/callback?code=x&state={state}"
    async with Visitor() as thief:
        assert await thief.open(url, cookies=held) == 400
        assert "did not take the code" in thief.page
    async with Visitor() as thief:
        assert await thief.open(url, cookies=held) == 400
        assert "no answer to what this browser asked" in thief.page
    assert len(place.standin.people.exchanges) == 1


async def test_a_sign_in_that_took_too_long_is_refused(
    place: Place, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await to_github(visitor, place.url)
    url = await back(visitor)
    now = sessions.time.time()
    monkeypatch.setattr("cryptography.fernet.time.time", lambda: now + sessions.ATTEMPT_SECONDS + 61)
    assert await visitor.open(url) == 400


async def test_a_code_without_our_verifier_is_worth_nothing(place: Place, visitor: Visitor) -> None:
    """Somebody has a code that was meant for another sign-in, and puts it into their own."""
    await to_github(visitor, place.url)
    stolen = (await back(visitor)).query["code"]
    async with Visitor() as thief:
        await to_github(thief, place.url)
        own = await back(thief)
        assert await thief.open(own.update_query(code=stolen)) == 400
        assert await thief.open(f"{place.url}/r/{OURS}") == 404
    assert [answer for _, answer in place.standin.people.exchanges] == [{"error": "bad_verification_code"}]


async def test_a_code_counts_once(place: Place, visitor: Visitor) -> None:
    await to_github(visitor, place.url)
    url = await back(visitor)
    assert await visitor.open(url, allow_redirects=False) == 303
    async with Visitor() as thief:
        await to_github(thief, place.url)
        own = await back(thief)
        assert await thief.open(own.update_query(code=url.query["code"])) == 400


async def test_what_anybody_can_make_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign-ins that lead nowhere: they leave little in the store, and do not take GitHub's time from others."""
    monkeypatch.setattr(sessions, "MAX_ATTEMPTS", 3)
    monkeypatch.setattr(signin, "MAX_EXCHANGES", 2)
    place.standin.latency = 0.3

    async def try_it() -> int:
        async with Visitor() as one:
            await one.open(f"{place.url}/login", allow_redirects=False)
            state = URL(one.headers["Location"]).query["state"]
            return await one.open(f"{place.url}/login/callback?code=x&state={state}")

    assert sorted(await asyncio.gather(*(try_it() for _ in range(6)))) == [400, 400, 503, 503, 503, 503]
    place.standin.latency = 0.0
    assert await try_it() == 400
    assert await place.keys("*") == ["wp:attempts", "wp:known"] + await place.keys("wp:repo:*")
    assert await place.jobs.redis.zcard("wp:attempts") == 3
    assert 0 < await place.jobs.redis.ttl("wp:attempts") <= sessions.ATTEMPT_SECONDS


@pytest.mark.parametrize("code", ["", "0" * 20, "../../x", "a b", "é", "x" * 300])
async def test_a_code_that_github_does_not_take(place: Place, visitor: Visitor, code: str) -> None:
    await to_github(visitor, place.url)
    assert await visitor.open((await back(visitor)).update_query(code=code)) == 400
    assert {sent["code"] for sent, _ in place.standin.people.exchanges} <= {"0" * 20}
    assert await place.keys("wp:session*") == []


async def test_who_says_no_is_not_signed_in(place: Place, visitor: Visitor) -> None:
    await to_github(visitor, place.url)
    url = await back(visitor, answer="0")
    assert url.query["error"] == "access_denied"
    assert await visitor.open(url) == 403
    assert place.standin.people.exchanges == []


async def test_a_wrong_client_secret_lets_nobody_in(
    standin: StandIn, settings: Settings, jobs: Jobs, visitor: Visitor
) -> None:
    here = signing_in(settings, standin, client_secret=Secret("wrong"))
    async with serving(here, app_of(Place(standin, here, jobs))) as url:
        await to_github(visitor, url)
        assert await visitor.open(await back(visitor)) == 400


@pytest.mark.parametrize(
    ("part", "status"), [("/login/oauth/access_token", 502), ("/login/oauth/access_token", 429), ("GET /user", 503)]
)
async def test_while_github_is_away_nobody_is_signed_in(place: Place, visitor: Visitor, part: str, status: int) -> None:
    await to_github(visitor, place.url)
    url = await back(visitor)
    place.standin.refuse_next(part, status)
    assert await visitor.open(url) == 503
    assert await place.keys("wp:session*") == []
    await place.sign_in(visitor)


async def test_a_slow_github_is_not_waited_for(
    standin: StandIn, settings: Settings, jobs: Jobs, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert oauth.PATIENCE.total == 5
    monkeypatch.setattr(oauth, "PATIENCE", aiohttp.ClientTimeout(total=0.2))
    here = signing_in(settings, standin)
    async with serving(here, app_of(Place(standin, here, jobs))) as url:
        await to_github(visitor, url)
        came = await back(visitor)
        standin.refuse_next("/login/oauth/access_token", 200, mood="slow")
        assert await visitor.open(came) == 503
        await sign_in(visitor, standin, url)
        standin.refuse_next("/repos/", 200, mood="slow")
        assert await visitor.open(f"{url}/r/{OURS}") == 503


async def test_an_exchange_that_leads_elsewhere_is_not_followed(place: Place, visitor: Visitor) -> None:
    await to_github(visitor, place.url)
    url = await back(visitor)
    place.standin.refuse_next("/login/oauth/access_token", 307, {"Location": f"{place.standin.url}/elsewhere"})
    assert await visitor.open(url) == 400
    assert place.standin.problems == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_nobodys_token_is_led_elsewhere(place: Place, visitor: Visitor, status: int) -> None:
    await place.sign_in(visitor)
    elsewhere = place.standin.url.replace("127.0.0.1", "localhost")
    place.standin.refuse_next("/repos/", status, {"Location": f"{elsewhere}/repos/{OURS}"})
    before = place.asked("/repos/")
    assert await visitor.open(f"{place.url}/r/{OURS}") in {404, 503}
    assert place.asked("/repos/") == before + 1


HOSTILE = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/x\r\nSet-Cookie: a=b",
    " //evil.example",
    "evil.example",
    "@evil.example",
    "",
    "/é",
    "/" + "x" * 3000,
    "/login?next=/x",
    "/logout",
]


@pytest.mark.parametrize("target", HOSTILE)
async def test_nobody_is_led_elsewhere_afterwards(place: Place, visitor: Visitor, target: str) -> None:
    await to_github(visitor, place.url, target)
    assert await visitor.open(await back(visitor), allow_redirects=False) == 303
    assert visitor.headers["Location"] == "/"
    assert await visitor.open(URL(f"{place.url}/login").with_query(next=target), allow_redirects=False) == 303
    assert visitor.headers["Location"] == "/", "nor who is signed in already"


@pytest.mark.parametrize("target", ["/", "/a/b", "/a/b/symbols/pkg:F?x=%2F%2F&y=1", "/a/compare/v1...v2", "/a//b"])
def test_a_path_of_ours_is_kept(target: str) -> None:
    assert local(target) == target


# The session.


async def test_a_session_is_new_at_each_sign_in_and_the_former_ends(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    first = await place.keys("wp:session:*")
    held = {cookie.key: cookie.value for cookie in visitor._session.cookie_jar}
    await visitor.ask("GET", f"{place.url}/login/callback")
    attempt = f"{place.url}/login"
    async with Visitor() as same:  # the same browser signs in once more, as another person
        place.standin.people.browsing = "hubot"
        await same.open(attempt)
        url = await back(same)
        assert await same.open(url, cookies=held, allow_redirects=False) == 303
        await same.open(place.url)
        assert same.page.startswith("hubot ")
    second = await place.keys("wp:session:*")
    assert len(first) == len(second) == 1
    assert first != second
    await visitor.open(place.url)
    assert visitor.page.startswith("None "), "a copy of the former cookie is worth nothing"


async def test_a_cookie_that_was_given_to_somebody_is_not_what_they_sign_in_to(place: Place, visitor: Visitor) -> None:
    """Fixation: the attacker's session does not become the victim's."""
    async with Visitor() as attacker:
        await place.sign_in(attacker, "mallory")
        planted = {cookie.key: cookie.value for cookie in attacker._session.cookie_jar}
        visitor._session.cookie_jar.update_cookies(planted, URL(place.url))
        place.standin.people.browsing = "octocat"
        await visitor.open(place.url)
        token = re.findall(r"^mallory (\w+)", visitor.page)[0]
        await visitor.ask(
            "POST", f"{place.url}/logout", data={"token": token}, headers={"Origin": place.url}, allow_redirects=False
        )
        await place.sign_in(visitor)
        await attacker.open(f"{place.url}/r/{OURS}")
        assert attacker.status == 404


async def test_signing_out_ends_the_session_wherever_its_cookie_is(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    held = {cookie.key: cookie.value for cookie in visitor._session.cookie_jar}
    await visitor.open(place.url)
    token = re.findall(r"^octocat (\w+)", visitor.page)[0]
    form = {"data": {"token": token}, "headers": {"Origin": place.url}, "allow_redirects": False}
    assert await visitor.ask("POST", f"{place.url}/logout", **form) == 303
    assert await place.keys("wp:session:*") == []
    async with Visitor() as thief:
        assert await thief.open(f"{place.url}/r/{OURS}", cookies=held) == 404
    assert await visitor.open(place.url) == 200
    assert visitor.page.startswith("None ")


async def _sign_out(place: Place, visitor: Visitor) -> int:
    await visitor.open(place.url)
    token = re.findall(r"^octocat (\w+)", visitor.page)[0]
    form = {"data": {"token": token}, "headers": {"Origin": place.url}, "allow_redirects": False}
    return await visitor.ask("POST", f"{place.url}/logout", **form)


def _revocations(place: Place) -> list[tuple[str, int]]:
    return [(call.body["access_token"], call.status) for call in place.standin.calls if call.method == "DELETE"]


async def test_who_signs_out_leaves_no_token_at_github(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    [token] = place.standin.people.tokens
    async with Visitor() as other:  # of the same person, elsewhere
        await place.sign_in(other)
        assert await _sign_out(place, visitor) == 303
        await until(lambda: _is(_revocations(place), [(token, 204)]))
        assert await other.open(f"{place.url}/r/{OURS}") == 200
    assert token not in place.standin.people.tokens
    assert len(place.standin.people.tokens) == 1


async def _is(found: object, wanted: object) -> bool:
    return found == wanted


async def test_the_token_that_ends_is_the_one_of_now(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    place.standin.people.expire()
    await visitor.open(f"{place.url}/r/{OURS}")
    [token] = place.standin.people.tokens
    assert await _sign_out(place, visitor) == 303
    await until(lambda: _is(_revocations(place), [(token, 204)]))


async def test_who_signs_in_anew_leaves_no_token_behind_either(place: Place, visitor: Visitor) -> None:
    await to_github(visitor, place.url)
    second = await back(visitor)
    async with Visitor() as other:
        await place.sign_in(other)
        [token] = place.standin.people.tokens
        held = {cookie.key: cookie.value for cookie in other._session.cookie_jar}
    assert await visitor.open(second, cookies=held, allow_redirects=False) == 303
    await until(lambda: _is(_revocations(place), [(token, 204)]))
    assert len(place.standin.people.tokens) == 1


@pytest.mark.parametrize("mood", ["slow", "reset", "cut", "answer"])
async def test_a_github_that_does_not_end_a_token_keeps_nobody_waiting(
    place: Place, visitor: Visitor, mood: Any
) -> None:
    await place.sign_in(visitor)
    await visitor.open(place.url)
    place.standin.refuse_next("DELETE /applications/", 503, mood=mood)
    began = asyncio.get_running_loop().time()
    with structlog.testing.capture_logs() as lines:
        assert await _sign_out(place, visitor) == 303
        assert asyncio.get_running_loop().time() - began < 1.0
        assert await visitor.open(place.url) == 200
        assert visitor.page.startswith("None ")
        await until(lambda: _is(place.standin.unmet, []))
        if mood in {"cut", "answer"}:  # the HTTP client itself asks again where a connection that was open is not
            await until(lambda: _is([line["event"] for line in lines], ["a token is not revoked"]))
    assert len(_revocations(place)) <= (2 if mood == "reset" else 1), "we ask once"


async def test_a_server_that_stops_lets_tokens_end(
    standin: StandIn, settings: Settings, jobs: Jobs, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "PATIENCE", aiohttp.ClientTimeout(total=2))
    here = signing_in(settings, standin)
    place = Place(standin, here, jobs, here.public_url)
    async with serving(here, app_of(place)):
        await place.sign_in(visitor)
        await visitor.open(place.url)
        token = re.findall(r"^octocat (\w+)", visitor.page)[0]
        standin.latency = 0.5
        form = {"data": {"token": token}, "headers": {"Origin": place.url}, "allow_redirects": False}
        assert await visitor.ask("POST", f"{place.url}/logout", **form) == 303
        assert len(standin.people.tokens) == 1
    assert standin.people.tokens == []


async def test_a_flood_of_sign_outs_is_not_handed_on(
    place: Place, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "MAX_REVOKING", 0)
    await place.sign_in(visitor)
    assert await _sign_out(place, visitor) == 303
    await asyncio.sleep(0.1)
    assert _revocations(place) == []


async def test_cookies_are_for_us_alone(standin: StandIn, settings: Settings, jobs: Jobs, visitor: Visitor) -> None:
    """Over HTTPS they have the prefix that nobody else's subdomain can set."""
    here = signing_in(settings, standin)
    url, public = here.public_url, "https://wp.example.com"
    standin.app.callback_urls = [f"{public}/login/callback"]
    async with serving(here, app_of(Place(standin, replace(here, public_url=public), jobs))):
        await visitor.open(f"{url}/login", allow_redirects=False)
        first = SimpleCookie(visitor.headers["Set-Cookie"])
        await visitor.open(visitor.headers["Location"])
        query = (await back(visitor)).query
        held = {name: morsel.value for name, morsel in first.items()}
        await visitor.open(URL(f"{url}/login/callback").with_query(query), cookies=held, allow_redirects=False)
        assert visitor.status == 303
        second = SimpleCookie()
        for line in visitor.headers.getall("Set-Cookie"):
            second.load(line)
    assert [*first] == ["__Host-winparity-login"]
    assert {*second} == {"__Host-winparity", "__Host-winparity-login"}
    for morsel in (*first.values(), *second.values()):
        kept = (morsel["httponly"], morsel["secure"], morsel["samesite"], morsel["path"], morsel["domain"])
        assert kept == (True, True, "Lax", "/", "")
    assert int(first["__Host-winparity-login"]["max-age"]) == sessions.ATTEMPT_SECONDS
    assert second["__Host-winparity-login"]["max-age"] == "0", "it is dropped"


@pytest.mark.parametrize("change", ["tampered", "another key", "swapped", "strange", "long"])
async def test_a_cookie_that_is_not_ours_is_nobodys(
    place: Place, visitor: Visitor, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await place.sign_in(visitor)
    [held] = [cookie.value for cookie in visitor._session.cookie_jar if cookie.key == "winparity"]
    jobs, before = place.jobs, place.asked("/")
    settings = place.settings
    if change == "another key":
        settings = replace(settings, private_key=Secret("-----BEGIN PRIVATE KEY-----\nanother"))
    elif change == "swapped":
        await visitor.open(f"{place.url}/login", allow_redirects=False)
        async with Visitor() as other:
            await other.open(f"{place.url}/login", allow_redirects=False)
            held = SimpleCookie(other.headers["Set-Cookie"])["winparity-login"].value
    else:
        held = {"tampered": held[:-9] + "A" * 9, "strange": "\udcff", "long": held * 30}[change]
    port = _free_port()
    elsewhere = replace(settings, port=port, public_url=f"http://127.0.0.1:{port}")
    gets: Any = (await jobs.redis.info("commandstats")).get("cmdstat_get", {"calls": 0})
    async with serving(elsewhere, app_of(Place(place.standin, elsewhere, jobs))) as url, Visitor() as other:
        headers = {"Cookie": f"winparity={held}"}
        assert await other.open(f"{url}/operations", headers=headers) == 404
    after: Any = (await jobs.redis.info("commandstats")).get("cmdstat_get", {"calls": 0})
    assert after["calls"] == gets["calls"], "the store was not asked"
    assert place.asked("/") == before
    assert "".join(capsys.readouterr()) == ""


async def test_all_web_processes_know_the_session(place: Place, visitor: Visitor) -> None:
    """Another process with the same private key, laid out in another way."""
    await place.sign_in(visitor)
    port = _free_port()
    key = Secret(place.settings.private_key.reveal().replace("\n", "\r\n") + "\n")
    other = replace(place.settings, port=port, public_url=f"http://127.0.0.1:{port}", private_key=key)
    async with serving(other, app_of(Place(place.standin, other, place.jobs))) as url:
        await visitor.open(url)
    assert visitor.page.startswith("octocat ")


async def test_a_session_ends_by_itself(place: Place, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.sign_in(visitor)
    [key] = await place.keys("wp:session:*")
    assert 0 < await place.jobs.redis.ttl(key) <= sessions.SESSION_SECONDS
    now = sessions.time.time()
    monkeypatch.setattr(sessions.time, "time", lambda: now + sessions.SESSION_SECONDS + 1)
    await visitor.open(place.url)
    assert visitor.page.startswith("None ")


async def test_the_store_holds_no_token_that_can_be_read(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    held = {cookie.key: cookie.value for cookie in visitor._session.cookie_jar}
    for key in await place.keys("*"):
        stored = await place.jobs.redis.dump(key)
        for secret in [*place.standin.people.secrets, *held.values(), "octocat"]:
            assert secret.encode() not in stored + key.encode()


async def test_somebody_has_few_sessions(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)
    async with Visitor() as first, Visitor() as second, Visitor() as third:
        for visitor in (first, second, third):
            await place.sign_in(visitor)
            await asyncio.sleep(0.01)
        for visitor, login in ((first, "None"), (second, "octocat"), (third, "octocat")):
            await visitor.open(place.url)
            assert visitor.page.split()[0] == login
    assert len(await place.keys("wp:session:*")) == 2


# Tokens.


async def test_a_token_that_ended_is_renewed_by_one_of_those_who_need_it(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    place.standin.people.expire()
    names = [f"{place.url}/r/acme/x{number}" for number in range(5)]

    async def ask(url: str) -> int:
        async with visitor._session.get(url) as answer:
            return answer.status

    assert await asyncio.gather(ask(f"{place.url}/r/{OURS}"), *map(ask, names)) == [200, *[404] * 5]
    renewals = [sent for sent, _ in place.standin.people.exchanges if sent.get("grant_type") == "refresh_token"]
    assert len(renewals) == 1


async def test_a_token_is_renewed_before_it_ends(
    place: Place, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.sign_in(visitor)
    monkeypatch.setattr(permissions, "MARGIN", 1e6)
    assert await visitor.open(f"{place.url}/r/{OURS}") == 200
    assert [call.status for call in place.standin.calls][-1] == 200
    assert len(place.standin.people.exchanges) == 2


async def test_tokens_that_do_not_end_are_kept(place: Place, visitor: Visitor) -> None:
    place.standin.people.expiring = False
    await place.sign_in(visitor)
    assert await visitor.open(f"{place.url}/r/{OURS}") == 200
    place.standin.people.revoke("octocat")
    assert await visitor.open(f"{place.url}/r/{OURS}") == 404
    assert len(place.standin.people.exchanges) == 1
    assert await place.keys("wp:session:*") == []


async def test_a_revoked_token_ends_the_session(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    assert await visitor.open(f"{place.url}/r/{OURS}") == 200
    place.standin.people.revoke("octocat")
    assert await visitor.open(f"{place.url}/r/{OURS}") == 404
    await visitor.open(place.url)
    assert visitor.page.startswith("None ")
    assert await place.keys("wp:session:*") == []


async def test_who_signs_out_while_their_token_is_renewed_stays_signed_out(place: Place, visitor: Visitor) -> None:
    await place.sign_in(visitor)
    place.standin.people.expire()

    def sign_out(_: str, path: str) -> None:
        if path == "/login/oauth/access_token":
            [key] = keys
            asyncio.get_running_loop().create_task(place.jobs.redis.delete(key))

    keys = await place.keys("wp:session:*")
    place.standin.on_call = sign_out
    place.standin.latency = 0.1
    await visitor.open(f"{place.url}/r/{OURS}")
    assert await place.keys("wp:session:*") == []


# Secrets.


async def test_no_secret_of_signing_in_is_logged(
    place: Place, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes right, and all that goes wrong."""
    with structlog.testing.capture_logs() as lines:
        await place.sign_in(visitor)
        place.standin.people.expire()
        await visitor.open(f"{place.url}/r/{OURS}")
        codes = []
        for part, mood in (("access_token", "answer"), ("access_token", "reset"), ("GET /user", "cut"), ("", "answer")):
            async with Visitor() as other:
                await to_github(other, place.url)
                url = await back(other)
                codes.append(url.query["code"])
                if part:
                    place.standin.refuse_next(part, 500, mood=mood)  # type: ignore[arg-type] # one of the moods
                await other.open(url.update_query(code=url.query["code"] if part else "0" * 20))
        place.standin.refuse_next("DELETE /applications/", 403, body='{"message": "no"}')
        await _sign_out(place, visitor)
        await until(lambda: _is(place.standin.unmet, []))
        await until(lambda: _is(any("is not revoked" in line["event"] for line in lines), wanted=True))
    held = [cookie.value for cookie in visitor._session.cookie_jar]
    said = repr(lines) + caplog.text
    assert "nobody can sign in" in said
    assert len(place.standin.people.secrets) > 4
    assert "nobody is signed in" in said
    for secret in [*place.standin.people.secrets, *codes, *held, place.standin.app.client_secret, "octocat", "harbor"]:
        assert secret.lower() not in said.lower()
