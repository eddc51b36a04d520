"""A pull request on GitHub for the command line: who it is, its two sides in a clone, and its repository's settings."""

import asyncio
import http
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import aiohttp
import msgspec

from bot.config import Access, Secret, Settings
from bot.github import TIMEOUT, BusyError, GitHub, Installation, RefusedError
from bot.ids import Repo, Sha
from bot.mirrors import Mirror
from bot.org_config import org_config
from bot.repo_config import MAX_BYTES, PATH, RepoConfig, read
from bot.source import LocalRepository

_SHORT = re.compile(r"([^/\s]+/[^/\s#]+)#([1-9][0-9]{0,9})")
_PATH = re.compile(r"/([^/]+/[^/]+)/pull/([1-9][0-9]{0,9})(?:/.*)?")
_PORTS = {"https": 443, "http": 80}


class PullError(Exception):
    """The pull request cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A pull request's two sides, and where they are read.

    Attributes:
        source: has both.
        base: the merge base.
        head: the pull request's head.
        config: what holds for it.
    """

    source: LocalRepository
    base: Sha
    head: Sha
    config: RepoConfig


def address(text: str, server: str) -> tuple[Repo, int]:
    """The repository and number that a web address, or ``owner/name#123``, means.

    No address is ever asked: it names what is asked for at the server of the settings.

    Args:
        text: as it was pasted.
        server: the base of pages on the GitHub that is meant.

    Raises:
        PullError: it names no pull request, or one somewhere else.
    """
    found = _SHORT.fullmatch(text)
    if found is None:
        try:
            parts = urlsplit(text if "://" in text else f"https://{text}")
            here = _host(parts) == _host(urlsplit(server))
        except ValueError:
            parts, here = urlsplit(""), True
        found = _PATH.fullmatch(parts.path)
        if found is not None and not here:
            raise PullError(
                f"{text} is not on {server}; for a GitHub Enterprise Server set WINPARITY_GITHUB_URL to its address"
            )
    try:
        if found is not None:
            return Repo(found[1]), int(found[2])
    except ValueError:
        pass
    raise PullError(f"{text!r} names no pull request; give {server}/OWNER/NAME/pull/123, or OWNER/NAME#123")


def _host(parts: SplitResult) -> tuple[str | None, int | None]:
    return parts.hostname, None if parts.port == _PORTS.get(parts.scheme) else parts.port


class _Anybody(GitHub):
    """GitHub as somebody with a token of their own sees it; or, without one, as anybody does."""

    def __init__(self, session: aiohttp.ClientSession, access: Access) -> None:
        super().__init__(session, Settings(0, Secret(""), (), api_url=access.api_url, git_url=access.server))
        self._own = access.token.reveal()

    async def token(self, *_: object, **__: object) -> str:
        """It is the same everywhere."""
        return self._own


@contextmanager
def clones(cache: Path | None) -> Iterator[Path]:
    """The folder of clones, which only lasts a moment when nothing is to be kept."""
    if cache is not None:
        yield cache / "mirrors"
        return
    with tempfile.TemporaryDirectory(prefix="winparity-") as folder:
        yield Path(folder)


async def sides(
    access: Access, repo: Repo, number: int, where: LocalRepository | Path, say: Callable[[str], None]
) -> Sides:
    """Both sides of a pull request, open or closed. Nothing is written to GitHub.

    Args:
        access: which GitHub, and the token.
        repo: the base repository.
        number: of the pull request.
        where: a clone that has both sides, or a folder for one of our own.
        say: told of each step.

    Raises:
        PullError: GitHub does not give it.
        SourceError: git does not.
    """
    name = f"{repo}#{number}"
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        door = _Anybody(session, access).installation(0, repo)
        try:
            say(f"asking {access.api_url} for {name}")
            pull = await door.pull(number)
            base = await door.merge_base(pull.base, pull.head)
            if isinstance(where, Path):
                say(f"fetching {base[:12]} and {pull.head[:12]} from {access.server}/{repo}")
                where = await asyncio.to_thread(Mirror, where, repo, access.server, access.token.reveal())
                await asyncio.to_thread(where.fetch, base, pull.head, number)
            config = await _config(door, where, base)
        except RefusedError as error:
            raise PullError(_refusal(name, error, access)) from None
        except BusyError as error:
            raise PullError(_busy(error, access)) from None
        except msgspec.ValidationError:
            raise PullError(f"{access.api_url} does not answer as GitHub's API does") from None
    return Sides(where, base, pull.head, config)


async def _config(door: Installation, source: LocalRepository, base: Sha) -> RepoConfig:
    """As the app has it: the base's own settings, or its owner's."""
    content = await asyncio.to_thread(source.file, base, PATH, MAX_BYTES)
    return await org_config(door, door.repo) if content is None else read(content)


def _refusal(name: str, error: RefusedError, access: Access) -> str:
    token = bool(access.token.reveal())
    match error.status:
        case http.HTTPStatus.NOT_FOUND if token:
            return f"there is no pull request {name}, or the token in GITHUB_TOKEN may not read it"
        case http.HTTPStatus.NOT_FOUND:
            return f"there is no pull request {name}, or it is private: set GITHUB_TOKEN to a token that may read it"
        case http.HTTPStatus.UNAUTHORIZED if token:
            return "GitHub does not take the token in GITHUB_TOKEN: it is wrong, or has expired"
        case http.HTTPStatus.UNAUTHORIZED:
            return f"{access.server} tells nobody anything without a token: set GITHUB_TOKEN"
    return f"GitHub refuses: {error}"


def _busy(error: BusyError, access: Access) -> str:
    if not error.limited:
        return f"{error}; try again later"
    until = datetime.fromtimestamp(error.until, UTC)
    more = "" if access.token.reveal() else "; set GITHUB_TOKEN for a higher limit"
    return f"GitHub's limit is used up until {until:%H:%M:%S} UTC{more}"
