"""The dashboard over HTTP: each page and its JSON, who may keep what, what is hidden, and how large it becomes."""

import gzip
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import jsonschema
import pytest
from yarl import URL

from bot.config import Settings
from bot.dashboard import pages
from bot.dashboard.answers import POLICY
from bot.dashboard.records import Known, Records, Survey
from bot.dashboard.visitors import Visitors
from bot.ids import Repo
from bot.queue import Jobs
from bot.web import listening
from tests.bot.dashboard_sample import HOSTILE, LARGE, NAME, SECRET, fill, fill_large, rev

BERTH = f"/{NAME.lower()}"
PATHS = [
    "/",
    "/rules",
    "/rules/stub-added",
    BERTH,
    f"{BERTH}/packages",
    f"{BERTH}/packages/daemon",
    f"{BERTH}/packages/volume/local",
    f"{BERTH}/packages/~",
    f"{BERTH}/symbols/daemon:Daemon.Pause",
    f"{BERTH}/symbols/daemon:Checkpoint",
    f"{BERTH}/symbols/.:main",
    f"{BERTH}/pulls",
    f"{BERTH}/pulls/12",
    f"{BERTH}/pulls/7",
    f"{BERTH}/compare/v1.0.0...v2.0.0",
    f"{BERTH}/findings",
    f"{BERTH}/features",
]
OF_ONE = [path.removeprefix(BERTH) for path in PATHS if path.startswith(BERTH)]
MAX_PAGE = 200_000


class Reader:
    """Somebody who asks."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, **headers: str) -> tuple[int, str, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.get(URL(self.url + path, encoded=True), headers=sent, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers

    async def json(self, path: str) -> Any:
        status, _, _ = await self.get(f"/api/v1{path}")
        assert status == 200
        async with self._session.get(URL(f"{self.url}/api/v1{path}", encoded=True)) as answer:
            return await answer.json()


@pytest.fixture
def records(jobs: Jobs) -> Records:
    return Records(jobs.redis)


@pytest.fixture
async def reader(settings: Settings, valkey: str, records: Records) -> AsyncIterator[Reader]:
    """A small repository that everybody may see, and one that nobody may."""
    await fill(records)
    await fill(records, SECRET, private=True)
    async with (
        listening(replace(settings, host="127.0.0.1", port=0), valkey) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Reader(url, session)


# Each page and its JSON.


@pytest.mark.parametrize("path", PATHS)
async def test_each_page_is_html_and_json_of_the_same(reader: Reader, path: str) -> None:
    status, page, headers = await reader.get(path)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Content-Security-Policy"] == POLICY
    assert re.findall(r"<style|style=|<script>|onerror=\"alert\(1\)\">(?!&)", page.replace(" onerror=&#34;", "")) == []
    assert f'href="/api/v1{path}"' in page
    answer = await reader.json(path)
    schema = await _schema(reader)
    route = next(r for r in schema["x-answers"] if _suits(r, f"/api/v1{path}"))
    jsonschema.validate(answer, {**schema["x-answers"][route], "$defs": schema["$defs"]})
    assert HOSTILE not in page


async def _schema(reader: Reader) -> Any:
    return await reader.json("/schema.json")


def _suits(route: str, path: str) -> bool:
    pattern = re.sub(
        r"\\{(\w+)\\}", lambda m: ".+" if m[1] in {"dir", "spec", "base", "head"} else "[^/]+", re.escape(route)
    )
    return re.fullmatch(pattern, path) is not None


async def test_the_schema_knows_every_page(reader: Reader) -> None:
    schema = await _schema(reader)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert len(schema["x-answers"]) == len(pages.PAGES)
    for page in pages.PAGES:
        assert any(
            _suits(known, re.sub(r"\{(\w+)[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "x", f"/api/v1{page.path}"))
            for known in schema["x-answers"]
        )


async def test_every_page_is_asked_for_here() -> None:
    asked = {
        page.path
        for page in pages.PAGES
        for path in PATHS
        if _suits(re.sub(r":[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", "}", page.path), path)
    }
    assert {page.path for page in pages.PAGES} - asked == {"/operations"}


async def test_what_a_page_tells_is_right(reader: Reader) -> None:
    found = await reader.json(BERTH)
    assert found["score"] == {"implemented": 4, "partial": 1, "stub": 2, "missing": 1, "percent": 56.2}
    assert found["since"]["name"] == "v2.0.0"
    assert [row["dir"] for row in found["biggest"]] == ["daemon"]
    assert [row["number"] for row in found["pulls"]] == [12, 7]
    assert found["features"] == {"refused": 1, "works": 1}
    assert found["repository"]["reading"] == {"done": 3, "planned": 29}


async def test_a_revision_that_cannot_be_looked_at_is_told_of(reader: Reader, records: Records) -> None:
    await records.change(Repo(NAME), trouble=f"it is too large {HOSTILE}")
    assert (await reader.json(BERTH))["repository"]["trouble"] == f"it is too large {HOSTILE}"
    _, page, _ = await reader.get(BERTH)
    assert "could not be looked at</b>: it is too large &lt;img" in page


async def test_sources_are_at_the_revision_and_the_line(reader: Reader, settings: Settings) -> None:
    found = await reader.json(f"{BERTH}/symbols/daemon:Daemon.Pause")
    assert (
        found["target"]["source"]["url"] == f"{settings.git_url}/{NAME}/blob/{rev(100)}/daemon/pause_windows.go#L12-L14"
    )
    assert [(line["number"], line["note"]) for line in found["target"]["body"]] == [
        (12, ""),
        (13, "it always refuses"),
        (14, ""),
    ]
    assert [(era["first"], era["last"], era["status"]) for era in found["history"]] == [
        ("v1.0.0", "v1.1.0", "implemented"),
        ("v2.0.0-rc1", "v2.0.0", "stub"),
    ]
    assert (found["entries"], found["reach"][0]["entry"]) == (3, "POST /containers/{name}/pause")
    pull = await reader.json(f"{BERTH}/pulls/12")
    assert [f["source"]["url"].split("/blob/")[1][:47] for f in pull["findings"]] == [
        f"{rev(2)}/daemon",
        f"{rev(1)}/vol/x.",
    ]


async def test_of_what_the_target_lacks_it_is_told_who_comes_to_it_on_the_reference(reader: Reader) -> None:
    found = await reader.json(f"{BERTH}/symbols/daemon:Checkpoint")
    assert [(one["entry"], one["names"]) for one in found["there"]["reach"]] == [
        ("POST /containers/{name}/checkpoints", ["docker checkpoint create"])
    ]
    assert found["there"]["entries"] == 2
    assert [step["function"] for step in found["there"]["callers"]] == ["api:router.checkpoint"]
    _, page, _ = await reader.get(f"{BERTH}/symbols/daemon:Checkpoint")
    assert "Who reaches it on Linux" in page
    assert "docker checkpoint create" in page
    assert "Called by" in page
    _, page, _ = await reader.get(f"{BERTH}/symbols/daemon:unixHelper")
    assert "only where it is exported" in page


async def test_findings_have_an_age_an_owner_and_what_is_accepted(reader: Reader) -> None:
    found = await reader.json(f"{BERTH}/findings")
    assert [(row["name"], row["owners"], row["since_name"]) for row in found["findings"]] == [
        ("Checkpoint", [], rev(13)[:10]),
        ("Daemon.Pause", ["@example/windows"], rev(13)[:10]),
    ]
    assert [(one["name"], one["expires"], one["issue"]) for one in found["accepted"]] == [
        ("setupSeccomp", "2027-06-30", "https://github.com/example/berth/issues/12"),
        ("nothing", "", ""),
    ]


async def test_a_comparison_says_what_is_gained_and_lost(reader: Reader) -> None:
    found = await reader.json(f"{BERTH}/compare/v1.0.0...v2.0.0")
    kinds = ("gained", "lost", "new_stubs", "lacks", "gone_stubs", "moved")
    assert {kind: [change["name"] for change in found[kind]] for kind in kinds} == {
        "gained": ["Daemon.Stats"],
        "lost": ["Daemon.Pause"],
        "new_stubs": ["setupSeccomp"],
        "lacks": ["Checkpoint"],
        "gone_stubs": ["gone"],
        "moved": ["Mount"],
    }
    assert found["moved"][0]["was"] == "volume"
    back = await reader.json(f"{BERTH}/compare/v2.0.0...v1.0.0")
    assert [change["name"] for change in back["lost"]] == ["Daemon.Stats"]


async def test_a_comparison_tells_of_tests_and_of_guards_in_code_for_both(reader: Reader) -> None:
    found = (await reader.json(f"{BERTH}/compare/v1.0.0...v2.0.0"))["shared"]
    assert {kind: [(test["name"], test["in_part"]) for test in found[kind]] for kind in ("stopped", "started")} == {
        "stopped": [("TestPause", False), ("TestWait", True)],
        "started": [("TestStats", False)],
    }
    assert [test["name"][-1] for test in found["never"]] == ["0", "1", "2", "3"]
    assert found["stopped"][0]["source"]["url"].endswith(f"/blob/{rev(54)}/daemon/pause_test.go")
    [guard] = found["guards"]
    assert (guard["name"], guard["words"]) == ("Daemon.Rename", "refuses something on Windows")
    assert guard["source"]["url"].endswith("/daemon/rename.go#L40")
    _, page, _ = await reader.get(f"{BERTH}/compare/v1.0.0...v2.0.0")
    assert "Tests that no longer run on Windows" in page
    assert "&amp;&amp; c.IsRunning()" in page.replace("<wbr>", "")
    back = (await reader.json(f"{BERTH}/compare/v2.0.0...v1.0.0"))["shared"]
    assert [test["name"] for test in back["started"]] == ["TestPause", "TestWait"]
    assert back["guards"] == []


async def test_a_revision_that_was_recorded_before_says_so(reader: Reader) -> None:
    found = await reader.json(f"{BERTH}/compare/v1.0.1...v2.0.0")
    assert found["shared"]["unknown"] == ["v1.0.1"]
    assert (found["shared"]["stopped"], [change["name"] for change in found["lost"]]) == ([], ["Daemon.Pause"])
    _, page, _ = await reader.get(f"{BERTH}/compare/v1.0.1...v2.0.0")
    assert "is not recorded of v1.0.1" in page
    _, notes, _ = await reader.get(f"{BERTH}/compare/v1.0.1...v2.0.0?format=markdown")
    assert "is not recorded of v1.0.1." in notes


async def test_a_comparison_is_release_notes(reader: Reader) -> None:
    status, text, headers = await reader.get(f"{BERTH}/compare/v1.0.0...v2.0.0?format=markdown")
    assert (status, headers["Content-Type"]) == (200, "text/markdown; charset=utf-8")
    assert text.startswith("# Windows in v2.0.0: what changes since v1.0.0\n")
    assert "## What Windows loses (1)\n\n### `daemon`\n\n- [`Daemon.Pause`](" in text
    assert "implemented → stub" in text
    assert "## What shared code newly keeps from Windows (1)\n\n- [`daemon:Daemon.Rename`](" in text
    assert "## Tests that no longer run on Windows (2)\n\n- [`daemon/pause_test.go`](" in text
    assert "`TestPause`, `TestWait` (in some cases)\n" in text
    assert text.endswith("</details>\n")


@pytest.mark.parametrize("asked", ["v9...v2.0.0", "0000000...v2.0.0", "v1.0.0...nothing"])
async def test_revisions_that_are_not_recorded_are_not_compared(reader: Reader, asked: str) -> None:
    status, page, _ = await reader.get(f"{BERTH}/compare/{asked}")
    assert (status, "No recorded revision" in page) == (404, True)


async def test_the_form_leads_to_a_comparison(reader: Reader) -> None:
    status, _, headers = await reader.get(f"{BERTH}/compare?base=v1.0.0&head=v2.0.0")
    assert (status, headers["Location"]) == (303, f"/{NAME}/compare/v1.0.0...v2.0.0")


# Lists.


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", [".", "daemon", "volume/local"]),
        ("?q=vol", ["volume/local"]),
        ("?q=VOL+local", ["volume/local"]),
        ("?q=nothing", []),
        ("?sort=-dir", ["volume/local", "daemon", "."]),
        ("?sort=parity", ["daemon", ".", "volume/local"]),
        ("?sort=nonsense&page=x", [".", "daemon", "volume/local"]),
        ("?page=99999999999999999999", [".", "daemon", "volume/local"]),
        ("?state=gaps", ["daemon"]),
    ],
)
async def test_lists_are_searched_and_sorted(reader: Reader, query: str, names: list[str]) -> None:
    found = await reader.json(f"{BERTH}/packages{query}")
    assert [row["dir"] for row in found["packages"]] == names
    assert found["sheet"]["total"] == len(names)
    _, page, _ = await reader.get(f"{BERTH}/packages{query}")
    assert re.findall(r'<th scope="row"><a [^>]*><code>(.*?)</code>', page.replace("<wbr>", "")) == names


@pytest.mark.parametrize(
    "words", ["docker+pause", "suspend-container", "pausecontainerasync", "containerpause", "isProcess"]
)
async def test_a_feature_is_found_by_any_name(reader: Reader, words: str) -> None:
    found = await reader.json(f"{BERTH}/features?q={words}")
    assert [row["name"] for row in found["features"]] == ["POST /containers/{name}/pause"]


# Who may keep what.


async def test_who_has_a_page_is_not_sent_it_again(reader: Reader, records: Records) -> None:
    _, _, headers = await reader.get(BERTH)
    assert headers["Cache-Control"] == "public, no-cache"
    for known in (headers["ETag"], headers["ETag"].removeprefix("W/"), "*", f'"x", {headers["ETag"]}'):
        status, body, again = await reader.get(BERTH, If_None_Match=known)
        assert (status, body, again["ETag"]) == (304, "", headers["ETag"])
    assert (await reader.get(BERTH, If_None_Match="nonsense"))[0] == 200
    before = await records.known(Repo(NAME))
    assert before is not None
    await records.know(Repo(NAME), Known(name=NAME, private=False, branch="trunk", head=before.head))
    assert (await reader.get(BERTH, If_None_Match=headers["ETag"]))[0] == 200


async def test_a_new_report_is_seen_at_once(reader: Reader, records: Records) -> None:
    await reader.get(f"{BERTH}/pulls")
    known = await records.pull(Repo(NAME), 12)
    assert known is not None
    await records.add_pull(Repo(NAME), type(known)(number=13, at=known.at + 1, conclusion="success", title="fine"))
    assert (await reader.json(f"{BERTH}/pulls"))["pulls"][0]["number"] == 13


async def test_a_new_revision_is_seen_at_once(reader: Reader, records: Records) -> None:
    before = len((await reader.json(BERTH))["history"])
    [point, *_] = await records.points(Repo(NAME))
    old = type(point)(rev=rev(999), name="v0.9.0", kind="release", time=point.time - 1, score=point.score)
    await records.add(Repo(NAME), Survey(point=old, tables={}))
    assert len((await reader.json(BERTH))["history"]) == before + 1


async def test_pages_are_compressed_for_who_takes_it(reader: Reader) -> None:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(f"{reader.url}{BERTH}", headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        assert answer.headers["Content-Encoding"] == "gzip"
        packed = await answer.read()
    _, page, headers = await reader.get(BERTH, Accept_Encoding="identity")
    assert "Content-Encoding" not in headers
    assert gzip.decompress(packed).decode() == page


async def test_files_are_kept_for_long_by_their_content(reader: Reader) -> None:
    _, page, _ = await reader.get(BERTH)
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(files) == 5
    for file in files:
        status, _, headers = await reader.get(file)
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert (await reader.get("/static/dashboard.css"))[2]["Cache-Control"] == "public, max-age=300"
    for name in ("nothing.css", "..%2fpages.py", "%2e%2e%2fpages.py", ".."):
        assert (await reader.get(f"/static/{name}"))[0] == 404


# The badge.


async def test_the_badge_may_be_shown_anywhere_for_a_while(reader: Reader) -> None:
    status, picture, headers = await reader.get(f"{BERTH}/badge.svg")
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
    assert headers["Cache-Control"] == "public, max-age=300"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Windows parity: 56.2%" in picture
    assert (await reader.get(f"{BERTH}/badge.svg", If_None_Match=headers["ETag"]))[0] == 304


async def test_a_badge_before_the_first_survey_says_so(reader: Reader, records: Records) -> None:
    await records.know(Repo("example/new"), Known(name="example/new", private=False))
    assert "Windows parity: unknown" in (await reader.get("/example/new/badge.svg"))[1]
    for path in ("", "/packages", "/findings", "/features", "/pulls"):
        assert (await reader.get(f"/example/new{path}"))[0] == 200


# What is hidden.


@pytest.mark.parametrize("path", [*OF_ONE, "/badge.svg", "/compare?base=a&head=b"])
@pytest.mark.parametrize("api", ["", "/api/v1"])
async def test_what_is_private_is_as_what_is_not_there(reader: Reader, path: str, api: str) -> None:
    hidden = await reader.get(f"{api}/{SECRET.lower()}{path}")
    missing = await reader.get(f"{api}/example/nowhere{path}")
    assert hidden[:2] == missing[:2]
    assert hidden[0] == 404
    assert {**hidden[2], "Date": ""} == {**missing[2], "Date": ""}
    assert "secret" not in hidden[1].lower()


async def test_the_front_page_names_nothing_private(reader: Reader) -> None:
    assert "secret" not in (await reader.get("/"))[1].lower()
    assert [row["name"] for row in (await reader.json("/"))["repositories"]] == [NAME]


async def test_operations_are_for_administrators(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await reader.get("/operations"))[:2] == (await reader.get("/nowhere"))[:2]

    async def yes(*_args: object) -> bool:
        return True

    monkeypatch.setattr(Visitors, "administers", yes)
    status, page, headers = await reader.get("/operations")
    assert (status, headers["Cache-Control"]) == (200, "private, no-cache")
    assert "Deliveries" in page
    schema = await _schema(reader)
    found = await reader.json("/operations")
    jsonschema.validate(found, {**schema["x-answers"]["/api/v1/operations"], "$defs": schema["$defs"]})
    assert [row["role"] for row in found["processes"]] == ["web"]


# What goes wrong.


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/a", "/a/b/c/d", f"{BERTH}/pulls/99", f"{BERTH}/packages/none", f"{BERTH}/symbols/daemon:None", "/rules/none",
     f"{BERTH}/pulls/%00", "/%ff", "/a%00b/c", f"{BERTH}/packages/%0a", f"{BERTH}/symbols/x"],
)  # fmt: skip
async def test_what_is_not_there_is_404_in_the_same_look(reader: Reader, path: str) -> None:
    status, page, headers = await reader.get(path)
    assert (status, headers["Cache-Control"], headers["Content-Security-Policy"]) == (404, "no-store", POLICY)
    assert "There is no such page." in page
    status, text, _ = await reader.get(f"/api/v1{path}")
    assert (status, text) == (404, '{"status":404,"message":"There is no such page."}')


async def test_a_bug_is_500_and_tells_nothing(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(Visitors, "see", broken)
    for path, kind in ((BERTH, "text/html"), (f"/api/v1{BERTH}", "application/json")):
        status, text, headers = await reader.get(path)
        assert (status, "secret of ours" in text, headers["Content-Type"].startswith(kind)) == (500, False, True)


async def test_a_store_that_is_away_is_503(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_args: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(Records, "known", away)
    assert (await reader.get(BERTH))[0] == 503


async def test_only_looking_is_allowed(reader: Reader) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{reader.url}{BERTH}") as answer:
        assert answer.status == 405


# The largest.


@pytest.mark.slow
async def test_the_pages_of_the_largest_repository_stay_small(reader: Reader, records: Records) -> None:
    await fill_large(records)
    large = f"/{LARGE.lower()}"
    package = (await reader.json(f"{large}/packages"))["packages"][0]
    symbol = (await reader.json(package["page"]))["symbols"][0]
    paths = ["", "/packages", "/pulls", "/pulls/1", "/findings", "/features", "/compare/v1.0.0...v8.0.0"]
    sizes = {path: len((await reader.get(f"{large}{path}"))[1].encode()) for path in paths}
    sizes |= {"package": len((await reader.get(package["page"]))[1].encode())}
    sizes |= {"symbol": len((await reader.get(symbol["page"]))[1].encode())}
    assert {path: size for path, size in sizes.items() if size > MAX_PAGE} == {}
