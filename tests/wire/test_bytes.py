"""Bytes that no client library would send: answered in JSON or hung up on, soon, and the server goes on."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from time import perf_counter
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from tests.wire.client import Answer, Client, exchange
from tests.wire.conftest import Serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'


def head(client: Client, line: bytes, *more: bytes) -> bytes:
    """Return the head of a request that bears a token."""
    token = f"Authorization: {client.server.bearer(client.tenant)['Authorization']}".encode()
    return b"\r\n".join([line, b"Host: localhost", token, *more, b"", b""])


def post(client: Client, body: bytes, *more: bytes, path: bytes = b"/rpc") -> bytes:
    """Return a request to POST *body*."""
    return head(client, b"POST %s HTTP/1.1" % path, b"Content-Length: %d" % len(body), *more) + body


async def only(client: Client, data: bytes) -> Answer:
    (answer,) = await exchange(client.server, data)
    return answer


# --- packed bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(LIST), id="gzip"),
        pytest.param("GZIP", gzip.compress(LIST), id="in capitals"),
        pytest.param("deflate", zlib.compress(LIST), id="deflate"),
        pytest.param("identity", LIST, id="identity"),
    ],
)
async def test_a_packed_body_is_unpacked(client: Client, encoding: str, body: bytes) -> None:
    assert (await client.rpc(body, headers={"Content-Encoding": encoding})).result["tools"]


@pytest.mark.parametrize("path", ["/rpc", "/v1/tools/execute"])
@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "x"])
async def test_another_packing_is_415_and_the_known_ones_are_named(client: Client, encoding: str, path: str) -> None:
    answer = await client.send("POST", path, LIST, headers={"Content-Encoding": encoding})

    assert (answer.status, answer.error["code"]) == (415, "unsupported_encoding")
    assert "gzip or deflate" in answer.error["message"]


@pytest.mark.parametrize("path", ["/rpc", "/v1/tools/execute"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_packed_as_it_says_is_400(client: Client, encoding: str, path: str) -> None:
    answer = await client.send("POST", path, LIST, headers={"Content-Encoding": encoding})

    assert (answer.status, answer.error["code"]) == (400, "bad_request")


@pytest.mark.parametrize("path", ["/rpc", "/v1/tools/execute"])
async def test_a_bomb_is_413_before_it_goes_off(client: Client, path: str) -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(64)) + packer.flush()
    started = perf_counter()

    answer = await client.send("POST", path, bomb, headers={"Content-Encoding": "gzip"})

    assert len(bomb) < 1 << 20
    assert (answer.status, answer.error["code"]) == (413, "payload_too_large")
    assert perf_counter() - started < 2


# --- slow and broken connections ----------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hasty(serving: Serving) -> AsyncIterator[Client]:
    """A client of a server that waits 0.3 s."""
    async with serving(body_seconds=0.3) as client:
        yield client


@pytest.mark.parametrize("path", [b"/rpc", b"/v1/tools/execute"])
@pytest.mark.parametrize(
    ("more", "body"), [(b"Transfer-Encoding: chunked", b'5\r\n{"jso\r\n'), (b"Content-Length: 100", b'{"jso')]
)
async def test_a_body_that_does_not_arrive_is_408(hasty: Client, path: bytes, more: bytes, body: bytes) -> None:
    answer = await only(hasty, head(hasty, b"POST %s HTTP/1.1" % path, more) + body)

    assert (answer.status, answer.error["code"]) == (408, "timeout")


async def test_a_body_that_trickles_is_408_too(hasty: Client) -> None:
    address = urlsplit(hasty.server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(head(hasty, b"POST /rpc HTTP/1.1", b"Transfer-Encoding: chunked"))

    async def trickle() -> None:
        while True:
            writer.write(b"1\r\n \r\n")
            await asyncio.sleep(0.05)

    async with asyncio.timeout(5):
        trickling = asyncio.create_task(trickle())
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        trickling.cancel()
    writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_connection_that_brings_no_request_is_closed(hasty: Client, sent: bytes) -> None:
    started = perf_counter()

    assert await exchange(hasty.server, sent) == []
    assert perf_counter() - started < 3


async def test_a_connection_that_brought_a_request_stays_open(hasty: Client) -> None:
    address = urlsplit(hasty.server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    async with asyncio.timeout(5):
        for _ in range(2):
            writer.write(b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.4)
    writer.close()


@pytest.mark.parametrize("eof", [True, False], ids=["half closed", "aborted"])
async def test_a_client_that_goes_away_is_no_incident(client: Client, eof: bool) -> None:
    with capture_logs() as lines:
        address = urlsplit(client.server.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head(client, b"POST /rpc HTTP/1.1", b"Content-Length: 100") + b"{")
        await writer.drain()
        await asyncio.sleep(0.05)
        if eof:
            writer.write_eof()
            async with asyncio.timeout(5):
                await reader.read()
        writer.transport.abort()
        # Whoever asks next gets an answer, and by then the server has seen the end of the other.
        for _ in range(3):
            assert (await client.get("/health")).status == 200

    assert [line for line in lines if line["log_level"] not in ("info", "debug")] == []


async def test_a_chunk_of_no_length_is_400(client: Client) -> None:
    data = head(client, b"POST /rpc HTTP/1.1", b"Transfer-Encoding: chunked") + b"zz\r\n{}\r\n"

    assert (await only(client, data)).status == 400


@pytest.mark.parametrize("lengths", [(b"-1",), (b"x",), (b"1", b"2"), (b"9" * 30,)], ids=str)
async def test_a_nonsensical_length_is_400(client: Client, lengths: tuple[bytes, ...]) -> None:
    headers = [b"Content-Length: " + length for length in lengths]

    assert (await only(client, head(client, b"POST /rpc HTTP/1.1", *headers) + b"{}")).status in (400, 413)


async def test_a_length_and_chunks_together_are_400(client: Client) -> None:
    headers = (b"Content-Length: 5", b"Transfer-Encoding: chunked")

    assert (await only(client, head(client, b"POST /rpc HTTP/1.1", *headers) + b"0\r\n\r\n")).status == 400


# --- odd requests -------------------------------------------------------------------------------


async def test_requests_sent_at_once_are_answered_in_their_order(client: Client) -> None:
    bodies = [b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":["list_agents"]}' % n for n in range(5)]

    answers = await exchange(client.server, b"".join(post(client, body) for body in bodies), answers=5)

    assert [answer.json["id"] for answer in answers] == [0, 1, 2, 3, 4]


async def test_http_1_0_is_answered(client: Client) -> None:
    assert (await only(client, b"GET /health HTTP/1.0\r\n\r\n")).json == {"status": "ok"}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n" % (b"x" * 9000), 431, id="9 kB header"),
        pytest.param(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 9000), 431, id="9 kB address"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: x\r\n%s\r\n" % (b"A: b\r\n" * 500), 400, id="500 headers"),
        pytest.param(b"GET /health HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, id="two hosts"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 400, id="a NUL in a header"),
        pytest.param(b"GET /health HTTP/1.1\r\nHost: x\r\nA\xff: b\r\n\r\n", 400, id="a name that is not ASCII"),
        pytest.param(b"GET /he\0alth HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="a NUL in the address"),
        pytest.param(b"GET http://[::1/health HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="a broken address"),
        pytest.param("GET /saúde HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400, id="an address that is not ASCII"),
        pytest.param(b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="no address"),
        pytest.param(b"BREW /health HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="an unknown method"),
        pytest.param(b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", 400, id="an unknown version"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
        pytest.param(b"hello\r\n\r\n", 400, id="no HTTP"),
    ],
)
async def test_what_is_no_request_is_answered_in_json(client: Client, data: bytes, status: int) -> None:
    assert (await only(client, data)).status == status


async def test_a_token_in_what_is_no_request_is_neither_sent_back_nor_logged(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as lines:
        answer = await only(client, b"GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer geheim\x01\r\n\r\n")

    assert (answer.status, answer.error["code"]) == (400, "bad_request")
    assert "geheim" not in f"{answer.body!r} {lines} {caplog.text}"
    assert [line["event"] for line in lines] == ["unreadable request"]


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/../../etc/passwd",
        b"/..%2f..%2fetc/passwd",
        b"/v1/tools/%00",
        b"/v1/tools/execute%00",
        b"/%ff%fe",
        b"/v1/tools/list;x=1",
        b"/%zz",
        b"//rpc",
    ],
)
async def test_an_odd_address_is_not_found(client: Client, path: bytes) -> None:
    assert (await only(client, head(client, b"GET %s HTTP/1.1" % path))).status == 404


@pytest.mark.parametrize("value", [b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80"])
async def test_headers_in_any_encoding_are_passed_over(client: Client, value: bytes) -> None:
    answer = await only(client, head(client, b"GET /v1/tools/list HTTP/1.1", b"X-Request-Id: " + value, b"A: " + value))

    assert answer.status == 200
    assert answer.headers["X-Request-Id"].isalnum()


@pytest.mark.parametrize("value", [b"200-ok", b"\xff\xfe"])
async def test_what_a_client_expects_besides_going_on_is_passed_over(client: Client, value: bytes) -> None:
    data = post(client, LIST, b"Expect: " + value, b"X-Odd: \xe7", b"Content-Type: application/json")

    assert (await only(client, data)).status == 200


@pytest.mark.parametrize("value", [b"\xff\xfe", b"Bearer \xff\xfe", b"Bearer caf\xe9.a.b", b"Bearer \xf0\x9f\x98\x80"])
async def test_a_token_in_any_encoding_is_refused(client: Client, value: bytes) -> None:
    data = b"GET /v1/tools/list HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + value + b"\r\n\r\n"

    assert (await only(client, data)).status == 401
