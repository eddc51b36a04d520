"""What every answer of the web server tells browsers: run nothing, show it nowhere else, keep nothing."""

import time
from email.utils import formatdate

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

# OWASP's list for an API, "REST Security Cheat Sheet"; that only TLS is spoken is for whoever terminates it to say. A
# page that needs more says so itself (bot/setup.py).
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SERVER = "winparity"


async def protect(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Set the headers that an answer lacks, and do not tell which versions of what we run. For `on_response_prepare`."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = _SERVER


class Ready(web.StreamResponse):
    """An answer that is made once, for all who get it: to make it anew costs a fifth of a delivery.

    Args:
        status: HTTP's.
        text: a line of ASCII.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status=status, headers=HEADERS)
        self.headers.update(
            {"Server": _SERVER, "Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))}
        )
        self._text = text
        self._second, self._bytes = 0, b""

    @staticmethod
    def suits(request: web.BaseRequest) -> bool:
        """Whether a request may be answered so: by HTTP/1.1, on a connection that stays."""
        return request.version == HttpVersion11 and request.keep_alive

    @property
    def keep_alive(self) -> bool:
        """As it suits."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Send all of it. Nothing of the request is kept."""
        if self._second != (now := int(time.time())):
            self.headers["Date"] = formatdate(now, usegmt=True)
            lines = [
                f"HTTP/1.1 {self.status} {self.reason}",
                *(f"{name}: {value}" for name, value in self.headers.items()),
            ]
            self._second, self._bytes = now, "\r\n".join([*lines, "", self._text]).encode()
        await request.writer.write(self._bytes)
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be sent."""
