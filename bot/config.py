"""The only reader of the environment: settings, checked once at start, all that is wrong named together."""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn, TypeVar
from urllib.parse import urlsplit

from bot.ids import Login, Repo

_N = TypeVar("_N", int, float)
Comment = Literal["never", "regressions", "findings", "always"]

# GitHub's own cap on a webhook payload.
MAX_BODY_BYTES = 25 * 1024 * 1024
MAX_PORT = 65_535
# Seconds: whoever asks a process to stop does not wait for ever, and kills it.
MAX_DRAIN = 300
# Characters of a token that nobody guesses.
MIN_TOKEN = 16
DEFAULT_SERVER = "https://github.com"
REDIS_SCHEMES = ("redis://", "rediss://", "unix://", "redis+sentinel://", "rediss+sentinel://")
"""The forms of REDIS_URL; bot/store.py reads them."""
_KEYS = ("WINPARITY_PRIVATE_KEY", "WINPARITY_PRIVATE_KEY_FILE")
CREDENTIALS = ("WINPARITY_APP_ID", *_KEYS, "WINPARITY_WEBHOOK_SECRET")
"""What a registered app has; where none of it is set, there is an app to be set up."""
# An app's client id, such as Iv23liAbC or the older Iv1.8a61f9b3a7aba766. A client secret is not one, so that the two
# cannot be mistaken for each other: the id is in the address of the page that asks people.
_CLIENT_ID = re.compile(r"Iv[A-Za-z0-9._-]{1,60}")
# How an address for alerts begins that is told as Slack has it.
SLACK = "slack+"


class ConfigError(Exception):
    """Settings are missing or wrong; the message names each of them."""


class Secret:
    """A value that cannot be printed by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __deepcopy__(self, _memo: object) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be stored")


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable, as the README's table shows it."""

    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting(
        "WINPARITY_ENV_FILE", ".env", "A file with settings, `NAME=value` on each line; the environment wins over it."
    ),
    Setting("WINPARITY_APP_ID", "required", "The GitHub App's id, a number."),
    Setting("WINPARITY_PRIVATE_KEY", "required", "The app's private key: PEM text (`\\n` may stand for line ends)."),
    Setting("WINPARITY_PRIVATE_KEY_FILE", "", "A file with the private key, instead of the text."),
    Setting("WINPARITY_WEBHOOK_SECRET", "required", "The webhook secret that GitHub signs deliveries with."),
    Setting("WINPARITY_WEBHOOK_SECRET_OLD", "", "The former secret, accepted too while it is being changed."),
    Setting(
        "REDIS_URL",
        "embedded",
        "Redis or Valkey 6.2+ (docs/scale.md: TLS, Sentinel); without it a Valkey is started in the data folder.",
    ),
    Setting("WINPARITY_DATA_DIR", "~/.local/state/winparity", "Where clones and the embedded Valkey's data live."),
    Setting(
        "WINPARITY_CACHE",
        "on",
        "`off`: keep nothing on disk of what files say; else it is in the data folder, or in ~/.cache/winparity.",
    ),
    Setting("HOST", "0.0.0.0", "The address to listen on."),  # noqa: S104 - a container's port is published by its host
    Setting("PORT", "8080", "The port to listen on."),
    Setting("WINPARITY_CONCURRENCY", "4", "Jobs that one worker process runs at a time."),
    Setting("WINPARITY_JOB_MEMORY", "2048", "MiB that one comparison may need; what needs more is not checked."),
    Setting(
        "WINPARITY_MIRRORS_GIB",
        "10",
        "GiB that clones may take on a machine's disk; those not used for longest go first.",
    ),
    Setting("WINPARITY_COMMENT", "findings", "When to comment: `never`, `regressions`, `findings` or `always`."),
    Setting("WINPARITY_LOG", "console", "Log format: `console` or `json`."),
    Setting("WINPARITY_METRICS_PORT", "", "A port of its own for this process's `/metrics`; without it there is none."),
    Setting("WINPARITY_METRICS_HOST", "127.0.0.1", "The address for that port."),
    Setting("WINPARITY_METRICS_TOKEN", "", "The bearer token for `/metrics`; with it, it is at `PORT` too."),
    Setting("WINPARITY_DRAIN", "0", "Seconds that a stopping web server goes on serving, with `/readyz` saying 503."),
    Setting("OTEL_EXPORTER_OTLP_ENDPOINT", "", "Where spans go, by OTLP over HTTP; needs `winparity[otel]`."),
    Setting(
        "WINPARITY_GITHUB_API_URL",
        "https://api.github.com",
        "GitHub's API; for another `WINPARITY_GITHUB_URL` it follows from that.",
    ),
    Setting("WINPARITY_GITHUB_URL", "https://github.com", "GitHub, or a GitHub Enterprise Server: for git and links."),
    Setting(
        "WINPARITY_SHADOW",
        "",
        "Repositories to look at without writing: `owner/name` or `owner/*`, with spaces between.",
    ),
    Setting("WINPARITY_DASHBOARD", "on", "`off`: no pages, and nothing is recorded for them (docs/dashboard.md)."),
    Setting("WINPARITY_WRITE_SPACING", "1.0", "Seconds between two writes to GitHub; GitHub asks for at least one."),
    Setting(
        "WINPARITY_ALERT_URLS",
        "",
        "Where regressions of default and release branches are posted, space separated; `slack+https://…` as Slack has it.",
    ),
    Setting("WINPARITY_ALERT_SECRET", "", "Signs what is posted there as X-Winparity-Signature-256, as GitHub signs."),
    Setting(
        "WINPARITY_PUBLIC_URL",
        "",
        "Where people reach the web server, such as `https://winparity.example.com`; signing in needs it.",
    ),
    Setting("WINPARITY_CLIENT_ID", "", "The app's client id, for signing in with GitHub (docs/dashboard.md)."),
    Setting("WINPARITY_CLIENT_SECRET", "", "The client secret that goes with it."),
    Setting(
        "WINPARITY_ADMINS",
        "",
        "Who may see the dashboard's page of operations: GitHub logins with commas between; nobody without it.",
    ),
)
"""Every variable that is read; a test compares the README with it."""
SECRETS = (
    "WINPARITY_PRIVATE_KEY",
    "WINPARITY_WEBHOOK_SECRET",
    "WINPARITY_WEBHOOK_SECRET_OLD",
    "WINPARITY_ALERT_SECRET",
    "WINPARITY_ALERT_URLS",
    "WINPARITY_METRICS_TOKEN",
    "WINPARITY_CLIENT_SECRET",
    "REDIS_URL",
)
"""Those of them that are for nobody but the server."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server and the worker are told. The attributes mirror `SETTINGS`."""

    app_id: int
    private_key: Secret
    webhook_secrets: tuple[Secret, ...]
    redis_url: Secret | None = None
    data_dir: Path = field(default_factory=lambda: default_data_dir({}))
    cache: Literal["on", "off"] = "on"
    host: str = "0.0.0.0"  # noqa: S104 - see SETTINGS
    port: int = 8080
    concurrency: int = 4
    job_memory: int = 2048
    comment: Comment = "findings"
    log: Literal["console", "json"] = "console"
    api_url: str = "https://api.github.com"
    git_url: str = "https://github.com"
    write_spacing: float = 1.0
    shadow: tuple[str, ...] = ()
    alert_urls: tuple[Secret, ...] = ()
    alert_secret: Secret | None = None
    mirrors_gib: int = 10
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    metrics_token: Secret | None = None
    drain: float = 0.0
    otlp_endpoint: str = ""
    public_url: str = ""
    client_id: str = ""
    client_secret: Secret | None = None
    admins: frozenset[str] = frozenset()
    dashboard: Literal["on", "off"] = "on"

    def shadows(self, repo: Repo) -> bool:
        """Whether the operator wants a repository looked at, and nothing written there."""
        return repo in self.shadow or f"{repo.partition('/')[0]}/*" in self.shadow

    @property
    def signs_in(self) -> bool:
        """Whether people can sign in with GitHub."""
        return bool(self.client_id and self.client_secret and self.public_url)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read all settings.

        Raises:
            ConfigError: with a line for each setting that is missing or wrong.
        """
        reader = _Reader(environ)
        app_id = reader.number("WINPARITY_APP_ID", int, least=1)
        key = reader.private_key()
        secrets = [reader.required("WINPARITY_WEBHOOK_SECRET"), environ.get("WINPARITY_WEBHOOK_SECRET_OLD", "")]
        comment = reader.choice("WINPARITY_COMMENT", "never", "regressions", "findings", "always")
        cache = reader.choice("WINPARITY_CACHE", "on", "off")
        log = reader.choice("WINPARITY_LOG", "console", "json")
        settings = cls(
            app_id,
            Secret(key),
            tuple(Secret(secret) for secret in secrets if secret),
            reader.redis_url(),
            default_data_dir(environ),
            cache,  # type: ignore[arg-type] # choice() returns one of the words given
            environ.get("HOST") or "0.0.0.0",  # noqa: S104 - see SETTINGS
            reader.number("PORT", int, least=0, most=MAX_PORT),
            reader.number("WINPARITY_CONCURRENCY", int, least=1),
            reader.number("WINPARITY_JOB_MEMORY", int, least=256),
            comment,  # type: ignore[arg-type] # choice() returns one of the words given
            log,  # type: ignore[arg-type] # likewise
            reader.api_url(),
            reader.url("WINPARITY_GITHUB_URL"),
            reader.number("WINPARITY_WRITE_SPACING", float, least=0),
            reader.repositories("WINPARITY_SHADOW"),
            reader.alert_urls(),
            Secret(environ["WINPARITY_ALERT_SECRET"]) if environ.get("WINPARITY_ALERT_SECRET") else None,
            reader.number("WINPARITY_MIRRORS_GIB", int, least=1),
            reader.metrics_port(),
            environ.get("WINPARITY_METRICS_HOST") or "127.0.0.1",
            reader.metrics_token(),
            reader.number("WINPARITY_DRAIN", float, least=0, most=MAX_DRAIN),
            reader.url("OTEL_EXPORTER_OTLP_ENDPOINT") if environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") else "",
            public_url=reader.public_url(),
            client_id=reader.client_id(),
            client_secret=reader.client_secret(),
            admins=reader.admins(),
            dashboard=reader.choice("WINPARITY_DASHBOARD", "on", "off"),  # type: ignore[arg-type] # likewise
        )
        if reader.problems:
            raise ConfigError("\n".join(reader.problems))
        return settings


@dataclass(frozen=True, slots=True)
class Unregistered:
    """What a server is told that has no app yet. The attributes mirror those of `Settings`.

    Attributes:
        env_file: where the credentials are to be written.
    """

    env_file: Path
    host: str
    port: int
    log: Literal["console", "json"]
    api_url: str
    git_url: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Unregistered":
        """Read what can be read without an app.

        Raises:
            ConfigError: with a line for each setting that is wrong.
        """
        reader = _Reader(environ)
        settings = cls(
            env_file(environ),
            environ.get("HOST") or "0.0.0.0",  # noqa: S104 - see SETTINGS
            reader.number("PORT", int, least=0, most=MAX_PORT),
            reader.choice("WINPARITY_LOG", "console", "json"),  # type: ignore[arg-type] # choice() returns one of the words
            reader.api_url(),
            reader.url("WINPARITY_GITHUB_URL"),
        )
        if reader.problems:
            raise ConfigError("\n".join(reader.problems))
        return settings


@dataclass(frozen=True, slots=True)
class Actions:
    """What GitHub Actions tells a step of itself (docs: "Default environment variables").

    Attributes:
        repo: whose workflow it is; None outside Actions.
        server: the base of links.
        summary: the file whose Markdown GitHub shows beside the job.
        output: the file of the step's outputs.
    """

    repo: Repo | None = None
    server: str = DEFAULT_SERVER
    summary: Path | None = None
    output: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Actions":
        """Read what there is. What is no repository's name is as good as none."""
        try:
            repo = Repo(environ.get("GITHUB_REPOSITORY", ""))
        except ValueError:
            repo = None
        server = environ.get("GITHUB_SERVER_URL", "")
        summary, output = environ.get("GITHUB_STEP_SUMMARY", ""), environ.get("GITHUB_OUTPUT", "")
        return cls(
            repo,
            server.rstrip("/") if server.startswith(("https://", "http://")) else DEFAULT_SERVER,
            Path(summary) if summary else None,
            Path(output) if output else None,
        )


def env_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The file with settings: WINPARITY_ENV_FILE, or .env in the current folder. It need not be there."""
    return Path(environ.get("WINPARITY_ENV_FILE") or ".env").absolute()


def environment(environ: Mapping[str, str] = os.environ, file: Path | None = None) -> dict[str, str]:
    """The environment, and under it the file with settings. An empty variable counts as none.

    Args:
        environ: the variables.
        file: another file than the one that `env_file` names.

    Raises:
        ConfigError: the file cannot be read.
    """
    from bot import envfile  # noqa: PLC0415 - the command line reads no such file

    given = {name: value for name, value in environ.items() if value}
    kept = envfile.read(file or env_file(environ))
    if any(name in given for name in _KEYS):
        # The two are one setting, so that a key in the environment wins over a key's file in the file.
        kept = {name: value for name, value in kept.items() if name not in _KEYS}
    return {**kept, **given}


def credentials(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Which credentials are set, by name. With none there is no app yet; with some, others may be missing by mistake."""
    return [name for name in CREDENTIALS if environ.get(name)]


@dataclass(frozen=True, slots=True)
class PreCommit:
    """What pre-commit tells a hook (its docs: "pre-push").

    Attributes:
        from_ref: what the remote has of the branch that is pushed, or ``--from-ref``.
        to_ref: what is pushed, or ``--to-ref``.
        remote: the remote's name; empty when nothing is being pushed.
    """

    from_ref: str = ""
    to_ref: str = ""
    remote: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "PreCommit":
        """Read what there is."""
        return cls(*(environ.get(f"PRE_COMMIT_{name}", "") for name in ("FROM_REF", "TO_REF", "REMOTE_NAME")))


@dataclass(frozen=True, slots=True)
class Access:
    """Which GitHub the command line asks, and as whom.

    Attributes:
        server: the base of pages and clones.
        api_url: of its API.
        token: a person's, or empty.
    """

    server: str = DEFAULT_SERVER
    api_url: str = "https://api.github.com"
    token: Secret = field(default_factory=lambda: Secret(""))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Access":
        """Read WINPARITY_GITHUB_URL, WINPARITY_GITHUB_API_URL, and the token as GitHub's own tools call it.

        Raises:
            ConfigError: one of them is wrong.
        """
        reader = _Reader(environ)
        server, api_url = reader.url("WINPARITY_GITHUB_URL"), reader.api_url()
        token = (environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or "").strip()
        if not (token.isascii() and token.isprintable() and " " not in token):
            reader.problems.append("GITHUB_TOKEN, or GH_TOKEN, is no token")
        if reader.problems:
            raise ConfigError("\n".join(reader.problems))
        return cls(server, api_url, Secret(token))


def api_url_for(server: str) -> str:
    """The address of a server's API (docs: "Getting started with the REST API" of each kind of server).

    Args:
        server: the base of the pages that people see.
    """
    parts = urlsplit(server)
    if server == DEFAULT_SERVER or (parts.hostname or "").endswith(".ghe.com"):
        return f"{parts.scheme}://api.{parts.netloc}"
    return f"{server}/api/v3"


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """WINPARITY_DATA_DIR, or the XDG state folder, whose variable counts only when it is absolute (its specification)."""
    if environ.get("WINPARITY_DATA_DIR"):
        return Path(environ["WINPARITY_DATA_DIR"]).absolute()
    state = Path(environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "winparity"


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where the command line keeps what it knows of files: in the XDG cache folder. None when it is to keep nothing.

    Raises:
        ConfigError: WINPARITY_CACHE is neither on nor off.
    """
    reader = _Reader(environ)
    if reader.choice("WINPARITY_CACHE", "on", "off") == "off":
        return None
    if reader.problems:
        raise ConfigError("\n".join(reader.problems))
    cache = Path(environ.get("XDG_CACHE_HOME", ""))
    try:
        return (cache if cache.is_absolute() else Path.home() / ".cache") / "winparity"
    except RuntimeError:  # nobody's home
        return None


def _host(url: str) -> str | None:
    """The server that an address names; None when it is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts.hostname


class _Reader:
    """Reads one variable at a time and remembers what was wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._defaults = {setting.name: setting.default for setting in SETTINGS}
        self.problems: list[str] = []

    def required(self, name: str) -> str:
        value = self._environ.get(name, "")
        if not value:
            self.problems.append(f"{name} is not set")
        return value

    def _value(self, name: str) -> str:
        default = self._defaults[name]
        return self.required(name) if default == "required" else self._environ.get(name) or default

    def number(self, name: str, kind: Callable[[str], _N], least: int, most: int | None = None) -> _N:
        value = self._value(name)
        try:
            number = kind(value)
            if math.isfinite(number) and least <= number and (most is None or number <= most):
                return number
        except ValueError:
            pass
        if value:
            limits = f"{least} or more" if most is None else f"{least} to {most}"
            self.problems.append(f"{name} is {value[:40]!r}; it must be a number, {limits}")
        return kind("1")

    def choice(self, name: str, *words: str) -> str:
        value = self._value(name)
        if value not in words:
            self.problems.append(f"{name} is {value[:40]!r}; it must be one of {', '.join(words)}")
        return value

    def url(self, name: str) -> str:
        value = self._value(name).rstrip("/")
        if not value.startswith(("https://", "http://")):
            self.problems.append(f"{name} is {value[:100]!r}; it must start with https://")
        elif not _host(value):
            self.problems.append(f"{name} is {value[:100]!r}; it names no server")
        return value

    def api_url(self) -> str:
        server = self._environ.get("WINPARITY_GITHUB_URL", "").rstrip("/")
        if not server or self._environ.get("WINPARITY_GITHUB_API_URL"):
            return self.url("WINPARITY_GITHUB_API_URL")
        return api_url_for(server) if _host(server) else ""  # what is wrong with it is said of the server

    def repositories(self, name: str) -> tuple[str, ...]:
        patterns = self._value(name).lower().split()
        for pattern in patterns:
            owner, _, repo = pattern.partition("/")
            try:
                Repo(f"{owner}/any" if repo == "*" else pattern)
            except ValueError:
                self.problems.append(f"{name} has {pattern[:100]!r}; each must be owner/name or owner/*")
        return tuple(patterns)

    def alert_urls(self) -> tuple[Secret, ...]:
        urls = self._environ.get("WINPARITY_ALERT_URLS", "").split()
        for number, url in enumerate(urls, 1):
            address = url.removeprefix(SLACK)
            if not address.startswith(("https://", "http://")) or not _host(address):
                # Its path is a secret, so it is not repeated.
                self.problems.append(
                    f"WINPARITY_ALERT_URLS: entry {number} must start with https:// or {SLACK}https://"
                )
        return tuple(map(Secret, dict.fromkeys(urls)))

    def metrics_port(self) -> int | None:
        name = "WINPARITY_METRICS_PORT"
        return self.number(name, int, least=0, most=MAX_PORT) if self._environ.get(name) else None

    def metrics_token(self) -> Secret | None:
        value = self._environ.get("WINPARITY_METRICS_TOKEN", "")
        if value and (len(value) < MIN_TOKEN or not (value.isascii() and value.isprintable())):
            self.problems.append(f"WINPARITY_METRICS_TOKEN must be {MIN_TOKEN} or more printable ASCII characters")
        return Secret(value) if value else None

    def public_url(self) -> str:
        name = "WINPARITY_PUBLIC_URL"
        if not self._environ.get(name):
            return ""
        before = len(self.problems)
        url = self.url(name)
        if len(self.problems) > before:
            return ""
        parts = urlsplit(url)
        if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
            self.problems.append(f"{name} is {url[:100]!r}; it must end with the server's name or port")
        return url

    def client_id(self) -> str:
        value = self._environ.get("WINPARITY_CLIENT_ID", "")
        if value and not _CLIENT_ID.fullmatch(value):
            # It may be the secret by mistake, so it is not repeated.
            self.problems.append(
                "WINPARITY_CLIENT_ID must be the client id that the app's settings show; it begins with Iv"
            )
        if bool(value) != bool(self._environ.get("WINPARITY_CLIENT_SECRET")):
            self.problems.append("WINPARITY_CLIENT_ID and WINPARITY_CLIENT_SECRET go together")
        return value

    def client_secret(self) -> Secret | None:
        value = self._environ.get("WINPARITY_CLIENT_SECRET", "")
        if not (value.isascii() and value.isprintable() and " " not in value):
            self.problems.append("WINPARITY_CLIENT_SECRET is no client secret")
        return Secret(value) if value else None

    def admins(self) -> frozenset[str]:
        found = set()
        for login in self._environ.get("WINPARITY_ADMINS", "").replace(",", " ").split():
            try:
                found.add(Login(login.removeprefix("@")).lower())
            except ValueError:
                self.problems.append(f"WINPARITY_ADMINS has {login[:100]!r}; each must be a login on GitHub")
        return frozenset(found)

    def redis_url(self) -> Secret | None:
        value = self._environ.get("REDIS_URL")
        if not value:
            return None
        # It may hold a password, so it is not repeated.
        if not value.startswith(REDIS_SCHEMES):
            self.problems.append(f"REDIS_URL must start with {', '.join(REDIS_SCHEMES)}")
            return Secret(value)
        from bot.store import connect  # noqa: PLC0415 - `winparity diff` starts without a store

        try:
            connect(value)
        except ValueError:
            self.problems.append("REDIS_URL cannot be read; docs/scale.md shows its forms")
        return Secret(value)

    def private_key(self) -> str:
        file = self._environ.get("WINPARITY_PRIVATE_KEY_FILE")
        if not file:
            return self._pem("WINPARITY_PRIVATE_KEY", self.required("WINPARITY_PRIVATE_KEY").replace("\\n", "\n"))
        try:
            return self._pem("WINPARITY_PRIVATE_KEY_FILE", Path(file).read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            # Only the reason: who puts the key itself here by mistake must not find it in a log as a file's name.
            reason = (isinstance(error, OSError) and error.strerror) or "it is no PEM text"
            self.problems.append(f"WINPARITY_PRIVATE_KEY_FILE cannot be read: {reason}")
            return ""

    def _pem(self, name: str, text: str) -> str:
        if text and "PRIVATE KEY-----" not in text:
            self.problems.append(f"{name} holds no private key in PEM form")
        return text
