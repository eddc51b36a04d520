"""`winparity doctor`: is everything there that the server needs, in the order in which one thing needs another?"""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import redis
from redis.asyncio import Redis
from yarl import URL

from bot import envfile
from bot.checks import Check
from bot.config import ConfigError, Settings, credentials, default_data_dir, env_file, environment
from bot.doctor_app import check_app
from bot.manifest import is_loopback
from bot.store import connect
from bot.valkey import EmbeddedError
from bot.web import store

# The first versions with all that we use: GIT_CONFIG_COUNT; GETDEL and LMOVE.
MIN_GIT = (2, 31)
MIN_REDIS = (6, 2)
# Seconds for the store, or for git to tell its version.
PATIENCE = 5.0
# Bytes: with less, the next large repository may not fit; with much less nothing does.
LITTLE_SPACE = 2**30
NO_SPACE = 100 * 2**20
_CLOUD = URL("https://github.com"), URL("https://api.github.com")


async def examine(environ: Mapping[str, str] = os.environ) -> AsyncIterator[Check]:
    """Look at everything, one after the other.

    Args:
        environ: the environment; the file with settings is read too.
    """
    file, known, settings = env_file(environ), dict(environ), None
    try:
        known = environment(environ)
        settings = Settings.from_env(known)
    except ConfigError as error:
        folder = default_data_dir(known)
        for check in _wrong(error, known):
            yield check
    else:
        folder = settings.data_dir
        where = f"{file} and the environment" if file.exists() else "the environment"
        yield Check("settings", "ok", f"complete, from {where}")
    if warning := envfile.exposed(file):
        what, _, command = warning.partition("; ")
        yield Check("settings", "warning", what, command)
    if settings is not None:
        yield check_address(settings.api_url, settings.git_url)
        async for check in check_app(settings):
            yield check
        yield await check_store(settings)
    yield await asyncio.to_thread(check_git)
    yield await asyncio.to_thread(check_folder, folder)


def _wrong(error: ConfigError, known: Mapping[str, str]) -> list[Check]:
    """What is missing or wrong in the settings."""
    problems = str(error).splitlines()
    if not credentials(known) and all(problem.endswith(" is not set") for problem in problems):
        return [Check("settings", "failure", "there is no app yet", "run: winparity setup")]
    advice = "README.md, “Settings”, has all of them; what is about GitHub is looked at when they are right"
    return [Check("settings", "failure", problem, advice) for problem in problems]


def check_address(api_url: str, git_url: str) -> Check:
    """Whether API and repositories are of one GitHub (docs.github.com, "Getting started with the REST API")."""
    api, web = URL(api_url), URL(git_url)
    name, both = "addresses", "WINPARITY_GITHUB_API_URL and WINPARITY_GITHUB_URL"
    if is_loopback(api.host or ""):
        return Check(name, "ok", f"{api_url}, on this machine")
    if "http" in {api.scheme, web.scheme}:
        return Check(name, "warning", "http:// sends tokens and code in the clear", f"use https:// in {both}")
    if (web.origin() == _CLOUD[0]) != (api.origin() == _CLOUD[1]):
        return Check(name, "failure", f"{api_url} and {git_url} are not of one GitHub", f"set {both} together")
    ours = api.origin() == _CLOUD[1] or (api.host or "").endswith(".ghe.com")
    if not ours and api.path.rstrip("/") != "/api/v3":
        advice = f"WINPARITY_GITHUB_API_URL={api.origin()}/api/v3"
        return Check(name, "failure", "the API of GitHub Enterprise Server is at /api/v3", advice)
    return Check(name, "ok", f"{api_url} and {git_url}")


async def check_store(settings: Settings) -> Check:
    """Whether the store answers, is new enough, and keeps what it is given."""
    name = "store"
    try:
        async with asyncio.timeout(None if settings.redis_url is None else PATIENCE), store(settings) as url:
            client = connect(url)
            try:
                return _judged(name, await client.info(), await _saves(client))
            finally:
                await client.aclose()
    except EmbeddedError as error:
        return Check(name, "failure", "the embedded Valkey does not run", str(error))
    except (redis.RedisError, OSError, TimeoutError, ValueError) as error:
        advice = "see that it runs, and that REDIS_URL (not shown: it may hold a password) is right"
        return Check(name, "failure", f"it cannot be reached ({type(error).__name__})", advice)


async def _saves(client: Redis) -> str | None:
    """When it makes snapshots; None when it does not tell, as hosted ones do not."""
    try:
        return str((await client.config_get("save")).get("save", ""))
    except redis.ResponseError:
        return None


def _judged(name: str, info: Mapping[str, Any], saves: str | None) -> Check:
    kind, version = ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", info["redis_version"])
    if _version(str(info["redis_version"])) < MIN_REDIS:
        return Check(name, "failure", f"{kind} {version} is too old", "6.2 or newer is needed")
    what = f"{kind} {version}"
    if info.get("maxmemory") and info.get("maxmemory_policy", "noeviction") != "noeviction":
        return Check(name, "warning", f"{what} forgets jobs when it is full", "set maxmemory-policy noeviction")
    if info.get("aof_enabled"):
        return Check(name, "ok", f"{what}, which keeps every write")
    if saves is None:
        return Check(name, "ok", f"{what}; it does not tell whether it keeps every write")
    lost = "loses what came since its last snapshot" if saves else "loses everything"
    return Check(name, "warning", f"{what} {lost} when it stops", "set appendonly yes")


def check_git() -> Check:
    """Whether there is a git that can do what we ask."""
    advice = f"install git {'.'.join(map(str, MIN_GIT))} or newer"
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        return Check("git", "failure", f"it does not run ({type(error).__name__})", advice)
    said = done.stdout.strip().removeprefix("git version ")
    if _version(said) < MIN_GIT:
        return Check("git", "failure", f"{said} is too old", advice)
    return Check("git", "ok", said)


def check_folder(folder: Path) -> Check:
    """Whether the data folder can be written to, and has room."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        advice = "set WINPARITY_DATA_DIR to a folder of this user"
        return Check("data folder", "failure", f"{folder} cannot be written to: {error.strerror}", advice)
    said = f"{folder}, {free / 2**30:.1f} GiB free"
    if free < LITTLE_SPACE:
        advice = "make room, or set WINPARITY_DATA_DIR to a larger disk"
        return Check("data folder", "failure" if free < NO_SPACE else "warning", said, advice)
    return Check("data folder", "ok", said)


def _version(said: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
