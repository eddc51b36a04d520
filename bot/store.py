"""Where the shared store is: every form of REDIS_URL, and connections that notice when the other end is gone.

- ``redis://[user:password@]host:port/db``, ``rediss://`` for TLS, ``unix:///path``: as redis-py reads them. What follows
  the question mark are redis-py's options, such as ``ssl_ca_certs=/etc/ssl/own.pem``.
- ``redis+sentinel://[user:password@]host:port,host:port/service/db``, ``rediss+sentinel://`` for TLS: whoever the
  sentinels call the master. User and password are the store's; ``sentinel_username`` and ``sentinel_password`` are theirs.
"""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, Sentinel
from redis.asyncio.connection import parse_url
from redis.asyncio.sentinel import SentinelConnectionPool

SENTINEL_PORT = 26_379
# Seconds. A machine that lost its power says no goodbye; no command of ours waits longer than a second on purpose.
ANSWERS_WITHIN = 10.0
CONNECTS_WITHIN = 5.0
# After so many seconds without traffic a connection is tried before it is used.
HEALTH_CHECK = 30
_PATIENCE: dict[str, Any] = {
    "socket_timeout": ANSWERS_WITHIN,
    "socket_connect_timeout": CONNECTS_WITHIN,
    "health_check_interval": HEALTH_CHECK,
}


def connect(url: str) -> Redis:
    """A client of the store. It connects when it is first used.

    Args:
        url: in one of the forms above.

    Raises:
        ValueError: it is in none of them. The message does not repeat it: it may hold a password.
    """
    known: dict[str, Any] = {"socket_keepalive": True} if url.startswith("redis") else {}
    client = _by_sentinels(url) if "+sentinel://" in url else Redis.from_url(url, **{**_PATIENCE, **known})
    try:
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except TypeError:
        raise ValueError("an option of the store's URL is not known") from None
    return client


class _Pool(SentinelConnectionPool):
    """redis-py leaves the connections to the sentinels open."""

    async def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's signature
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()


def _by_sentinels(url: str) -> Redis:
    scheme, _, rest = url.partition("://")
    place, _, options = rest.partition("?")
    where, _, path = place.partition("/")
    credentials, _, hosts = where.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, db = path.partition("/")
    sentinels = [_address(host) for host in hosts.split(",")]
    if not service or not (db or "0").isdigit():
        raise ValueError("a Sentinel's URL ends with /service or /service/db")
    given = _options(scheme.startswith("rediss"), options)
    theirs = {name: given.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    # Sentinels speak TLS where the store does, as the same certificates are theirs.
    shared = {name: value for name, value in given.items() if name.startswith("ssl")}
    sentinel = Sentinel(sentinels, sentinel_kwargs={**_PATIENCE, "socket_keepalive": True, **shared, **theirs})  # type: ignore[no-untyped-call]
    known = {"username": unquote(user) or None, "password": unquote(password) or None, "db": int(db or 0)}
    asked = {**_PATIENCE, "socket_keepalive": True, **given, **known}
    master: Redis = sentinel.master_for(service, connection_pool_class=_Pool, **asked)
    return master


def _address(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if not parts.hostname:
        raise ValueError("a Sentinel's URL names its sentinels as host:port, with commas between")
    return parts.hostname, parts.port or SENTINEL_PORT


def _options(tls: bool, query: str) -> dict[str, Any]:  # noqa: FBT001 - a fact, not a switch
    """What follows the question mark, as redis-py reads it, and whether TLS is spoken."""
    ours = {name: value for name, value in parse_qsl(query) if name.startswith("sentinel_")}
    theirs: dict[str, Any] = {**parse_url(f"redis://any?{query}")}
    for name in ("host", "port", "db", "path", *ours):
        theirs.pop(name, None)
    return {**theirs, **ours, **({"ssl": True} if tls else {})}
