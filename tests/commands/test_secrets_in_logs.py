"""A server that logs all it can, under traffic of many tokens: its whole output is searched for anything secret."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from tests.commands.conftest import Database
from tests.commands.program import running
from tests.conftest import SECRET
from tests.wire.issuer import AUDIENCE, Publisher, Signer, claims, ec_signer, publishing, rsa_signer, segment
from tests.wire.test_tokens import signed

SEALING = "what sessions are sealed with, for this test only"
RSA, EC, STRANGER = rsa_signer(), ec_signer(), rsa_signer("stranger")
# No address, so that the server needs none of its own and says where it listens.
ISSUER = "id"


def tokens() -> list[str]:
    """Return good ones, and bad ones of every kind."""
    good, by_secret = claims(iss=ISSUER), claims(iss="scripts", aud=...)
    return [
        RSA.token(good),
        EC.token(good),
        signed(by_secret),
        *(RSA.token(good | {"jti": n}) for n in range(10)),
        RSA.token(good | {"exp": 1}),
        RSA.token(good | {"aud": "other"}),
        RSA.token(good | {"iss": "other"}),
        RSA.token(good | {"tenant_id": ["demo"]}),
        RSA.token(good, kid="made up"),
        STRANGER.token(good, kid="rsa-1", jwk=STRANGER.jwk),
        signed(by_secret, secret=RSA.pem.decode()),
        signed(by_secret, {"alg": "none"}),
        f"{RSA.token(good)}.{segment(b'a fourth part')}",
        RSA.token(b"no JSON, but a sentence that nobody should read"),
    ]


async def present(session: aiohttp.ClientSession, server: str, token: str) -> int:
    """Present *token* where it belongs, and return the status."""
    async with session.get(f"{server}/v1/tools/list", headers={"Authorization": f"Bearer {token}"}) as response:
        await response.read()
        return response.status


async def misplace(session: aiohttp.ClientSession, server: str, token: str) -> None:
    """Present *token* in every other place where one could be."""
    bearer = {"Authorization": f"Bearer {token}"}
    odd: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/v1/tools/list?access_token={token}", {}),
        ("GET", f"/{token}", {"headers": bearer}),
        ("GET", f"/progress/{token}", {"headers": bearer}),
        ("GET", "/v1/tools/list", {"headers": {"Authorization": token}}),
        ("GET", "/v1/tools/list", {"headers": {"Authorization": f"Basic {token}"}}),
        ("GET", "/v1/tools/list", {"headers": {**bearer, "X-Request-Id": token}}),
        ("GET", "/health", {"headers": {**bearer, "Cookie": token, "X-Forwarded-For": token, "Origin": token}}),
        ("POST", "/rpc", {"headers": bearer, "data": token}),
        ("POST", "/mcp", {"headers": {**bearer, "Mcp-Session-Id": token}, "json": {"token": token}}),
        ("POST", "/v1/tools/execute", {"headers": bearer, "json": {"tool_name": token, "arguments": {token: 1}}}),
        ("POST", "/v1/tools/execute", {"headers": bearer, "json": {"tool_name": "find_contacts"}}),
        ("DELETE", "/rpc", {"headers": bearer}),
    ]
    for method, path, options in odd:
        async with session.request(method, URL(server + path, encoded=True), **options) as response:
            await response.read()


async def raw(server: str, data: bytes) -> None:
    """Send what is no HTTP, and read whatever comes back."""
    at = urlsplit(server)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(data)
    await reader.read(65536)
    writer.close()
    await writer.wait_closed()


async def initialized(session: aiohttp.ClientSession, server: str) -> str:
    """Begin a session of MCP and return its id, which is a secret of its holder."""
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    headers = {
        "Authorization": f"Bearer {RSA.token(claims(iss=ISSUER))}",
        "Accept": "application/json, text/event-stream",
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    async with session.post(f"{server}/mcp", json=body, headers=headers) as response:
        return response.headers["Mcp-Session-Id"]


def settings(folder: Path, database: Database, publisher: Publisher) -> dict[str, str]:
    """Return the environment of a server whose secrets are all in files, and which logs all it can."""
    secrets = {"scripts": SECRET, "sealing": SEALING, "database": database.server_url}
    for name, secret in secrets.items():
        (folder / name).write_text(secret)
    issuers = [
        {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": publisher.url},
        {"issuer": "scripts", "secret_file": str(folder / "scripts")},
    ]
    return {
        "JWT_ISSUERS": json.dumps(issuers),
        "SESSION_SECRET_FILE": str(folder / "sealing"),
        "DATABASE_URL_FILE": str(folder / "database"),
        "PROGRESS_WAIT_SECONDS": "0",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "PORT": "0",
    }


async def traffic(folder: Path, database: Database) -> tuple[str, list[str], list[int]]:
    """Run a server under all that; return its output, what must not stand there, and how the tokens fared."""
    presented = tokens()
    async with publishing(RSA, EC) as publisher:
        with running(folder / "output", "serve", **settings(folder, database, publisher)) as program:
            for words in ("stop it with Ctrl-C", "issuer keys changed"):
                await asyncio.to_thread(program.until_it_says, words)
            publisher.say(f"no keys, but {presented[0]}".encode())
            server = program.said().partition("serves on ")[2].partition(";")[0]
            async with aiohttp.ClientSession() as session:
                # First, because the log takes only so many lines of refused tokens in a minute.
                statuses = [await present(session, server, token) for token in presented]
                for token in presented:
                    await misplace(session, server, token)
                sealed = await initialized(session, server)
            for head in ("GET {}", "{}", "GET / HTTP/1.1\r\n{}", "GET / HTTP/1.1\r\nAuthorization: Bearer\0{}"):
                await raw(server, f"{head.format(presented[0])}\r\n\r\n".encode())
            program.terminate()
            await asyncio.to_thread(program.status, 60)
            return program.said(), [*presented, sealed], statuses


def pieces(token: str) -> list[str]:
    """Return the parts of a token that are no mere words."""
    return [part for part in token.split(".") if len(part) > 8]


def of(signer: Signer) -> list[str]:
    """Return the lines of a signer's private and public keys."""
    lines = [*signer.private_pem.decode().splitlines(), *signer.pem.decode().splitlines()]
    return [line for line in lines if "----" not in line] + [value for value in signer.jwk.values() if len(value) > 30]


def test_nothing_secret_is_ever_logged(tmp_path: Path, database: Database) -> None:
    said, presented, statuses = asyncio.run(traffic(tmp_path, database))

    assert (statuses.count(200), statuses.count(503)) == (13, 1)
    assert statuses.count(401) == len(statuses) - 14
    for event in ("unauthenticated", "call", "issuer keys changed", "issuer keys unavailable", "unreadable request"):
        assert f'"event":"{event}"' in said
    password = urlsplit(database.server_url).password
    assert password
    secrets = [SECRET, SEALING, password, database.server_url]
    secrets += [piece for token in presented for piece in pieces(token)]
    secrets += [line for signer in (RSA, EC, STRANGER) for line in of(signer)]
    assert len(secrets) > 100
    assert [secret for secret in secrets if secret in said] == []
    # A token's header is the same in all; what is peculiar to each is what counts.
    assert "eyJ" not in said
