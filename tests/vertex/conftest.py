"""Fixtures: a fake Vertex AI, credentials for it, the real client, and calls that score with it."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from handlers.messages.model.rubric import RUBRIC, Rubric
from handlers.messages.model.scoring import Scored, score
from handlers.messages.quality import Brand, SampledMessage
from rpc_server.backends import vertex as backend
from rpc_server.backends.breaker import Breaker
from rpc_server.backends.vertex import Vertex
from rpc_server.contract.caller import Caller
from rpc_server.contract.model import Model
from rpc_server.contract.tool import Call
from tests.conftest import Crm
from tests.vertex.fake import MODEL, PROJECT, FakeVertex, running_fake

# As much as a test may wait for what should come at once.
SOON = 30.0


@pytest.fixture(scope="session")
def private_key() -> str:
    """A service account's key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
async def fake() -> AsyncIterator[FakeVertex]:
    """A fake Vertex AI that judges well, until told otherwise."""
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def credentials(fake: FakeVertex, private_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account in a file, named by the environment as in production; the fake gives its tokens."""
    path = tmp_path / "service_account.json"
    account = {"type": "service_account", "project_id": PROJECT, "client_email": "server@example.com"}
    path.write_text(json.dumps({**account, "private_key": private_key, "token_uri": f"{fake.url}/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


StartVertex = Callable[..., Any]


@pytest.fixture
async def start_vertex(
    fake: FakeVertex, credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StartVertex]:
    """Start clients of the fake; keyword arguments are the client's. They do not wait long between attempts."""
    monkeypatch.setattr(backend, "_BACKOFF_SECONDS", 0.01)
    started: list[Vertex] = []

    async def start(**changed: Any) -> Vertex:
        values: dict[str, Any] = {"location": "us-central1", "model": MODEL, "url": fake.url, **changed}
        vertex = Vertex(PROJECT, **values)
        started.append(await vertex.__aenter__())
        return vertex

    yield start
    for vertex in started:
        await vertex.__aexit__()


@pytest.fixture
async def vertex(start_vertex: StartVertex) -> Vertex:
    """A client of the fake that never loses patience."""
    client: Vertex = await start_vertex(breaker=Breaker(threshold=1_000_000))
    return client


def sample(
    count: int, *, text: str = "Ola, tudo bem com voce", question: str | None = "Tem em azul?"
) -> list[SampledMessage]:
    """Return messages of different texts, all as long."""
    sent_at = datetime.fromisoformat("2026-11-01T12:00:00+00:00")
    return [SampledMessage(uuid4(), f"{text} {number:03}?", question, sent_at) for number in range(count)]


class Desk:
    """Scores messages for tenants, each call as the server makes it, on a database of the test's own."""

    def __init__(self, crm: Crm, model: Model) -> None:
        self.crm = crm
        self.model = model
        self.told: list[tuple[int, int]] = []

    def call(self, tenant: str = "tenant-a", now: datetime | None = None) -> Call:
        """Return a call of the tenant's that may use the model."""
        tool: Any = None  # which one it is does not matter here
        db: Any = None  # given back before the model is asked
        return Call(
            tool,
            Caller(tenant, "tester", frozenset("*")),
            None,
            "request",
            now or self.crm.now,
            db,
            lambda *_: None,
            model=self.model,
            store=lambda: self.crm.postgres.transaction(tenant, lambda: None),
            digest=lambda text: hmac.digest(b"secret", f"{tenant}\0{text}".encode(), "sha256"),
        )

    async def score(
        self,
        messages: Sequence[SampledMessage],
        *,
        tenant: str = "tenant-a",
        brand: Brand | None = None,
        seconds: float = SOON,
        now: datetime | None = None,
        rubric: Rubric = RUBRIC,
        **limits: int,
    ) -> Scored:
        """Score *messages* within so many *seconds*; whatever comes, each of them is accounted for, once."""
        scored = await score(
            self.call(tenant, now),
            messages,
            brand or Brand(),
            "pt-BR",
            until=asyncio.get_running_loop().time() + seconds,
            on_done=lambda done, total: self.told.append((done, total)),
            rubric=rubric,
            **{"daily_tokens": 1_000_000, **limits},
        )
        ids = [of_one.message_id for of_one in scored.scores]
        assert set(ids) <= {message.message_id for message in messages}
        assert len(ids) == len(set(ids))
        assert len(ids) + scored.failed + scored.left == len(messages)
        assert scored.partial == (scored.left > 0)
        return scored

    async def usage(self, tenant: str = "tenant-a") -> int:
        """Return what the tenant has spent or reserved, over all days."""
        spent = await self.crm.owner.fetchval(
            "select coalesce(sum(tokens), 0)::bigint from mcp_store.model_usage where tenant_id = $1", tenant
        )
        return int(spent)


@pytest.fixture
def desk(crm: Crm, vertex: Vertex) -> Desk:
    """A desk with the usual client."""
    return Desk(crm, vertex)


def ids_of(messages: Sequence[SampledMessage]) -> set[UUID]:
    """Return the messages' ids."""
    return {message.message_id for message in messages}


async def until_true(condition: Callable[[], bool], seconds: float = SOON) -> None:
    """Wait until *condition* holds; a TimeoutError where it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the other side of a socket sets no event
            await asyncio.sleep(0.005)
