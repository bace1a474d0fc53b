"""What must never come back, whatever was sent."""

import json
import re

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_MOST_ANSWERED = 4 * 2**20
# What a fault of ours is called on the wire.
_FAULTS = (b'"code":"internal"', b'"code":-32603', b"Traceback (most recent")


def complaint(answer: bytes) -> str | None:
    """Return what is wrong with what the server sent; None where nothing is."""
    status = _STATUS.match(answer)
    if status is None:
        # Bytes that are no HTTP may be hung up on.
        return None if not answer else "no status line"
    code = int(status[1])
    if code == 100:
        return complaint(answer.partition(b"\r\n\r\n")[2])
    if code >= 500:
        return f"status {code}"
    if len(answer) > _MOST_ANSWERED:
        return f"{len(answer)} bytes"
    fault = next((fault for fault in _FAULTS if fault in answer), None)
    if fault is not None:
        return f"says {fault.decode()}"
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"application/json" in head and b"chunked" not in head and body:
        try:
            json.loads(body)
        except ValueError:
            return "is not the JSON that it says it is"
    return None
