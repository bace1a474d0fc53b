"""A client that does not give up: it sends a change with its key until somebody answers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from rpc_server.backends.tokens import Tokens
from tests.conftest import SECRET
from tests.faults.changes import TENANT, Change

_PATIENCE = 30.0
_PAUSE = 0.01

Answer = dict[str, Any]


class Client:
    """Keeps what it was told, and counts what came instead of an answer."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self.answers: dict[str, Answer] = {}
        self.troubles: Counter[str] = Counter()
        # Changes whose first answer nobody heard: it came again from memory.
        self.unheard = 0
        self._url = f"{url}/v1/tools/execute"
        self._session = session
        self._tokens = Tokens(SECRET)

    def __str__(self) -> str:
        """Return what it met."""
        return f"{self.unheard} answers from memory; met {dict(self.troubles)}"

    async def make(self, change: Change) -> Answer:
        """Send *change* until there is an answer, and return it; a refusal is an AssertionError."""
        bearer = self._tokens.sign(TENANT, change.user, ["*"], timedelta(minutes=5))
        headers = {"Authorization": f"Bearer {bearer}", "X-Request-Id": change.key}
        body = orjson.dumps({"tool_name": change.tool, "arguments": change.arguments})
        async with asyncio.timeout(_PATIENCE):
            while True:
                answer = await self._answer(body, headers)
                if answer is not None:
                    break
                await asyncio.sleep(_PAUSE)
        self._keep(change, answer)
        return answer

    async def _answer(self, body: bytes, headers: dict[str, str]) -> Answer | None:
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                status, said = response.status, orjson.loads(await response.read())
        except (ClientError, OSError):
            self.troubles["cut off"] += 1
            return None
        if status == 200:
            answer: Answer = said["result"]
            return answer
        assert status in (503, 504), said
        self.troubles[said["error"]["code"]] += 1
        return None

    def _keep(self, change: Change, answer: Answer) -> None:
        """Keep the first answer; each later one must be the same."""
        assert answer["idempotency"]["key"] == change.key
        self.unheard += change.key not in self.answers and answer["idempotency"]["replayed"]
        first = self.answers.setdefault(change.key, answer)
        assert {**answer, "idempotency": None} == {**first, "idempotency": None}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """Give a client; a connection bears one request, because servers do not live long."""
    connector = TCPConnector(force_close=True)
    async with ClientSession(connector=connector, timeout=ClientTimeout(_PATIENCE)) as session:
        yield Client(url, session)
