"""A plan's rows as COPY takes them: made right here, or by a process of their own where there are many.

Python needs as long to make and encode them as PostgreSQL to store them, so that with two processors
a large tenant takes half the time.
"""

import asyncio
import pickle
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, cast
from uuid import UUID

from handlers.demo import DemoPlan, copy_data, generate
from rpc_server.commands.failure import CommandFailed
from rpc_server.settings import ROOT

# To start a process takes as long as to make about so many contacts.
_ALONE = 5_000
# What may lie ready: a packet of 500 contacts has about 3.5 MB.
_AHEAD = 4 * 2**20
_LENGTH = 8

Types = Mapping[str, Sequence[str]]


class Packet(NamedTuple):
    """What is loaded together: of each table the rows, encoded, in an order in which foreign keys are met.

    All rows of a contact are in one packet, after the first, which holds what contacts share.
    """

    contacts: list[UUID]
    rows: int
    data: list[tuple[str, bytes]]


def packets(plan: DemoPlan, types: Types) -> Iterator[Packet]:
    """Make the rows of *plan*; *types* are the types of each table's columns."""
    for batch in generate(plan):
        data = [(table, copy_data(rows, types[table])) for table, rows in batch.rows.items() if rows]
        contacts = [row[0] for row in batch.rows["public.contacts"]]
        yield Packet(cast("list[UUID]", contacts), sum(map(len, batch.rows.values())), data)


async def packets_ahead(plan: DemoPlan, types: Types) -> AsyncGenerator[Packet, None]:
    """Make the same while the caller loads what is ready already."""
    if plan.contacts < _ALONE:
        for packet in packets(plan, types):
            yield packet
        return
    # In a session of its own, Ctrl-C reaches this process only, which ends the other one.
    maker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_AHEAD,
        cwd=ROOT,
        start_new_session=True,
    )
    assert maker.stdin is not None and maker.stdout is not None
    try:
        maker.stdin.write(pickle.dumps((plan, {table: list(names) for table, names in types.items()})))
        maker.stdin.close()
        while size := int.from_bytes(await maker.stdout.readexactly(_LENGTH), "big"):
            yield Packet(*pickle.loads(await maker.stdout.readexactly(size)))  # noqa: S301 - our own process wrote it
    except asyncio.IncompleteReadError:
        raise CommandFailed("The process that makes up the rows has ended early; nothing was loaded.") from None
    finally:
        with suppress(ProcessLookupError):
            maker.kill()
        # Where much lies ready, its pipe is not read from, and for whoever does not see the pipe's end it never ends.
        await maker.stdout.read()
        await maker.wait()


def _make() -> None:
    """Be that process: read a plan, write packets, each after its length, and a length of 0 in the end."""
    plan, types = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - our own process wrote it
    with suppress(BrokenPipeError):  # whoever wanted them is gone
        for packet in packets(plan, types):
            written = pickle.dumps(tuple(packet))
            sys.stdout.buffer.write(len(written).to_bytes(_LENGTH, "big"))
            sys.stdout.buffer.write(written)
            sys.stdout.buffer.flush()
        sys.stdout.buffer.write(bytes(_LENGTH))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _make()
