"""Compare response times of real support threads by the tool with an independent count of them.

`python -m bench.support_threads FILE.csv` reads public customer-support messages with the columns
tweet_id, author_id, inbound, created_at, text, response_tweet_id, in_response_to_tweet_id. A
company's account stands for an agent, a thread for a conversation. They are loaded through the
CRM's own tables into a database of its own on the server of DATABASE_OWNER_URL, which must be
allowed to create one; it is dropped afterwards.
"""

import csv
import secrets
import statistics
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import asyncpg
import typer
import uvloop

from handlers import CATALOG
from rpc_server.app import LAYERS
from rpc_server.backends.logs import configure_logs
from rpc_server.backends.migrations import migrate
from rpc_server.backends.postgres import Postgres
from rpc_server.calls.call import Calls
from rpc_server.contract.caller import Caller
from rpc_server.settings import ROOT, Settings

TENANT = "support-threads"
NAMES = UUID("6f0b1c1e-2f6a-4c57-9d0e-3f6b8f6a7c11")
ZONE = ZoneInfo("America/Sao_Paulo")


@dataclass(frozen=True, slots=True)
class Message:
    """A row of the file."""

    number: int
    author: str
    inbound: bool
    sent_at: datetime
    text: str
    answers: int | None


def read(path: Path) -> list[Message]:
    """Return the file's messages in order of time."""
    with path.open(encoding="utf-8", newline="") as file:
        messages = [
            Message(
                int(row["tweet_id"]),
                row["author_id"],
                row["inbound"] == "True",
                datetime.strptime(row["created_at"], "%a %b %d %H:%M:%S %z %Y"),
                row["text"].replace("\x00", ""),
                int(float(row["in_response_to_tweet_id"])) if row["in_response_to_tweet_id"] else None,
            )
            for row in csv.DictReader(file)
            # A sample may break off within its last row.
            if row["created_at"]
        ]
    return sorted(messages, key=lambda message: (message.sent_at, message.number))


def threads(messages: list[Message]) -> dict[int, list[Message]]:
    """Group messages that answer one another, each group in order of time."""
    parent = {message.number: message.number for message in messages}

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for message in messages:
        if message.answers in parent:
            parent[root(message.number)] = root(message.answers)
    grouped: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        grouped[root(message.number)].append(message)
    return grouped


def waits_by_account(grouped: dict[int, list[Message]]) -> tuple[dict[str, list[float]], int]:
    """Walk each thread: seconds from the first unanswered customer message to the next reply, by who replied."""
    waits: dict[str, list[float]] = defaultdict(list)
    unanswered = 0
    for thread in grouped.values():
        since: datetime | None = None
        for message in thread:
            if message.inbound and since is None:
                since = message.sent_at
            elif not message.inbound and since is not None:
                waits[message.author].append((message.sent_at - since).total_seconds())
                since = None
        unanswered += since is not None
    return waits, unanswered


def rows(grouped: dict[int, list[Message]]) -> dict[str, list[dict[str, Any]]]:
    """Return the threads as rows of the CRM's tables."""
    user, project, channel = (uuid5(NAMES, name) for name in ("user", "project", "channel"))
    accounts = sorted({m.author for thread in grouped.values() for m in thread if not m.inbound})
    own = {"tenant_id": TENANT, "project_id": project}
    tables: dict[str, list[dict[str, Any]]] = {
        "users": [{"id": user, "name": "owner"}],
        "projects": [{"id": project, "user_id": user, "tenant_id": TENANT, "name": "Support threads"}],
        "channels": [{"id": channel, **own, "name": "public", "type": "test"}],
        "agents": [{"id": uuid5(NAMES, a), **own, "user_id": user, "name": a, "type": "human"} for a in accounts],
        "contacts": [],
        "sessions": [],
        "messages": [],
    }
    for key, thread in grouped.items():
        contact, session = uuid5(NAMES, f"contact {key}"), uuid5(NAMES, f"session {key}")
        first, last = thread[0].sent_at, thread[-1].sent_at
        tables["contacts"].append({"id": contact, **own, "name": thread[0].author, "created_at": first})
        tables["sessions"].append(
            {"id": session, "tenant_id": TENANT, "contact_id": contact, "started_at": first, "last_activity_at": last}
        )
        tables["messages"] += [
            {
                # The order of the file's numbers, where two were sent in the same second.
                "id": UUID(int=m.number),
                **own,
                "timestamp": m.sent_at,
                "user_id": user,
                "from_me": not m.inbound,
                "channel_id": channel,
                "contact_id": contact,
                "session_id": session,
                "text": m.text,
                "agent_id": None if m.inbound else uuid5(NAMES, m.author),
                "source": "manual",
            }
            for m in thread
        ]
    return tables


async def load(connection: "asyncpg.Connection[asyncpg.Record]", tables: dict[str, list[dict[str, Any]]]) -> None:
    """Write the rows."""
    async with connection.transaction():
        for table, records in tables.items():
            columns = list(records[0])
            await connection.copy_records_to_table(
                table, columns=columns, records=[tuple(record.values()) for record in records], schema_name="public"
            )


@asynccontextmanager
async def throw_away_database(server_url: str) -> AsyncIterator[str]:
    """Yield the address of a fresh, migrated database that lives as long as the context."""
    name = f"support_threads_{secrets.token_hex(4)}"
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    server = await asyncpg.connect(server_url)
    await server.execute(f"create database {name} template template0 encoding 'UTF8'")
    try:
        connection = await asyncpg.connect(url)
        await migrate(connection, ROOT / "sql" / "crm")
        await connection.close()
        yield url
    finally:
        await server.execute(f"drop database {name} with (force)")
        await server.close()


async def ask(url: str, first: datetime, last: datetime) -> dict[str, Any]:
    """Return what the tool says of all the threads."""
    async with Postgres(url, size=1, acquire_seconds=10) as postgres:
        calls = Calls(CATALOG, LAYERS, postgres, lambda: datetime.now(UTC))
        arguments = {
            "metric": "response_time",
            "period": "custom",
            "start_date": str(first.astimezone(ZONE).date()),
            "end_date": str((last.astimezone(ZONE) + timedelta(days=1)).date()),
        }
        outcome = await calls.run(
            "get_top_performing_agent", arguments, Caller(TENANT, "bench", frozenset("*")), "bench"
        )
        if outcome.error is not None or outcome.result is None:
            raise SystemExit(f"The tool failed: {outcome.error}")
        return outcome.result.model_dump()


async def compare(path: Path) -> bool:
    """Load, ask, count, print both, and tell whether they agree."""
    settings = Settings()
    server = settings.database_owner_url or settings.database_url
    if server is None:
        raise SystemExit("Set DATABASE_OWNER_URL to a login that may create a database.")
    messages = read(path)
    grouped = threads(messages)
    expected, unanswered = waits_by_account(grouped)
    async with throw_away_database(server.get_secret_value()) as url:
        connection = await asyncpg.connect(url)
        await load(connection, rows(grouped))
        await connection.close()
        answer = await ask(url, messages[0].sent_at, messages[-1].sent_at)
    print(f"{len(messages)} messages, {len(grouped)} threads, {len(expected)} accounts that replied")
    agree = answer["unanswered"] == unanswered
    print(f"unanswered: tool {answer['unanswered']}, count {unanswered}")
    for place in answer["ranking"]:
        seconds = expected[place["agent_name"]]
        same = (place["n"], place["value"]) == (len(seconds), round(statistics.median(seconds), 4))
        agree = agree and same
        print(
            f"{place['rank']:3}. {place['agent_name']:18} tool {place['value']:10.1f} s (n {place['n']:3})   "
            f"count {statistics.median(seconds):10.1f} s (n {len(seconds):3})   {'same' if same else 'DIFFERENT'}"
        )
    enough = {account for account, seconds in expected.items() if len(seconds) >= answer["min_sample"]}
    agree = agree and enough == {place["agent_name"] for place in answer["ranking"]}
    print("decisive" if answer["decisive"] else "not decisive", "— all figures agree" if agree else "— FIGURES DIFFER")
    return agree


def main(path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The CSV file.")]) -> None:
    """Compare the tool's response times over real threads with an independent count."""
    configure_logs("json", "error")
    if not uvloop.run(compare(path)):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
