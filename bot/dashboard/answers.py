"""How pages are answered: headers, content that is sent only when it is new, compression, errors in the same look."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import msgspec
import pygaljs
from aiohttp import ETag, web

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load: nothing but ours, nothing that stands in the page itself."""

HTML, JSON, SVG, MARKDOWN = "text/html", "application/json", "image/svg+xml", "text/markdown"
SCHEMA_PATH = "/api/v1/schema.json"

# Bytes below which compression saves nothing.
_SMALL = 1_000
_STATIC = {"css": "text/css", "js": "text/javascript", "svg": SVG}
# Seconds.
_YEAR = 31_536_000


class Fault(msgspec.Struct, frozen=True):
    """What the API says when there is nothing to give."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent, made once for all who may have it.

    Attributes:
        body: the bytes.
        kind: its media type.
        packed: the same, compressed; None when that saves nothing, or would give something away.
        etag: by which a browser knows it again.
    """

    body: bytes
    kind: str
    packed: bytes | None
    etag: str

    @classmethod
    def of(cls, body: bytes, kind: str, *, pack: bool = True) -> "Content":
        """Content.

        Args:
            body: the bytes.
            kind: its media type.
            pack: compress it. Not what has a secret in it beside words from the address: its length would tell.
        """
        packed = gzip.compress(body, 6, mtime=0) if pack and len(body) > _SMALL else None
        return cls(body, kind, packed, hashlib.sha256(body).hexdigest()[:32])


def send(
    request: web.Request, content: Content, cache: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Content for whoever asks, or word that they have it already.

    Args:
        request: what was asked.
        content: what is sent.
        cache: who may keep it for how long, as Cache-Control says it.
        status: HTTP's.
        headers: others.
    """
    found = {
        "Cache-Control": cache,
        "Content-Security-Policy": POLICY,
        "Vary": "Accept-Encoding, Cookie",
        "ETag": f'W/"{content.etag}"',
        **(headers or {}),
    }
    if status == web.HTTPOk.status_code and _has(request, content.etag):
        return web.Response(status=304, headers=found)
    body = content.body
    if content.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        found["Content-Encoding"] = "gzip"
        body = content.packed
    return web.Response(body=body, status=status, headers=found, content_type=content.kind, charset=_charset(content))


def _charset(content: Content) -> str | None:
    return "utf-8" if content.kind != JSON else None


def _has(request: web.Request, etag: str) -> bool:
    try:
        known: tuple[ETag, ...] = request.if_none_match or ()
    except ValueError:
        return False
    return any(one.value in {etag, "*"} for one in known)


class Static:
    """The files that pages load, by name. They are read once, so no name leads anywhere else."""

    def __init__(self) -> None:
        folder = files("bot.dashboard").joinpath("static")
        found = {part.name: part.read_bytes() for part in folder.iterdir() if part.is_file()}
        with open(pygaljs.path("latest", "pygal-tooltips.min.js"), "rb") as file:  # noqa: PTH123 - its package gives text
            found["pygal-tooltips.min.js"] = file.read()
        self._files = {
            name: Content.of(body, _STATIC[name.rpartition(".")[2]])
            for name, body in found.items()
            if name.rpartition(".")[2] in _STATIC
        }

    def address(self, name: str) -> str:
        """Where a file is; another address when it becomes another, so that browsers may keep it."""
        return f"/static/{name}?v={self._files[name].etag[:10]}"

    async def serve(self, request: web.Request) -> web.Response:
        """A file.

        Raises:
            aiohttp.web.HTTPNotFound: there is none.
        """
        content = self._files.get(request.match_info["name"])
        if content is None:
            raise web.HTTPNotFound
        kept = request.query.get("v") == content.etag[:10]
        return send(request, content, f"public, max-age={_YEAR}, immutable" if kept else "public, max-age=300")
