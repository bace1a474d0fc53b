"""One scrape shows all processes of a machine, whatever state the others are in."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rpc_server.backends.exposition import MOST_A_SECOND, Exposition, Place, merged
from rpc_server.settings import ROOT

# A process that holds a place and answers with one figure, its own number.
WORKER = """
import asyncio, sys
from pathlib import Path
from rpc_server.backends.exposition import Exposition, Place

async def main():
    place = Place(Path(sys.argv[1]))
    line = f'# HELP up Up.\\n# TYPE up gauge\\nup{{worker="{place.number}"}} {place.number}\\n'
    async with Exposition(line.encode, place):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


def figure(place: Place) -> bytes:
    return f'# HELP up Up.\n# TYPE up gauge\nup{{worker="{place.number}"}} {place.number}\n'.encode()


def workers(text: bytes) -> list[str]:
    families = list(text_string_to_metric_families(text.decode()))
    assert len({family.name for family in families}) == len(families), "a metric stands there once"
    return sorted(sample.labels["worker"] for family in families for sample in family.samples if sample.name == "up")


@contextmanager
def process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    try:
        assert started.stdout.readline() == "ready\n"
        yield started
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


async def test_whoever_is_scraped_shows_all(folder: Path) -> None:
    async with AsyncExitStack() as open:
        places = [Place(folder) for _ in range(3)]
        all_three = [await open.enter_async_context(Exposition(partial(figure, place), place)) for place in places]
        for one in all_three:
            assert workers(await one.text()) == ["0", "1", "2"]


async def test_alone_there_is_no_one_to_ask() -> None:
    async with Exposition(lambda: b"as it is") as alone:
        assert await alone.text() == b"as it is"


async def test_a_place_that_was_left_is_taken_again(folder: Path) -> None:
    async with Exposition(lambda: b"", first := Place(folder)):
        assert first.number == 0
    again, next_one = Place(folder), Place(folder)

    assert (again.number, next_one.number) == (0, 1)
    again.leave()
    next_one.leave()


async def test_a_process_that_was_killed_leaves_its_place_and_is_not_shown(folder: Path) -> None:
    with process(folder) as killed:
        place = Place(folder)
        async with Exposition(partial(figure, place), place) as own:
            assert workers(await own.text()) == ["0", "1"]
            killed.kill()
            killed.wait()
            assert (folder / "0.sock").exists()
            assert workers(await own.text()) == ["1"]
            with process(folder):
                assert workers(await own.text()) == ["0", "1"]


async def test_a_process_that_hangs_holds_nobody_up(folder: Path) -> None:
    with process(folder) as hanging:
        place = Place(folder)
        async with Exposition(partial(figure, place), place) as own:
            os.kill(hanging.pid, signal.SIGSTOP)
            async with asyncio.timeout(10):
                assert workers(await own.text()) == ["1"]


def test_a_folder_that_others_can_write_to_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o770)
    with pytest.raises(ValueError, match="can be written to by others"):
        Place(folder)


def test_a_folder_of_our_own_is_for_us_only(folder: Path) -> None:
    Place(folder).leave()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too long"):
        Place(tmp_path / ("x" * 110))


async def test_a_flood_of_scrapes_is_answered_without_work() -> None:
    made, now = [0], [100.0]

    def render() -> bytes:
        made[0] += 1
        return str(made[0]).encode()

    exposition = Exposition(render, clock=lambda: now[0])
    answers = [await exposition.text() for _ in range(1000)]
    now[0] = 101.0

    assert made == [MOST_A_SECOND]
    assert answers[-1] == str(MOST_A_SECOND).encode()
    assert await exposition.text() == str(MOST_A_SECOND + 1).encode()


def test_a_metric_of_several_stands_once_with_the_series_of_all() -> None:
    first = b'# HELP a A # HASH.\n# TYPE a counter\na{worker="0"} 1\n# HELP b B.\n# TYPE b gauge\n'
    second = b'# HELP a A # HASH.\n# TYPE a counter\na{worker="1"} 2\n# HELP b B.\n# TYPE b gauge\nb{worker="1"} 3\n'

    assert merged([first, b"", second]) == (
        b'# HELP a A # HASH.\n# TYPE a counter\na{worker="0"} 1\na{worker="1"} 2\n'
        b'# HELP b B.\n# TYPE b gauge\nb{worker="1"} 3\n'
    )
