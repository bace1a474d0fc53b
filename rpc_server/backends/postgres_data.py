"""A PostgreSQL data folder: one user at a time, whole or not there, of a version that fits."""

import fcntl
import logging
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import IO

from rpc_server.backends.postgres_binaries import Binaries
from rpc_server.backends.postgres_user import PostgresFailed, PostgresUser

_log = logging.getLogger(__name__)

# The server of a process that was killed is gone well within this many seconds.
_LOCK_PATIENCE = 5.0
_INITDB_PATIENCE = 120.0

_MADE_BY_INITDB = re.compile(r"PG_VERSION|base|global|pg_\w+(\.conf)?|post(gresql|master)\..*|\.s\.PGSQL\..*")


def lock_data(data_dir: Path) -> IO[str]:
    """Take the folder's lock, which lives as long as any process that inherits the open file.

    Raises PostgresFailed when another process has it.
    """
    file = data_dir.with_name(f"{data_dir.name}.lock").open("a+")
    try:
        _wait_for(file, data_dir)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
    except BaseException:
        file.close()
        raise
    return file


def _wait_for(file: IO[str], data_dir: Path) -> None:
    deadline = time.monotonic() + _LOCK_PATIENCE
    while not _try_lock(file):
        file.seek(0)
        holder = _number(file.read())
        if time.monotonic() > deadline or (holder != os.getpid() and _is_alive(holder)):
            raise _in_use(data_dir, holder)
        time.sleep(0.05)


def prepare_data(data_dir: Path, binaries: Binaries, user: PostgresUser, lock: int) -> bool:
    """Make sure that the folder holds a database cluster that can be started; tell whether it was there.

    Needs the folder's lock. Raises PostgresFailed and leaves the folder alone when it holds something else.
    """
    if not _is_cluster(data_dir):
        _clear_the_way(data_dir)
        _create_cluster(data_dir, binaries, user, lock)
        return False
    _check_fit(data_dir, binaries, user)
    _forget_dead_postmaster(data_dir)
    return True


def _is_cluster(data_dir: Path) -> bool:
    return (data_dir / "PG_VERSION").is_file() and (data_dir / "global" / "pg_control").is_file()


def _check_fit(data_dir: Path, binaries: Binaries, user: PostgresUser) -> None:
    owner = data_dir.stat().st_uid
    if owner != user.owner:
        raise PostgresFailed(
            f"The data in {data_dir} belongs to the user with number {owner}, while PostgreSQL would run as "
            f"{user.owner}: run this as that user, or choose another folder."
        )
    major = (data_dir / "PG_VERSION").read_text().strip()
    if major != str(binaries.major):
        raise PostgresFailed(
            f"The data in {data_dir} was written by PostgreSQL {major}, but the programs in "
            f"{binaries.directory} are version {binaries.version}: use PostgreSQL {major}, dump and restore "
            "the data with it, or move the folder away to begin anew."
        )


def _clear_the_way(data_dir: Path) -> None:
    """Move an unfinished cluster aside, never anybody's other files."""
    names = [entry.name for entry in data_dir.iterdir()] if data_dir.exists() else []
    foreign = sorted(name for name in names if not _MADE_BY_INITDB.fullmatch(name))
    if foreign:
        raise PostgresFailed(
            f"The folder {data_dir} holds other files, such as {foreign[0]!r}, and no PostgreSQL data: "
            "choose another folder."
        )
    if names:
        aside = data_dir.with_name(f"{data_dir.name}.incomplete-{time.time_ns()}")
        data_dir.rename(aside)
        _log.warning("The PostgreSQL data in %s was incomplete and is now in %s.", data_dir, aside)


def _create_cluster(data_dir: Path, binaries: Binaries, user: PostgresUser, lock: int) -> None:
    # Built beside its place and renamed when whole: an interruption leaves nothing that looks like data.
    fresh = data_dir.with_name(f"{data_dir.name}.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    user.give(fresh)
    failure = ""
    for locale in _locales(binaries):
        failure = _initdb(fresh, binaries, user, lock, locale)
        if not failure:
            fresh.rename(data_dir)
            return
        if "locale" not in failure:
            break
    shutil.rmtree(fresh, ignore_errors=True)
    raise PostgresFailed(f"PostgreSQL {binaries.version} could not create {data_dir}; initdb says:\n{failure}")


def _locales(binaries: Binaries) -> list[list[str]]:
    """Give the choices of locale, the best first: code point order and Unicode letters."""
    choices = [["--locale=C.UTF-8"], ["--locale=en_US.UTF-8", "--lc-collate=C"], ["--locale=C"]]
    if binaries.major >= 17:
        choices.insert(1, ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"])
    return choices


def _initdb(fresh: Path, binaries: Binaries, user: PostgresUser, lock: int, locale: list[str]) -> str:
    command = [
        str(binaries.directory / "initdb"), "--pgdata", str(fresh), "--no-sync", "--no-instructions",
        "--username=postgres", "--encoding=UTF8", "--auth-local=trust", "--auth-host=reject", *locale,
    ]  # fmt: skip
    with user.popen(
        command, lock=lock, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            output, _ = process.communicate(timeout=_INITDB_PATIENCE)
        except BaseException:
            process.kill()
            raise
    return "" if process.returncode == 0 else last_lines(output)


def last_lines(output: bytes) -> str:
    """Return the last ten lines of a program's output."""
    return "\n".join(output.decode(errors="replace").splitlines()[-10:])


def _forget_dead_postmaster(data_dir: Path) -> None:
    """Remove the pid file of a server that crashed; its number may be another process's after a reboot."""
    pid_file = data_dir / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = _number(pid_file.read_text())
    if _is_alive(pid) and _works_in(pid, data_dir):
        raise _in_use(data_dir, pid)  # started by hand, thus without our lock
    pid_file.unlink()
    for socket_lock in data_dir.glob(".s.PGSQL.*.lock"):
        socket_lock.unlink()


def _works_in(pid: int, data_dir: Path) -> bool:
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == data_dir  # a postmaster's working folder is its data
        except OSError:
            return False
    listing = subprocess.run(  # noqa: S603
        ["ps", "-p", str(pid), "-o", "comm="],  # noqa: S607 - where there is no /proc, ps is on PATH
        capture_output=True, text=True, timeout=10, check=False,
    )  # fmt: skip
    return "postgres" in listing.stdout


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # alive, and another user's
    return True


def _in_use(data_dir: Path, pid: int) -> PostgresFailed:
    return PostgresFailed(f"The data in {data_dir} is in use by process {pid}: stop it or choose another folder.")
