"""Answers remembered for a while: what they depend on, and when they are out of date."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from rpc_server.contract.result import Result


@dataclass(frozen=True)
class Entry:
    """An answer as it was given: its fields as JSON, its words; as of when, and until when it holds (Unix time)."""

    body: bytes
    words: str
    as_of: float
    expires: float

    @cached_property
    def result(self) -> "KeptResult":
        """Return the answer, made once for all who get it from memory."""
        return KeptResult.model_construct(body=self.body, words=self.words)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look into the cache found.

    *generation* names the state of the tenant's data: what is kept under it is forgotten as a whole
    when that data changes. None: the cache cannot be used at the moment.
    """

    generation: str | None
    entry: Entry | None = None


class Cache(Protocol):
    """Answers by tenant and key; nothing that fails in here makes a call fail."""

    async def look_up(self, tenant_id: str, key: bytes) -> Looked:
        """Return the entry of the tenant's present generation, if there is one; it may have expired."""
        ...

    async def keep(self, tenant_id: str, key: bytes, generation: str, entry: Entry) -> None:
        """Keep an entry of *generation*, which was looked up before its data was read."""
        ...

    async def forget(self, tenant_id: str) -> bool:
        """Begin a new generation, on every replica; False where that could not be done."""
        ...


class NoCache:
    """Remembers nothing."""

    async def look_up(self, tenant_id: str, key: bytes) -> Looked:
        """Find nothing."""
        return Looked(None)

    async def keep(self, tenant_id: str, key: bytes, generation: str, entry: Entry) -> None:
        """Keep nothing."""

    async def forget(self, tenant_id: str) -> bool:
        """Have nothing to forget."""
        return True


class KeptResult(Result):
    """An answer that was given before, in the bytes and words in which it was given."""

    body: bytes
    words: str

    def text(self) -> str:
        """Return its words."""
        return self.words

    def as_json(self) -> bytes:
        """Return its fields."""
        return self.body
