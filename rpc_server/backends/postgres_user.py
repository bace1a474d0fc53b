"""The operating-system user that PostgreSQL runs as; it refuses to be root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rpc_server.backends.postgres_binaries import Binaries


class PostgresFailed(Exception):
    """PostgreSQL did not start; the message says why, and what to do about it."""


@dataclass(frozen=True)
class PostgresUser:
    """How to become the user PostgreSQL runs as, and which user its files then belong to."""

    owner: int
    group: int
    prefix: tuple[str, ...] = ()  # put in front of a command
    switched: bool = False  # True: the kernel changes to `owner` for good, before the command

    def popen(self, command: list[str], *, lock: int | None = None, **options: object) -> "subprocess.Popen[bytes]":
        """Start a command as this user; `lock` is a file descriptor that it inherits."""
        if self.switched:
            options |= {"user": self.owner, "group": self.group, "extra_groups": []}
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # noqa: S603
            [*self.prefix, *command], env=_environment(), pass_fds=() if lock is None else (lock,), **options
        )

    def give(self, directory: Path) -> None:
        """Make one of our own new folders theirs."""
        if self.switched:
            os.chown(directory, self.owner, self.group)


def choose_user(binaries: Binaries, folder: Path) -> PostgresUser:
    """Choose whom to run PostgreSQL as, so that it starts and reaches its programs and `folder`.

    A plain user stays who they are. For root it is a user namespace, in which root's own files appear
    to belong to a plain user, so that no permission has to be widened; else the user `nobody`.
    Raises PostgresFailed when neither works.
    """
    here = PostgresUser(os.geteuid(), os.getegid())
    if here.owner != 0 and _has_account(here.owner):
        return here
    for user in _stand_ins(here):
        if _reaches(user, binaries, folder):
            return user
    if here.owner != 0:
        return here  # Without an account only initdb fails, and says so itself.
    raise PostgresFailed(
        f"PostgreSQL does not run as root, and neither a user namespace nor the user nobody could reach both "
        f"{binaries.directory} and {folder}: run this as a plain user, "
        "or set DATABASE_URL to a server of your own."
    )


def _stand_ins(here: PostgresUser) -> Iterator[PostgresUser]:
    try:
        nobody = pwd.getpwnam("nobody")  # initdb insists on a user that has a name
    except KeyError:
        return
    unshare = shutil.which("unshare")
    if unshare is not None:
        mapping = (f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
        yield PostgresUser(here.owner, here.group, prefix=(unshare, "--user", *mapping))
    if here.owner == 0:
        yield PostgresUser(nobody.pw_uid, nobody.pw_gid, switched=True)


def _reaches(user: PostgresUser, binaries: Binaries, folder: Path) -> bool:
    probe = [
        "sh",
        "-c",
        'cd "$1" && exec "$2" --version',
        "sh",
        str(folder),
        str(binaries.directory / "postgres"),
    ]
    quiet = subprocess.DEVNULL
    try:
        return user.popen(probe, stdin=quiet, stdout=quiet, stderr=quiet).wait(timeout=10) == 0
    except (OSError, subprocess.SubprocessError):
        return False


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _environment() -> dict[str, str]:
    # PGPORT and its like would change the server's defaults; LC_ALL keeps the messages in one language
    # and keeps macOS from starting threads in the postmaster.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}
