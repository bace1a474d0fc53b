"""The load, in a process of its own: `python -m bench.load` reads an Order as JSON and prints what came of it.

Each connection is one user's: it sends a request, looks at the whole answer, and sends the next one, with the next
id. Requests are made beforehand but for that, and answers are searched for the bytes that a right one holds, so that
the client costs a fraction of any server.
"""

import asyncio
import sys
from array import array
from functools import partial
from itertools import cycle, islice
from time import perf_counter, process_time
from typing import cast

import uvloop
from pydantic import BaseModel

_END_OF_HEAD = b"\r\n\r\n"
# Where an id stands in a request, and what is sent: of one length, as the header says it.
ID = b'"id": 100000'
_FIRST_ID = 100_000
_LAST_ID = 999_999
# Answers that a cache may make anew in one run.
_FEW = 3
_STUCK_SECONDS = 60.0
_SETTLING_SECONDS = 0.1


class Order(BaseModel):
    """What to send, and how a right answer is told: by every one of *marks*, after a status of 200.

    *kept* marks answers from a cache: all have it, but for a few in a long run, where a kept answer's time is over.
    """

    port: int
    requests: list[str]
    marks: list[str]
    kept: list[str]
    connections: int
    seconds: float


class Outcome(BaseModel):
    """What came of it; *latencies* are the 50th, 95th, 99th percentile and the longest, in milliseconds."""

    calls: int
    wrong: int
    first_wrong: str | None
    seconds: float
    cpu_seconds: float
    latencies: tuple[float, float, float, float]


class Load:
    """All connections, and what they have seen."""

    def __init__(self, order: Order) -> None:
        self.marks = [mark.encode() for mark in order.marks]
        self.kept = [mark.encode() for mark in order.kept]
        self.made_anew = 0
        self.until = 0.0
        self.took = array("d")
        self.wrong = 0
        self.first_wrong: str | None = None
        self.ended = asyncio.get_running_loop().create_future()
        self.open = order.connections

    def judge(self, answer: bytes, id: bytes = b"") -> None:
        """Count an answer that is not right, or not to the request of that *id*."""
        if answer.startswith(b"HTTP/1.1 200 ") and id in answer and all(mark in answer for mark in self.marks):
            if all(mark in answer for mark in self.kept):
                return
            self.made_anew += 1
            if self.made_anew <= _FEW:
                return
        self.wrong += 1
        self.first_wrong = self.first_wrong or answer[:2000].decode(errors="replace")

    def begin(self, seconds: float) -> None:
        """Go on for so long from now."""
        self.until = perf_counter() + seconds

    def leave(self) -> None:
        """Note that a connection has ended; the load ends with the last one."""
        self.open -= 1
        if not self.open and not self.ended.done():
            self.ended.set_result(None)


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: Load, request: str) -> None:
        self._load = load
        self._head, *self._tail = request.encode().split(ID)
        self._id = _FIRST_ID
        self._received = b""
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take what is to be written to."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        """Go on once the answer is whole."""
        self._received = self._received + data if self._received else data
        if not is_whole(self._received):
            return
        now = perf_counter()
        self._load.took.append(now - self._sent)
        self._load.judge(self._received, b"%d" % self._id if self._tail else b"")
        if now < self._load.until:
            self.send()
        else:
            self._is_over = True
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Count what breaks off as a wrong answer."""
        if not self._is_over:
            self._load.judge(b"the connection was lost: " + self._received)
        self._load.leave()

    def send(self) -> None:
        """Send a request."""
        self._received = b""
        self._id = self._id + 1 if self._id < _LAST_ID else _FIRST_ID
        request = b'%s"id": %d%s' % (self._head, self._id, self._tail[0]) if self._tail else self._head
        self._sent = perf_counter()
        self._transport.write(request)


def is_whole(answer: bytes) -> bool:
    """Tell whether all of an HTTP answer is there."""
    end = answer.find(_END_OF_HEAD)
    if end < 0:
        return False
    head = answer[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return answer.endswith(b"0" + _END_OF_HEAD)  # chunked
    return len(answer) >= end + len(_END_OF_HEAD) + int(head[at + 17 :].split(b"\r", 1)[0])


async def run(order: Order) -> Outcome:
    """Send requests for as long as is ordered."""
    loop = asyncio.get_running_loop()
    load = Load(order)
    connections = [
        (await loop.create_connection(partial(Connection, load, request), "127.0.0.1", order.port))[1]
        for request in islice(cycle(order.requests), order.connections)
    ]
    # Whoever is busy takes up connections slowly: they are all there before the first request.
    await asyncio.sleep(_SETTLING_SECONDS)
    began = perf_counter()
    load.begin(order.seconds)
    for connection in connections:
        connection.send()
    async with asyncio.timeout(order.seconds + _STUCK_SECONDS):
        await load.ended
    took = sorted(load.took)
    at = [took[min(len(took) - 1, int(len(took) * share))] * 1000 for share in (0.5, 0.95, 0.99, 1)]
    return Outcome(
        calls=len(took),
        wrong=load.wrong,
        first_wrong=load.first_wrong,
        seconds=perf_counter() - began,
        cpu_seconds=process_time(),
        latencies=(at[0], at[1], at[2], at[3]),
    )


if __name__ == "__main__":
    print(uvloop.run(run(Order.model_validate_json(sys.stdin.read()))).model_dump_json())
