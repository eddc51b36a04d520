"""app.yml as GitHub takes it, and addresses as people give them."""

import tomllib
from pathlib import Path

import pytest

from bot import manifest as module
from bot.manifest import lacking, manifest, new_app_url, organisation, public_url, registration, webhook_url
from tests.bot.openapi import Judge

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://wp.example.com", "https://wp.example.com/webhook"),
        (" wp.example.com ", "https://wp.example.com/webhook"),
        ("https://wp.example.com:8443/", "https://wp.example.com:8443/webhook"),
        ("https://smee.io/AbCd123", "https://smee.io/AbCd123"),
        ("https://wp.example.com/hooks/webhook", "https://wp.example.com/hooks/webhook"),
        ("HTTPS://WP.example.com", "https://wp.example.com/webhook"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/webhook"),
        ("http://localhost:8080", "http://localhost:8080/webhook"),
        ("http://[::1]:8080", "http://[::1]:8080/webhook"),
        ("https://bücher.example", "https://xn--bcher-kva.example/webhook"),
    ],
)
def test_an_address_becomes_the_webhooks(given: str, url: str) -> None:
    assert webhook_url(given) == url


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "http://wp.example.com",
        "http://127.0.0.1.example.com",
        "ftp://wp.example.com",
        "javascript://wp.example.com/%0Aalert(1)",
        "https://",
        "https://user:pass@wp.example.com",
        "https://wp.example.com/?a=b",
        "https://wp.example.com/#x",
        "https://wp.example.com:99999",
        "https://wp.example.com/a b",
        "https://wp.example\n.com",
        "https://[::1",
        "https://wp.example.com/\u202e",
        "https://wp.example.com/" + "x" * 500,
    ],
)
def test_what_github_could_not_use_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"[Tt]he|[Tt]his|[Ii]t|GitHub") as error:
        webhook_url(given)
    assert "x" * 100 not in str(error.value)


@pytest.mark.parametrize(("given", "name"), [("", ""), (" acme ", "acme"), ("@acme", "acme"), ("A-b_1", "A-b_1")])
def test_an_organisation(given: str, name: str) -> None:
    assert organisation(given) == name


@pytest.mark.parametrize("given", ["a b", "../x", "a/b", "-a", "a" * 40, "é", "<b>", "a\nb"])
def test_no_organisation(given: str) -> None:
    with pytest.raises(ValueError, match="organisation"):
        organisation(given)


def test_the_manifest_is_app_yml_with_this_servers_addresses() -> None:
    made = manifest("https://wp.example.com/webhook", "http://127.0.0.1:1/setup/registered", "")
    changed = {"hook_attributes", "redirect_url", "callback_urls"}
    assert {name: value for name, value in made.items() if name not in changed} == {
        name: value for name, value in registration().items() if name not in changed
    }
    assert made["hook_attributes"] == {"url": "https://wp.example.com/webhook", "active": True}
    assert made["redirect_url"] == "http://127.0.0.1:1/setup/registered"
    assert made["callback_urls"] == ["https://wp.example.com/login/callback"]
    assert registration()["callback_urls"] == ["https://winparity.example.com/login/callback"]
    assert registration()["hook_attributes"]["url"] != made["hook_attributes"]["url"]


@pytest.mark.parametrize(
    ("org", "name"), [("", "winparity"), ("acme", "winparity-acme"), ("a" * 39, "winparity-" + "a" * 24)]
)
def test_an_organisations_app_has_a_name_that_may_be_free(org: str, name: str) -> None:
    assert manifest("https://x/webhook", "https://x", org)["name"] == name


@pytest.mark.parametrize(
    ("webhook", "url"),
    [
        ("https://wp.example.com:8443/webhook", "https://wp.example.com:8443"),
        ("http://127.0.0.1:8080/webhook", "http://127.0.0.1:8080"),
        ("https://smee.io/AbCd123", ""),
    ],
)
def test_where_people_reach_the_server(webhook: str, url: str) -> None:
    assert public_url(webhook) == url
    assert bool(manifest(webhook, "https://x", "")["callback_urls"]) == bool(url)


def test_github_knows_every_permission_that_is_asked_for(judge: Judge | None) -> None:
    if judge is None:
        pytest.skip("GitHub's description cannot be had")
    known = judge.known["components"]["schemas"]["app-permissions"]["properties"]
    asked = registration()["default_permissions"]
    assert [name for name, level in asked.items() if level not in known[name]["enum"]] == []


def test_the_form_goes_to_the_owners_page() -> None:
    assert new_app_url("https://ghe.example.com", "") == "https://ghe.example.com/settings/apps/new"
    assert new_app_url("https://github.com", "acme") == "https://github.com/organizations/acme/settings/apps/new"


def test_an_installed_package_has_app_yml_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packed = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert packed == {"app.yml": "bot/app.yml"}
    copy = tmp_path / "site-packages" / "bot" / "app.yml"
    copy.parent.mkdir(parents=True)
    copy.write_text("name: installed\n")
    monkeypatch.setattr(module, "__file__", str(copy.with_name("manifest.py")))
    registration.cache_clear()
    try:
        assert registration() == {"name": "installed"}
    finally:
        registration.cache_clear()


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ({"checks": "write", "contents": "read"}, []),
        ({"checks": "admin", "contents": "write"}, []),
        ({"checks": "read", "contents": "read"}, ["checks: write"]),
        ({"contents": "strange"}, ["checks: write", "contents: read"]),
    ],
)
def test_what_is_lacking(granted: dict[str, str], missing: list[str]) -> None:
    assert lacking(granted, {"checks": "write", "contents": "read"}) == missing
