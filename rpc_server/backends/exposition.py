"""What /metrics shows: this process's figures, and those of the server's other processes on this machine.

Each process answers on a socket in a folder that they share, and whoever is scraped asks the others. All
series bear the number of their process, so that one which starts anew is seen to start from 0, and none
is added up with a dead one's.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

# More scrapes than these in a second get the text of the last of them: anybody may ask.
MOST_A_SECOND = 10
MOST_WORKERS = 64
_ANSWER_SECONDS = 1.0
_MOST_BYTES = 8 * 1024 * 1024
# What the kernel takes for the path of a socket, without the zero at its end.
_LONGEST_PATH = 103


class Place:
    """One process's place in the shared folder; free again when the process is gone, however it went."""

    def __init__(self, folder: Path) -> None:
        """Take the first free place; raises ValueError where there is none, or where others could write."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o022:
            raise ValueError(f"METRICS_DIR {folder} can be written to by others: take one that only the server can")
        if len(bytes(folder)) + len("/00.sock") > _LONGEST_PATH:
            raise ValueError(f"METRICS_DIR {folder} is too long for the path of a socket")
        self._folder = folder
        for number in range(MOST_WORKERS):
            self._lock = os.open(folder / f"{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._lock)
                continue
            self.number = number
            return
        raise ValueError(f"METRICS_DIR {folder} has no free place: {MOST_WORKERS} processes use it")

    @property
    def socket(self) -> Path:
        """Return where this process answers."""
        return self._folder / f"{self.number}.sock"

    def others(self) -> list[Path]:
        """Return where other processes answer, or answered before they died."""
        return sorted(path for path in self._folder.glob("*.sock") if path != self.socket)

    def leave(self) -> None:
        """Free the place."""
        self.socket.unlink(missing_ok=True)
        os.close(self._lock)


class Exposition:
    """Answers scrapes; used as a context, while which the other processes can ask too."""

    def __init__(
        self, render: Callable[[], bytes], place: Place | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._render = render
        self._place = place
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._text = b""
        self._second = -1
        self._made = 0

    async def __aenter__(self) -> "Exposition":
        """Begin to answer the other processes."""
        if self._place is not None:
            self._place.socket.unlink(missing_ok=True)  # of a process that died in this place
            self._server = await asyncio.start_unix_server(self._answer, str(self._place.socket))
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Answer no more, and free the place."""
        if self._place is not None and self._server is not None:
            self._server.close()
            self._place.leave()

    async def text(self) -> bytes:
        """Return the figures of all processes in Prometheus' text format, at most a second old."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._made = second, 0
        if self._made < MOST_A_SECOND:
            self._made += 1
            self._text = await self._whole()
        return self._text

    async def _whole(self) -> bytes:
        if self._place is None:
            return self._render()
        others = await asyncio.gather(*map(_ask, self._place.others()))
        return merged((self._render(), *others))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                writer.write(self._render())
                await writer.drain()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            writer.close()


@contextmanager
def shared_folder(given: Path | None) -> Iterator[Path]:
    """Give the folder of processes that one starts: *given*, else a temporary one."""
    if given is not None:
        yield given
        return
    with TemporaryDirectory(prefix="crm-mcp-metrics-") as made:
        yield Path(made)


async def _ask(socket: Path) -> bytes:
    """Return what another process says; nothing where it is dead or does not answer in time."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                return await reader.readexactly(_MOST_BYTES)
            except asyncio.IncompleteReadError as whole:
                return whole.partial
            finally:
                writer.close()
    return b""


def merged(texts: Iterable[bytes]) -> bytes:
    """Return several expositions as one, in which each metric stands once with the series of all."""
    heads: dict[bytes, bytes] = {}
    series: dict[bytes, list[bytes]] = {}
    for text in texts:
        for family in text.split(b"# HELP ")[1:]:
            head, kind, *samples = family.rstrip(b"\n").split(b"\n")
            name = head.partition(b" ")[0]
            heads[name] = b"# HELP " + head + b"\n" + kind
            series.setdefault(name, []).extend(samples)
    return b"".join(b"\n".join([heads[name], *series[name], b""]) for name in heads)
