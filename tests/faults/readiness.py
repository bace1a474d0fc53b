"""What `/ready` says all the time, as a balancer asks."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiohttp import ClientError, ClientSession

_EVERY_SECONDS = 0.05


class Readiness:
    """Each change of the answer, and the longest time that one took."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self.said: list[tuple[int, str]] = []
        self.longest = 0.0
        self._url = f"{url}/ready"
        self._session = session

    @property
    def now(self) -> int:
        """The status of the last answer; 0 for none."""
        return self.said[-1][0] if self.said else 0

    async def watch(self) -> None:
        """Ask again and again."""
        while True:
            began = time.monotonic()
            try:
                async with self._session.get(self._url) as response:
                    answer = orjson.loads(await response.read())
                    said = (response.status, answer["dependencies"]["postgres"])
            except (ClientError, OSError):
                said = (0, "no answer")
            self.longest = max(self.longest, time.monotonic() - began)
            if not self.said or self.said[-1] != said:
                self.said.append(said)
            await asyncio.sleep(_EVERY_SECONDS)


@asynccontextmanager
async def watched_readiness(url: str) -> AsyncIterator[Readiness]:
    """Watch the server of *url* while the block runs."""
    async with ClientSession() as session:
        readiness = Readiness(url, session)
        watching = asyncio.create_task(readiness.watch())
        try:
            yield readiness
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
