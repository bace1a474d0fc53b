"""Logs: one JSON object a line, or readable lines on a terminal; neither quotes what a caller or a customer wrote."""

import asyncio
import atexit
import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import orjson
import structlog

from rpc_server.backends.tracebacks import outlined
from rpc_server.calls.log_context import bound, with_context

# A dataclass is written as it shows itself, which may leave out a secret.
_NO_INSIDES = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_UTC_Z
# A pipe takes so much in one piece, so that no two processes' lines are mixed.
_MOST_AT_ONCE: Final = 4096
# So many lines wait for the end of a turn, so that what they take has a bound.
_MOST_TOGETHER: Final = 64
# As structlog's own processor calls them.
_LEVELS = {"warn": "warning", "exception": "error"}


def configure_logs(log_format: str, level: str) -> None:
    """Send this program's log lines, and its libraries', to standard error; *log_format* is json, text or auto."""
    readable = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    exceptions = structlog.processors.ExceptionRenderer(outlined)
    lines = structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer(_as_json)
    stamps: list[Any] = [
        with_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    number = logging.getLevelNamesMapping()[level.upper()]
    if not readable:
        _OUTPUT.file = sys.stderr.buffer
    structlog.configure(
        processors=[*stamps, exceptions, lines],
        wrapper_class=structlog.make_filtering_bound_logger(number) if readable else _lines(number, exceptions),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr) if readable else lambda *_: _OUTPUT,
    )
    # Libraries, asyncio among them, know only the standard logging.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*stamps, structlog.stdlib.add_logger_name, _without_objects],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                exceptions,
                lines,
                *([] if readable else [_decoded]),
            ],
        )
    )
    # To debug this program nobody needs its libraries' chatter, which may hold what they send and receive.
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO))


class _Output:
    """Makes and writes the lines of one turn of the event loop together, which takes less than one now and then.

    Nobody changes what was said in a line before the turn's end.
    """

    def __init__(self) -> None:
        self.file: BinaryIO
        self._said: list[dict[str, Any]] = []
        self._due_in: asyncio.AbstractEventLoop | None = None
        atexit.register(self.flush)

    def take(self, said: dict[str, Any]) -> None:
        """Take what a line says."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # there are no turns to wait for
            self._write(_as_json(said))
            return
        self._said.append(said)
        if len(self._said) >= _MOST_TOGETHER:
            self.flush()
        elif self._due_in is not loop:  # which may have been another one that has ended before its next turn
            self._due_in = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what was taken."""
        said, self._said, self._due_in = self._said, [], None
        lines: list[bytes] = []
        size = 0
        for line in map(_as_json, said):
            if lines and size + len(line) >= _MOST_AT_ONCE:
                self._write(b"\n".join(lines))
                lines, size = [], 0
            lines.append(line)
            size += len(line) + 1
        if lines:
            self._write(b"\n".join(lines))

    def _write(self, lines: bytes) -> None:
        self.file.write(lines + b"\n")
        self.file.flush()


_OUTPUT: Final = _Output()


def flush_logs() -> None:
    """Write what is still to be written, for a process that ends in another way than Python's own."""
    _OUTPUT.flush()


def _lines(number: int, exceptions: Any) -> Any:
    """Return a logger that makes a line in one go: each call writes one, and processors take three times as long."""

    class Lines(structlog.make_filtering_bound_logger(number)):  # type: ignore[misc] # it is made at run time
        def _proxy_to_logger(self, method: str, event: str | None = None, *arguments: Any, **said: Any) -> None:
            if "exc_info" in said:
                said = exceptions(None, method, said)
            now = datetime.now(UTC)
            # What the line says itself stands.
            line = {**bound(), "event": event, **said, "level": _LEVELS.get(method, method), "timestamp": now}
            self._logger.take(line)

    return Lines


def _as_json(event: Any, **options: Any) -> bytes:
    """Return a line as JSON; what only Python's own encoder takes, such as half a surrogate pair, that one gets.

    What is no JSON is named by its kind: other lines wait to be written with this one.
    """
    try:
        return orjson.dumps(event, option=_NO_INSIDES, **options)
    except TypeError:
        plain = {**event, "timestamp": orjson.loads(orjson.dumps(event["timestamp"], option=_NO_INSIDES))}
        return json.dumps(plain, separators=(",", ":"), **{"default": _kind, **options}).encode()


def _kind(value: object) -> str:
    return type(value).__name__


def _decoded(logger: object, method: str, line: Any) -> str:
    """Return a line as the standard logging wants it."""
    text: str = line.decode()
    return text


def _without_objects(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out what asyncio writes below its sentence: tasks and exceptions, with what they say."""
    if event["logger"] == "asyncio":
        event["event"] = event["event"].partition("\n")[0]
    return event
