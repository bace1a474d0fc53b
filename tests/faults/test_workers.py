"""Several processes on one port: one that dies is replaced, all drain, and none is left behind."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.commands.program import command, running
from tests.conftest import SECRET, Crm
from tests.faults.breakable import children_of
from tests.faults.nursery import Nursery
from tests.faults.test_drain import House, house
from tests.faults.waiting import until

WORKERS = 2


def workers_of(place: House) -> list[int]:
    return children_of(place.process.pid)


def is_there(pid: int) -> bool:
    """Tell whether a process runs, and is no corpse that nobody has buried."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(found.strip()) and not found.startswith("Z")


@asynccontextmanager
async def workplace(crm: Crm, nursery: Nursery, tmp_path: Path, **settings: str) -> AsyncIterator[House]:
    async with house(crm, nursery, tmp_path, WORKERS=str(WORKERS), **settings) as place:
        await until(lambda: len(workers_of(place)) == WORKERS)
        workers = workers_of(place)
        yield place
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def test_a_worker_that_dies_is_replaced_and_the_others_serve_on(
    crm: Crm, nursery: Nursery, tmp_path: Path
) -> None:
    async with workplace(crm, nursery, tmp_path) as place:
        first, second = workers_of(place)
        os.kill(first, signal.SIGKILL)
        for _ in range(5):  # whoever is left takes them
            assert (await place.count_leads())[0] == 200
        await until(lambda: len(set(workers_of(place)) - {first}) == WORKERS)

        assert second in workers_of(place)
        place.process.terminate()
        assert await place.status() == 0


async def test_all_workers_drain(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    async with workplace(crm, nursery, tmp_path) as place:
        workers = workers_of(place)
        async with place.held("mcp_store.fact_lead_slots"):
            calls = [place.count_leads() for _ in range(6)]
            await place.waiting(6)
            place.process.terminate()
            await place.refuses_connections()

        assert {status for status, _ in await asyncio.gather(*calls)} == {200}
        assert await place.status() == 0
        assert not any(is_there(pid) for pid in workers)


async def test_workers_do_not_outlive_a_parent_that_is_killed(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    async with workplace(crm, nursery, tmp_path) as place:
        workers = workers_of(place)
        async with place.held("mcp_store.fact_lead_slots"):
            call = place.count_leads()
            await place.waiting(1)
            place.process.kill()
            await place.refuses_connections()

        assert (await call)[0] == 200, "what ran was finished"
        await until(lambda: not any(is_there(pid) for pid in workers))


async def test_nothing_is_cached_in_a_process_that_is_not_alone(crm: Crm, nursery: Nursery, tmp_path: Path) -> None:
    """Else another worker's change would not be seen in it."""
    async with workplace(crm, nursery, tmp_path, CACHE="auto") as place:
        for _ in range(6):
            status, answer = await place.count_leads()
            assert status == 200
            assert not answer.get("cache", {}).get("hit"), answer
        place.process.terminate()
        assert await place.status() == 0


def test_workers_that_cannot_be_configured_are_not_tried_again(crm: Crm, tmp_path: Path) -> None:
    wrong = {"VERTEX_AI_PROJECT": "p", "REDIS_URL": "ftp://nowhere"}
    environment = {"DATABASE_URL": crm.server_url, "JWT_SECRET": SECRET, "PORT": "0", "WORKERS": "2", **wrong}
    with running(tmp_path / "output", "serve", **environment) as program:
        ended = program.ended()

    assert ended.status == 1
    assert "REDIS_URL must be like" in ended.out
    assert "Traceback" not in ended.out


def test_a_development_server_has_one_process() -> None:
    command("serve", "--dev", WORKERS="2").refused("WORKERS", "--dev")
