"""Every form of REDIS_URL, against real servers: TLS by a real listener, Sentinel by real sentinels and a real failover."""

import asyncio
import contextlib
import datetime as dt
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot import queue
from bot.config import ConfigError, Settings
from bot.demo.run import _free_port
from bot.events import PullEvent
from bot.ids import Repo
from bot.queue import Jobs
from bot.store import connect
from bot.valkey import _binary
from tests.bot.conftest import Keys, until

EVENT = PullEvent(delivery="d-1", installation=7, repo=Repo("example/berth"), number=1, action="opened")
PASSWORD = "p@ss/w:rd"
QUOTED = "p%40ss%2Fw%3Ard"
CHUNK = 64 * 1024


@contextlib.contextmanager
def _server(folder: Path, *words: str, sentinel: bool = False) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """A Valkey, or a sentinel, on a free port of 127.0.0.1."""
    port = _free_port()
    home = folder / str(port)
    home.mkdir()
    lines = [f"port {port}", "bind 127.0.0.1", f"dir {home}", f"logfile {home}/log", 'save ""', *words]
    (home / "conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([_binary(), str(home / "conf"), *["--sentinel"] * sentinel], stdout=subprocess.DEVNULL)
    try:
        yield port, process
    finally:
        process.kill()
        process.wait()


async def _answers(url: str) -> bool:
    client = connect(url)
    try:
        return bool(await client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    finally:
        await client.aclose()


async def _works(url: str) -> None:
    """A delivery goes in and comes out as a job."""
    jobs = Jobs(url)
    try:
        assert await jobs.submit(EVENT)
        await jobs.dispatch()
        job = await jobs.queue.dequeue(timeout=1)
        assert job is not None
        assert job.key == "d-1"
    finally:
        await jobs.close()


async def test_a_password_and_a_database(tmp_path: Path) -> None:
    with _server(tmp_path, f'requirepass "{PASSWORD}"') as (port, _):
        await until(lambda: _answers(f"redis://:{QUOTED}@127.0.0.1:{port}"))
        await _works(f"redis://:{QUOTED}@127.0.0.1:{port}/3")
        with pytest.raises(redis.AuthenticationError):
            await connect(f"redis://127.0.0.1:{port}").ping()


# TLS.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    begun = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = (
        begun.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + dt.timedelta(1))
    )
    whole = dated.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = whole.add_extension(address, critical=False).sign(key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "ca.pem"


@asynccontextmanager
async def _tls(port: int, certificate: Path) -> AsyncIterator[int]:
    """A listener that speaks TLS, before a server that does not. Yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer))

    async with await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_tls_with_an_authority_of_ones_own(tmp_path: Path, authority: Path) -> None:
    with _server(tmp_path) as (port, _):
        await until(lambda: _answers(f"redis://127.0.0.1:{port}"))
        async with _tls(port, authority) as secure:
            await _works(f"rediss://localhost:{secure}/0?ssl_ca_certs={authority}")
            assert not await _answers(f"rediss://localhost:{secure}/0"), "nobody vouches for it"
            wrong = f"rediss://127.0.0.1:{secure}/0?ssl_ca_certs={authority}"
            assert not await _answers(wrong), "the certificate is another server's"


# Sentinel.


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[tuple[str, dict[int, "subprocess.Popen[bytes]"]]]:
    """Two servers with a password, one of them the other's replica, and three sentinels. Yields the URL and the servers."""
    secured = (f'requirepass "{PASSWORD}"', f'masterauth "{PASSWORD}"', "repl-diskless-sync-delay 0")
    with contextlib.ExitStack() as stack:
        port, master = stack.enter_context(_server(tmp_path, *secured))
        other, replica = stack.enter_context(_server(tmp_path, *secured, f"replicaof 127.0.0.1 {port}"))
        watched = (
            f"sentinel monitor wp 127.0.0.1 {port} 2",
            f'sentinel auth-pass wp "{PASSWORD}"',
            "sentinel down-after-milliseconds wp 700",
            "sentinel failover-timeout wp 3000",
            'requirepass "theirs"',
            'sentinel sentinel-pass "theirs"',
        )
        ports = [stack.enter_context(_server(tmp_path, *watched, sentinel=True))[0] for _ in range(3)]
        hosts = ",".join(f"127.0.0.1:{number}" for number in ports)
        url = f"redis+sentinel://:{QUOTED}@{hosts}/wp/0?sentinel_password=theirs"
        yield url, {port: master, other: replica}


async def _are_ready(url: str, servers: int) -> bool:
    """Each sentinel knows the others and the replica, which has what the master has."""
    try:
        client = connect(url)
        try:
            roles = await client.info("replication")
            sentinel = client.connection_pool.sentinel_manager  # type: ignore[attr-defined]
            known = [await one.sentinel_master("wp") for one in sentinel.sentinels]
        finally:
            await client.aclose()
    except redis.RedisError:
        return False
    lag = [roles.get(f"slave{n}", {}).get("state") for n in range(servers - 1)]
    others = {(one["num-other-sentinels"], one["num-slaves"]) for one in known}
    return lag == ["online"] * (servers - 1) and others == {(2, servers - 1)}


@pytest.mark.slow
async def test_what_was_accepted_outlives_the_master(
    sentinels: tuple[str, dict[int, "subprocess.Popen[bytes]"]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, servers = sentinels
    monkeypatch.setattr(queue, "BEAT_EVERY", 0.2)
    await until(lambda: _are_ready(url, len(servers)), 60)
    jobs = Jobs(url)
    try:
        assert await jobs.submit(EVENT)
        await jobs.dispatch()
        job = await jobs.queue.dequeue(timeout=1)
        assert job is not None
        job.attempts = 1
        await job.update(status="active")
        assert await jobs.redis.wait(1, 5_000) == 1
        async with jobs.hold(EVENT, job) as hold:
            assert hold is not None
            assert await jobs.redis.wait(1, 5_000) == 1
            info = await jobs.redis.info("server")
            servers[info["tcp_port"]].kill()

            async def taken_over() -> bool:
                try:
                    return bool((await jobs.redis.info("server"))["tcp_port"] != info["tcp_port"])
                except redis.RedisError:
                    return False

            await until(taken_over, 60)
            await hold.check()
            assert not await jobs.submit(EVENT), "it is known still"
            assert await jobs.queue.dequeue(timeout=0.1) is None
            await jobs.finished(EVENT)
            await job.finish("complete")
        assert await jobs.is_finished("d-1")
        assert await jobs.submit(PullEvent(delivery="d-2", installation=7, repo=EVENT.repo, number=2, action="opened"))
    finally:
        await jobs.close()


async def test_without_a_sentinel_the_store_is_away() -> None:
    url = f"redis+sentinel://127.0.0.1:{_free_port()},127.0.0.1:{_free_port()}/wp"
    assert not await _answers(url)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("redis+sentinel://h:1,h:2", "cannot be read"),
        ("redis+sentinel://h:1,h:2/", "cannot be read"),
        ("rediss+sentinel://h:1/?db=1", "cannot be read"),
        ("sentinel://h:1/wp", "must start with"),
        ("redis+sentinel://h:secret/wp", "cannot be read"),
        ("redis+sentinel://h:1/wp/secret", "cannot be read"),
        ("redis://h:secret", "cannot be read"),
        ("redis://h:1/0?no_such_option=secret", "cannot be read"),
    ],
)
def test_a_wrong_url_is_named_at_once_and_not_repeated(keys: Keys, url: str, complaint: str) -> None:
    given = {"WINPARITY_APP_ID": "1", "WINPARITY_PRIVATE_KEY": keys.private, "WINPARITY_WEBHOOK_SECRET": "s"}
    with pytest.raises(ConfigError, match=complaint) as raised:
        Settings.from_env({**given, "REDIS_URL": url})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:pw@h:1/2",
        "rediss://h?ssl_ca_certs=/ca.pem",
        "unix:///run/valkey.sock?db=1",
        "redis+sentinel://h,h2:26380,[::1]:5/wp",
        "rediss+sentinel://user:pw@h:1/wp/3?ssl_ca_certs=/ca.pem&sentinel_username=u&sentinel_password=p",
    ],
)
def test_every_form_is_taken(keys: Keys, url: str) -> None:
    given = {"WINPARITY_APP_ID": "1", "WINPARITY_PRIVATE_KEY": keys.private, "WINPARITY_WEBHOOK_SECRET": "s"}
    settings = Settings.from_env({**given, "REDIS_URL": url})
    assert settings.redis_url is not None
    assert connect(settings.redis_url.reveal()) is not None


async def test_sentinels_and_store_have_their_own_passwords_and_tls_is_for_both() -> None:
    url = "rediss+sentinel://u:pw@h:1,h2/wp/3?ssl_ca_certs=/ca.pem&sentinel_username=su&sentinel_password=sp"
    pool = connect(url).connection_pool
    known = pool.connection_kwargs
    assert (known["username"], known["password"], known["db"], known["ssl_ca_certs"]) == ("u", "pw", 3, "/ca.pem")
    assert "sentinel_password" not in known
    theirs = pool.sentinel_manager.sentinels[1].connection_pool.connection_kwargs  # type: ignore[attr-defined]
    assert (theirs["username"], theirs["password"], theirs["ssl_ca_certs"]) == ("su", "sp", "/ca.pem")
    assert (theirs["host"], theirs["port"]) == ("h2", 26_379)
