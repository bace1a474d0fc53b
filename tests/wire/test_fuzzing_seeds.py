"""What `make fuzz` begins with is answered as it should be, so that a run is worth its time."""

import re
from collections import Counter

import asyncpg
import pytest
from pydantic import SecretStr

from rpc_server.app import make_app
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner
from tests.conftest import SECRET
from tests.database import Cluster
from tests.fuzz.inprocess import exchange
from tests.fuzz.inputs import raw_request, seeds
from tests.fuzz.oracle import complaint
from tests.fuzz.stand import known_ids, sessions, tokens

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_seeds_are_answered_and_nothing_is_complained_of(demo_url: str, cluster: Cluster) -> None:
    owner = await asyncpg.connect(cluster.owner_url(demo_url.rpartition("/")[2]))
    try:
        ids = await known_ids(owner)
    finally:
        await owner.close()
    settings = Settings(database_url=SecretStr(demo_url), jwt_secret=SecretStr(SECRET), progress_wait_seconds=0)
    runner = Runner(make_app(settings), access_log=None)
    await runner.setup()
    try:
        stands_for = tokens(SECRET) | sessions(SECRET)
        answers = [await exchange(runner, raw_request(seed, stands_for), seconds=60) for seed in seeds(ids)]
    finally:
        await runner.cleanup()

    assert [complaint(answer) for answer in answers] == [None] * len(answers)
    statuses = Counter(int(answer[9:12]) for answer in answers)
    assert statuses[200] > len(answers) / 2, statuses
    assert {202, 204, 400, 403, 404, 405} <= statuses.keys()
    tools = re.findall(rb'"isError":(true|false)', b"".join(answers))
    assert tools.count(b"false") > tools.count(b"true")


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "status 500"),
        (b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"code":"internal"}', 'says "code":"internal"'),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{", "is not the JSON that it says it is"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503"),
        (b"<html>", "no status line"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}", None),
    ],
)
async def test_the_oracle_sees_what_is_wrong(answer: bytes, wrong: str | None) -> None:
    assert complaint(answer) == wrong
