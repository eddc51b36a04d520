"""Settings: each is read, all that is wrong is named together, and no secret comes out by accident."""

import copy
import dataclasses
import json
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.config import (
    SETTINGS,
    ConfigError,
    Secret,
    Settings,
    Unregistered,
    cache_folder,
    credentials,
    default_data_dir,
    environment,
)
from bot.ids import Repo
from tests.bot.conftest import Keys

README = Path(__file__).parents[2] / "README.md"
PASSWORD = "hunter2 hunter2"


@pytest.fixture
def least(keys: Keys) -> dict[str, str]:
    """The settings that have no default."""
    return {
        "WINPARITY_APP_ID": "42",
        "WINPARITY_PRIVATE_KEY": keys.private,
        "WINPARITY_WEBHOOK_SECRET": PASSWORD,
    }


def _problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as error:
        Settings.from_env(environ)
    return str(error.value).splitlines()


# Reading.


def test_three_settings_are_enough(least: dict[str, str], keys: Keys) -> None:
    settings = Settings.from_env(least)
    assert settings.app_id == 42
    assert settings.private_key.reveal() == keys.private
    assert [secret.reveal() for secret in settings.webhook_secrets] == [PASSWORD]
    assert settings.redis_url is None


def test_defaults_are_the_ones_that_are_documented(least: dict[str, str]) -> None:
    settings = Settings.from_env(least)
    documented = {setting.name: setting.default for setting in SETTINGS}
    read = {
        "HOST": settings.host,
        "PORT": str(settings.port),
        "WINPARITY_CONCURRENCY": str(settings.concurrency),
        "WINPARITY_JOB_MEMORY": str(settings.job_memory),
        "WINPARITY_COMMENT": settings.comment,
        "WINPARITY_LOG": settings.log,
        "WINPARITY_GITHUB_API_URL": settings.api_url,
        "WINPARITY_GITHUB_URL": settings.git_url,
        "WINPARITY_WRITE_SPACING": str(settings.write_spacing),
        "WINPARITY_METRICS_HOST": settings.metrics_host,
        "WINPARITY_DRAIN": f"{settings.drain:.0f}",
        "WINPARITY_DATA_DIR": "~/" + settings.data_dir.relative_to(Path.home()).as_posix(),
    }
    assert read == {name: documented[name] for name in read}
    assert Settings(settings.app_id, settings.private_key, settings.webhook_secrets) == settings


def test_every_setting_is_read(least: dict[str, str], keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(keys.private)
    environ = {
        "WINPARITY_ENV_FILE": str(tmp_path / "away"),
        "WINPARITY_APP_ID": "7",
        "WINPARITY_PRIVATE_KEY_FILE": str(file),
        "WINPARITY_WEBHOOK_SECRET": "new",
        "WINPARITY_WEBHOOK_SECRET_OLD": "old",
        "REDIS_URL": "rediss://user:password@redis.example.com:6380/1",
        "WINPARITY_DATA_DIR": str(tmp_path),
        "WINPARITY_CACHE": "off",
        "WINPARITY_DASHBOARD": "off",
        "HOST": "::1",
        "PORT": "0",
        "WINPARITY_ALERT_URLS": "https://alerts.example.com/a/b  slack+https://hooks.example.com/c",
        "WINPARITY_ALERT_SECRET": "a secret for alerts",
        "WINPARITY_CONCURRENCY": "1",
        "WINPARITY_JOB_MEMORY": "512",
        "WINPARITY_MIRRORS_GIB": "3",
        "WINPARITY_COMMENT": "always",
        "WINPARITY_LOG": "json",
        "WINPARITY_GITHUB_API_URL": "https://ghe.example.com/api/v3/",
        "WINPARITY_GITHUB_URL": "http://ghe.example.com",
        "WINPARITY_WRITE_SPACING": "0.5",
        "WINPARITY_SHADOW": "Example/Berth  somebody/*",
        "WINPARITY_METRICS_PORT": "9100",
        "WINPARITY_METRICS_HOST": "::1",
        "WINPARITY_METRICS_TOKEN": "a token for metrics",
        "WINPARITY_DRAIN": "7.5",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318/",
        "WINPARITY_PUBLIC_URL": "https://wp.example.com:8443/",
        "WINPARITY_CLIENT_ID": "Iv23liAbC",
        "WINPARITY_CLIENT_SECRET": "a-client-secret",
        "WINPARITY_ADMINS": "@Octocat, somebody_acme",
    }
    settings = Settings.from_env(environ)
    assert environ.keys() | least.keys() == {setting.name for setting in SETTINGS}
    assert settings.private_key.reveal() == keys.private
    assert [secret.reveal() for secret in settings.webhook_secrets] == ["new", "old"]
    assert settings.redis_url is not None
    assert settings.redis_url.reveal() == environ["REDIS_URL"]
    shown = {name: value for name, value in dataclasses.asdict(settings).items() if not isinstance(value, Secret)}
    del shown["webhook_secrets"]
    assert [url.reveal() for url in shown.pop("alert_urls")] == environ["WINPARITY_ALERT_URLS"].split()
    assert settings.alert_secret is not None
    assert settings.alert_secret.reveal() == environ["WINPARITY_ALERT_SECRET"]
    assert shown == {
        "app_id": 7,
        "data_dir": tmp_path,
        "cache": "off",
        "dashboard": "off",
        "host": "::1",
        "port": 0,
        "concurrency": 1,
        "job_memory": 512,
        "comment": "always",
        "log": "json",
        "api_url": "https://ghe.example.com/api/v3",
        "git_url": "http://ghe.example.com",
        "write_spacing": 0.5,
        "shadow": ("example/berth", "somebody/*"),
        "mirrors_gib": 3,
        "metrics_port": 9100,
        "metrics_host": "::1",
        "drain": 7.5,
        "otlp_endpoint": "http://127.0.0.1:4318",
        "public_url": "https://wp.example.com:8443",
        "client_id": "Iv23liAbC",
        "admins": {"octocat", "somebody_acme"},
    }
    assert settings.client_secret is not None
    assert settings.client_secret.reveal() == environ["WINPARITY_CLIENT_SECRET"]
    assert settings.metrics_token is not None
    assert settings.metrics_token.reveal() == environ["WINPARITY_METRICS_TOKEN"]
    repos = ("example/berth", "example/other", "somebody/any", "somebody-else/any")
    assert [settings.shadows(Repo(repo)) for repo in repos] == [True, False, True, False]


@pytest.mark.parametrize("url", ["hooks.example.com/secret", "ftp://x/secret", "https:///secret", "slack+x://y/secret"])
def test_a_wrong_address_for_alerts_is_told_by_its_place_alone(least: dict[str, str], url: str) -> None:
    [problem] = _problems({**least, "WINPARITY_ALERT_URLS": f"https://a.example.com/secret {url}"})
    assert problem == "WINPARITY_ALERT_URLS: entry 2 must start with https:// or slack+https://"


def test_an_empty_variable_counts_as_none(least: dict[str, str]) -> None:
    empty = {setting.name: "" for setting in SETTINGS}
    filled, plain = Settings.from_env({**empty, **least}), Settings.from_env(least)
    assert [secret.reveal() for secret in filled.webhook_secrets] == [PASSWORD]
    assert filled.redis_url is None
    assert (filled.host, filled.port, filled.data_dir) == (plain.host, plain.port, plain.data_dir)


def test_a_key_may_come_on_one_line(least: dict[str, str], keys: Keys) -> None:
    least["WINPARITY_PRIVATE_KEY"] = keys.private.replace("\n", "\\n")
    assert Settings.from_env(least).private_key.reveal() == keys.private


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"WINPARITY_DATA_DIR": "/srv/wp", "XDG_STATE_HOME": "/state"}, Path("/srv/wp")),
        ({"XDG_STATE_HOME": "/state"}, Path("/state/winparity")),
        ({"XDG_STATE_HOME": "relative"}, Path.home() / ".local/state/winparity"),
        ({"XDG_STATE_HOME": ""}, Path.home() / ".local/state/winparity"),
        ({}, Path.home() / ".local/state/winparity"),
        ({"WINPARITY_DATA_DIR": "data"}, Path.cwd() / "data"),
    ],
)
def test_data_lives_where_it_is_told_to_or_in_the_state_folder(environ: dict[str, str], folder: Path) -> None:
    assert default_data_dir(environ) == folder


# The file with settings.


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".env"


def test_the_file_lies_under_the_environment(file: Path) -> None:
    file.write_text("PORT=1\nHOST=::1\nWINPARITY_COMMENT=never\n")
    assert environment({"PORT": "2", "HOST": "", "PATH": "/bin"}) == {
        "PORT": "2",
        "HOST": "::1",
        "WINPARITY_COMMENT": "never",
        "PATH": "/bin",
    }


def test_another_file_can_be_named(file: Path, tmp_path: Path) -> None:
    file.write_text("PORT=1\n")
    (tmp_path / "other").write_text("PORT=3\n")
    assert environment({"WINPARITY_ENV_FILE": "other"})["PORT"] == "3"
    assert environment({"WINPARITY_ENV_FILE": "away"}) == {"WINPARITY_ENV_FILE": "away"}
    assert environment({}, tmp_path / "other") == {"PORT": "3"}


@pytest.mark.parametrize("inside", ["WINPARITY_PRIVATE_KEY", "WINPARITY_PRIVATE_KEY_FILE"])
@pytest.mark.parametrize("outside", ["WINPARITY_PRIVATE_KEY", "WINPARITY_PRIVATE_KEY_FILE"])
def test_a_key_in_the_environment_wins_in_either_form(file: Path, inside: str, outside: str) -> None:
    file.write_text(f"{inside}=theirs\nPORT=1\n")
    assert environment({outside: "ours"}) == {outside: "ours", "PORT": "1"}


def test_a_file_that_is_wrong_is_a_mistake_in_the_settings(file: Path) -> None:
    file.write_text("PORT\n")
    with pytest.raises(ConfigError, match="line 1"):
        environment({})


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"PORT": "1", "WINPARITY_APP_ID": ""}, []),
        ({"WINPARITY_APP_ID": "1"}, ["WINPARITY_APP_ID"]),
        ({"WINPARITY_PRIVATE_KEY_FILE": "x"}, ["WINPARITY_PRIVATE_KEY_FILE"]),
    ],
)
def test_half_an_app_is_an_app(environ: dict[str, str], names: list[str]) -> None:
    assert credentials(environ) == names


def test_before_there_is_an_app_the_api_follows_from_the_server_too() -> None:
    unregistered = Unregistered.from_env({"WINPARITY_GITHUB_URL": "https://ghe.example.com"})
    assert unregistered.api_url == "https://ghe.example.com/api/v3"


def test_without_an_app_the_address_is_known(tmp_path: Path) -> None:
    environ = {"HOST": "::1", "PORT": "0", "WINPARITY_ENV_FILE": str(tmp_path / "x"), "WINPARITY_LOG": "json"}
    assert Unregistered.from_env(environ) == Unregistered(
        tmp_path / "x", "::1", 0, "json", "https://api.github.com", "https://github.com"
    )
    with pytest.raises(ConfigError, match=r"PORT.*\n.*WINPARITY_GITHUB_URL"):
        Unregistered.from_env({"PORT": "x", "WINPARITY_GITHUB_URL": "x"})


# Problems.


def test_all_that_is_missing_is_named_together() -> None:
    assert _problems({}) == [
        "WINPARITY_APP_ID is not set",
        "WINPARITY_PRIVATE_KEY is not set",
        "WINPARITY_WEBHOOK_SECRET is not set",
    ]


WRONG = [
    *(("WINPARITY_APP_ID", value) for value in ("x", "0", "-1", "1.5", "Iv1.8a61f9b3a7aba766")),
    *(("PORT", value) for value in ("http", "-1", "65536")),
    *(("WINPARITY_CONCURRENCY", value) for value in ("0", "many")),
    *(("WINPARITY_WRITE_SPACING", value) for value in ("-0.1", "inf", "nan", "1e999", "1s")),
    *(("WINPARITY_COMMENT", value) for value in ("sometimes", "Always")),
    ("WINPARITY_LOG", "xml"),
    *(("WINPARITY_GITHUB_API_URL", value) for value in ("api.github.com", "https://", "ftp://x")),
    *(
        ("WINPARITY_GITHUB_URL", value)
        for value in (
            "ssh://git@github.com",
            "file:///srv",
            "ext::sh -c x",
            "--x",
            "https://[::1",
            "https://",
            "https://h:x",
        )
    ),
    *(
        ("WINPARITY_PUBLIC_URL", value)
        for value in ("wp.example.com", "https://", "https://[::1", "https://x/y", "https://x?y", "https://u@x")
    ),
    *(("WINPARITY_ADMINS", value) for value in ("a b/c", "-x")),
    *(("REDIS_URL", value) for value in ("localhost:6379", "http://x", "/run/redis.sock")),
    *(("WINPARITY_PRIVATE_KEY", value) for value in ("MIIEow", "-----BEGIN PUBLIC KEY-----")),
]


def test_half_of_what_signing_in_needs_is_named(least: dict[str, str]) -> None:
    for name in ("WINPARITY_CLIENT_ID", "WINPARITY_CLIENT_SECRET"):
        assert _problems({**least, name: "Iv1.x"}) == ["WINPARITY_CLIENT_ID and WINPARITY_CLIENT_SECRET go together"]
    [problem] = _problems({**least, "WINPARITY_CLIENT_ID": "Iv1", "WINPARITY_CLIENT_SECRET": PASSWORD})
    assert problem == "WINPARITY_CLIENT_SECRET is no client secret"
    swapped = {"WINPARITY_CLIENT_ID": "0123456789" * 4, "WINPARITY_CLIENT_SECRET": "Iv1.x"}
    [problem] = _problems({**least, **swapped})
    assert problem.startswith("WINPARITY_CLIENT_ID must be")
    assert "0123" not in problem


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_wrong_is_named(least: dict[str, str], name: str, value: str) -> None:
    [problem] = _problems({**least, name: value})
    assert problem.startswith(name)


def test_all_that_is_wrong_is_named_together() -> None:
    wrong = dict(WRONG)
    named = [problem.split()[0] for problem in _problems(wrong)]
    assert sorted(named) == sorted([*wrong, "WINPARITY_WEBHOOK_SECRET"])


def test_a_key_file_that_is_no_key_is_named(least: dict[str, str], tmp_path: Path) -> None:
    del least["WINPARITY_PRIVATE_KEY"]
    (tmp_path / "key.der").write_bytes(b"\x30\x82\xff")
    (tmp_path / "key.txt").write_text("to be done")
    for file in ("", "key.der", "key.txt", "away", "nul\0"):
        [problem] = _problems({**least, "WINPARITY_PRIVATE_KEY_FILE": str(tmp_path / file)})
        assert problem.startswith("WINPARITY_PRIVATE_KEY_FILE "), file


# Secrets.


def test_a_secret_has_no_printable_form() -> None:
    secret = Secret(PASSWORD)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>30}",
        f"{secret:>30}",
        f"{[secret]}",
    ]
    assert not [text for text in shown if "hunter2" in text]


def test_a_secret_is_not_stored() -> None:
    secret = Secret(PASSWORD)
    for store in (pickle.dumps, json.dumps, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError):
            store(secret)
    assert not hasattr(secret, "__dict__")


def test_settings_show_no_secret(least: dict[str, str]) -> None:
    settings = Settings.from_env({**least, "REDIS_URL": f"redis://:{PASSWORD}@x"})
    shown = f"{settings} {settings!r} {dataclasses.asdict(settings)} {copy.deepcopy(settings)}"
    assert "hunter2" not in shown
    assert "PRIVATE KEY" not in shown
    assert copy.deepcopy(settings).private_key.reveal() == settings.private_key.reveal()


def test_a_traceback_with_locals_shows_no_secret(least: dict[str, str]) -> None:
    def fails(settings: Settings, secret: Secret) -> None:
        raise RuntimeError(f"{settings.webhook_secrets} {secret}")

    settings = Settings.from_env(least)
    try:
        fails(settings, settings.webhook_secrets[0])
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    own = shown.partition("in fails")[2]
    assert "Secret(***)" in own
    assert "hunter2" not in own


@pytest.mark.parametrize("name", ["WINPARITY_PRIVATE_KEY", "WINPARITY_PRIVATE_KEY_FILE", "REDIS_URL"])
def test_no_problem_repeats_a_secret(least: dict[str, str], keys: Keys, name: str) -> None:
    mistaken = [PASSWORD, PASSWORD * 50, f"http://:{PASSWORD}@x"]
    mistaken += [keys.private] if name != "WINPARITY_PRIVATE_KEY" else []
    for value in mistaken:
        shown = "\n".join(_problems({**least, name: value}))
        assert name in shown
        assert "hunter2" not in shown
        assert keys.private[60:90] not in shown


# The README.


def test_the_readme_lists_the_settings() -> None:
    section = README.read_text(encoding="utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = [line.removeprefix("|").removesuffix("|") for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    assert cells[0] == ["Setting", "Default", "Meaning"]
    assert [(name.strip("`"), default.strip("`"), meaning) for name, default, meaning in cells[2:]] == [
        (setting.name, setting.default, setting.meaning) for setting in SETTINGS
    ]


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/cache"}, Path("/cache/winparity")),
        ({"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache" / "winparity"),
        ({"WINPARITY_CACHE": "off"}, None),
    ],
)
def test_the_command_line_remembers_in_the_cache_folder(environ: dict[str, str], folder: Path | None) -> None:
    assert cache_folder(environ) == folder


def test_a_wrong_word_for_the_cache_is_named() -> None:
    with pytest.raises(ConfigError, match="WINPARITY_CACHE"):
        cache_folder({"WINPARITY_CACHE": "maybe"})


@given(st.dictionaries(st.sampled_from([setting.name for setting in SETTINGS]), st.text(max_size=40)))
@example({"WINPARITY_GITHUB_URL": "https://[::1"})
@example({"WINPARITY_ALERT_URLS": "https://[::1"})
def test_whatever_is_set_is_taken_or_named(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="WINPARITY_"):
        Settings.from_env({**environ, "WINPARITY_APP_ID": "no number"})
