"""Bodies of requests that nobody has proven to be GitHub's: how long one may take, and how many are held at once."""

import asyncio

from aiohttp import web

# Seconds: after ten GitHub itself gives up.
PATIENCE = 10.0
# Bytes of all that are being read: of the small ones, as nearly all of GitHub's are (25 KB), and of the large ones (25 MB
# at most), so that these do not take the room from those.
MAX_HELD = 256 * 1024 * 1024
SMALL = 256 * 1024


class Bodies:
    """All bodies that are being read. Whoever sends many, large and slowly, does not fill the memory.

    Args:
        largest: bytes that one may have.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._held = {"small": 0, "large": 0}

    async def read(self, request: web.Request) -> bytes:
        """The body, with room kept for as much as it says that it has.

        Raises:
            web.HTTPException: it takes too long (408), is too large (413), or there is no room (503).
        """
        if (
            request.content.is_eof()
        ):  # it is here already: to time it costs as much as to verify it, and to copy it half
            body = request.content.read_nowait()
            if len(body) > self._largest:
                raise web.HTTPRequestEntityTooLarge(self._largest, len(body))
            return body
        told = request.content_length
        size = self._largest if told is None else min(told, self._largest)
        kind = "small" if size <= SMALL else "large"
        if self._held[kind] + size > MAX_HELD:
            raise web.HTTPServiceUnavailable(text="too much is being read already\n", headers={"Retry-After": "10"})
        self._held[kind] += size
        try:
            async with asyncio.timeout(PATIENCE):
                return await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the body took too long\n") from None
        finally:
            self._held[kind] -= size
