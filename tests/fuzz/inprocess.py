"""A server without a socket: bytes go into a connection of the real server, and come out of it."""

import asyncio
from collections.abc import Iterable
from typing import Any

from rpc_server.transport.server import Runner


class _Outlet(asyncio.Transport):
    """Keeps what the server writes, until it closes the connection."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 8081)})
        self.written = bytearray()
        self.closed = asyncio.Event()
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.written += data

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def close(self) -> None:
        if not self.closed.is_set():
            self.closed.set()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def get_protocol(self) -> asyncio.Protocol:
        return self._protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Hung(Exception):
    """The connection was neither answered nor closed in time."""


async def exchange(runner: Runner, request: bytes, *, seconds: float) -> bytes:
    """Send *request*, which asks for the connection to be closed, and return all that came back; raises Hung."""
    assert runner.server is not None
    # typeshed knows the factory as one of any protocol.
    protocol: Any = runner.server()
    outlet = _Outlet(protocol)
    protocol.connection_made(outlet)
    protocol.data_received(request)
    try:
        async with asyncio.timeout(seconds):
            await outlet.closed.wait()
    except TimeoutError:
        raise Hung from None
    finally:
        outlet.close()
        await asyncio.sleep(0)
    return bytes(outlet.written)
