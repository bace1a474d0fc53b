"""The cache of one process: bounded in bytes, the least recently used goes first."""

from collections import OrderedDict

from rpc_server.calls.cache import Entry, Looked

# What an entry costs beside its texts.
_OVERHEAD_BYTES = 500
_MOST_TENANTS = 100_000


class MemoryCache:
    """Right only where there is one process: another one's writes would not be noticed."""

    def __init__(self, *, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, bytes], tuple[str, Entry]] = OrderedDict()
        # Numbers that never come back, so that a generation that was pushed out revives nothing.
        self._generations: OrderedDict[str, int] = OrderedDict()
        self._latest = 0

    async def look_up(self, tenant_id: str, key: bytes) -> Looked:
        """Return the entry of the tenant's present generation, if there is one."""
        return Looked(self._generation(tenant_id), self.find(tenant_id, key))

    def find(self, tenant_id: str, key: bytes) -> Entry | None:
        """Do the same without anything to wait for."""
        kept_under, entry = self._kept.get((tenant_id, key), (None, None))
        if entry is None or kept_under != self._generation(tenant_id):
            return None
        self._kept.move_to_end((tenant_id, key))
        return entry

    async def keep(self, tenant_id: str, key: bytes, generation: str, entry: Entry) -> None:
        """Keep an entry, and drop the least recently used ones beyond the bound."""
        if generation != self._generation(tenant_id):
            return
        self._drop((tenant_id, key))
        self._kept[tenant_id, key] = generation, entry
        self._bytes += _size(entry)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    async def forget(self, tenant_id: str) -> bool:
        """Begin a new generation."""
        self._generations.pop(tenant_id, None)
        return True

    def _generation(self, tenant_id: str) -> str:
        number = self._generations.get(tenant_id)
        if number is None:
            self._latest += 1
            number = self._generations[tenant_id] = self._latest
            if len(self._generations) > _MOST_TENANTS:
                self._generations.popitem(last=False)
        return str(number)

    def _drop(self, key: tuple[str, bytes]) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= _size(kept[1])


def _size(entry: Entry) -> int:
    """Return about how much memory an entry takes; a character can take four bytes."""
    return len(entry.body) + 4 * len(entry.words) + _OVERHEAD_BYTES
