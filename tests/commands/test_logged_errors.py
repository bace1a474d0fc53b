"""What is logged of errors that quote what they could not handle: where they happened, and not a word of theirs."""

import json
import subprocess
import sys

import pytest

from rpc_server.settings import ROOT

FAILING = """
import asyncio, gc, logging, sys
import asyncpg, orjson, pydantic, structlog
from rpc_server.backends.logs import configure_logs

configure_logs(sys.argv[1], "debug")
NAME = "Zule" + "ica"

class Person(pydantic.BaseModel):
    age: int

def unique():
    raise asyncpg.UniqueViolationError.new({
        "C": "23505", "M": f"duplicate key {NAME}", "D": f"Key (name)=({NAME}) already exists.",
        "n": "contacts_name_key", "t": "contacts",
    })

def chained():
    try:
        {}[NAME]
    except KeyError as error:
        raise RuntimeError(NAME) from error

def within():
    try:
        int(NAME)
    except ValueError:
        {}[NAME]

def grouped():
    raise ExceptionGroup(NAME, [ValueError(NAME), OSError(2, "No such file", NAME)])

def noted():
    error = ValueError(NAME)
    error.add_note(NAME)
    raise error

def deep():
    error = None
    for _ in range(50):
        made = ValueError(NAME)
        made.__cause__ = error
        error = made
    raise error

def divided():
    return 1 / 0

FAILURES = [lambda: int(NAME), lambda: {}[NAME], lambda: Person(age=NAME), lambda: orjson.loads("{" + NAME), unique,
            chained, within, grouped, noted, deep, divided, lambda: NAME.nothing]
for fail in FAILURES:
    try:
        fail()
    except Exception as error:
        structlog.get_logger("own").error("incident", exc_info=error)
        logging.getLogger("library").exception("it failed")

async def forgotten():
    async def fails():
        raise KeyError(NAME)
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()

asyncio.run(forgotten())
logging.getLogger("a.library").debug("sent %s", NAME)
"""


@pytest.fixture(scope="module", params=["json", "text"])
def said(request: pytest.FixtureRequest) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FAILING, request.param], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stderr


def test_no_word_of_theirs_is_logged(said: str) -> None:
    assert said.count("incident") == said.count("it failed") == 12
    assert "Task exception was never retrieved" in said
    assert "Zuleica" not in said


def test_their_kinds_and_places_are(said: str) -> None:
    for kind in ("ValueError", "KeyError", "ValidationError", "JSONDecodeError", "RuntimeError", "ExceptionGroup"):
        assert kind in said
    assert "asyncpg.exceptions.UniqueViolationError: 23505 contacts contacts_name_key" in said
    assert "FileNotFoundError: No such file" in said
    assert "ZeroDivisionError: division by zero" in said
    assert "'str' object has no attribute 'nothing'" in said
    assert "in chained" in said
    assert "direct cause of the following" in said and "During handling of the above" in said


def test_a_line_stays_a_line() -> None:
    done = subprocess.run([sys.executable, "-c", FAILING, "json"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert {line["level"] for line in lines} == {"error"}
    assert max(line["exception"].count("Traceback") for line in lines) <= 10
