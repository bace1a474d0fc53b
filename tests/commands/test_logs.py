"""What the server logs, and what its libraries log, is of one shape."""

import json
import subprocess
import sys
from typing import Any

import pytest

from rpc_server.settings import ROOT

LOGGING = """
import logging, sys, structlog
from rpc_server.backends.logs import configure_logs
configure_logs(*sys.argv[1:])
structlog.get_logger("own").info("call", tool="t")
logging.getLogger("library").warning("two\\nlines of %s", "text")
try:
    1 / 0
except ZeroDivisionError as error:
    structlog.get_logger("own").error("incident", exc_info=error)
    logging.getLogger("library").exception("it failed")
logging.getLogger("library").debug("chatter")
"""


def logged(*settings: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOGGING, *settings], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not done.stdout
    return done.stderr.splitlines()


@pytest.mark.parametrize("log_format", ["json", "auto"])
def test_without_a_terminal_every_line_is_an_object(log_format: str) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in logged(log_format, "info")]
    assert [line["event"] for line in lines] == ["call", "two\nlines of text", "incident", "it failed"]
    assert [line["level"] for line in lines] == ["info", "warning", "error", "error"]
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert all("ZeroDivisionError: division by zero" in line["exception"] for line in lines[2:])


def test_only_what_is_as_grave_as_asked_for_is_logged() -> None:
    assert [json.loads(line)["event"] for line in logged("json", "error")] == ["incident", "it failed"]


def test_as_text_the_lines_are_readable() -> None:
    first, *_ = logged("text", "info")
    assert "call" in first and "tool" in first and not first.startswith("{")


IN_A_LOOP = """
import asyncio, os, sys, structlog
from rpc_server.backends.logs import configure_logs, flush_logs
configure_logs("json", "info")
logger = structlog.get_logger("own")
async def main(turn):
    for number in range(100):
        logger.info("call", number=f"{turn}-{number}", text="x" * 50)
    logger.info("odd", thing=object(), half="\\ud83d")
    await asyncio.to_thread(logger.info, "from a thread")
    logger.info("last of a loop")
asyncio.run(main(1))
asyncio.run(main(2))
logger.info("without a loop")
async def end():
    logger.info("the end")
    if sys.argv[1] == "abrupt":
        flush_logs()
        os._exit(0)
asyncio.run(end())
"""


@pytest.mark.parametrize("way", ["orderly", "abrupt"])
def test_no_line_is_lost_between_the_turns_of_a_loop(way: str) -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_LOOP, way], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]

    for turn in (1, 2):
        numbers = [line["number"] for line in lines if line.get("number", "").startswith(f"{turn}-")]
        assert numbers == [f"{turn}-{number}" for number in range(100)]
    events = [line["event"] for line in lines if line["event"] != "call"]
    assert sorted(events) == sorted(["odd", "from a thread", "last of a loop"] * 2 + ["without a loop", "the end"])
    assert all(line["thing"] == "object" for line in lines if line["event"] == "odd")
    assert events[-2:] == ["without a loop", "the end"]
