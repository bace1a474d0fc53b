"""Just enough of PostgreSQL's protocol (version 3) to see which statement runs when."""

from asyncio import StreamReader
from typing import NamedTuple

BACKEND_KEY = b"K"
READY = b"Z"
# The client sends these in one go with the message that ends the request.
_PARTS = (b"P", b"B", b"D", b"E", b"C")


class Message(NamedTuple):
    """A message of either side, and its bytes as they came."""

    kind: bytes
    body: bytes
    raw: bytes


async def read_startup(reader: StreamReader) -> bytes:
    """Return a connection's first packet, the only one without a kind."""
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head) - 4)


async def read_message(reader: StreamReader) -> Message:
    """Return the next message; IncompleteReadError at the end."""
    head = await reader.readexactly(5)
    body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
    return Message(head[:1], body, head + body)


class Requests:
    """Follows one client: which statement each of its requests runs."""

    def __init__(self) -> None:
        self._prepared: dict[bytes, str] = {}
        self._bound = ""

    def follow(self, message: Message) -> str | None:
        """Return the statement of the request that *message* completes ("" for none), or None where it ends none."""
        match message.kind:
            case b"P":
                name, text = message.body.split(b"\0")[:2]
                self._prepared[name] = text.decode()
            case b"B":
                self._bound = self._prepared.get(message.body.split(b"\0")[1], "")
            case b"Q":
                return message.body[:-1].decode()
            case b"S":
                statement, self._bound = self._bound, ""
                return statement
        return None


def is_part(message: Message) -> bool:
    """Tell whether more of the same request comes at once."""
    return message.kind in _PARTS
