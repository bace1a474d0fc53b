"""A query is a file under sql/: its name, its text as it stands, its parameters by name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

SQL_FOLDER = Path(__file__).resolve().parents[2] / "sql"
_PARAMETER = re.compile(r"^--\s+\$(\d+)\s+(\w+)", re.MULTILINE)

_PLANNED_ANEW = "\n-- Planned anew each time"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """One statement, sent to PostgreSQL exactly as written in its file."""

    name: str
    text: str
    parameters: tuple[str, ...]
    # By a line of its file: a plan for each set of parameters, where most of them are left out most of the time.
    planned_anew: bool = False

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of `$1…$n`; a missing or unknown name is a TypeError."""
        bound = [values[name] for name in self.parameters if name in values]
        if not len(bound) == len(values) == len(self.parameters):
            raise TypeError(f"{self.name} takes {', '.join(self.parameters)}; got {', '.join(values)}")
        return bound


def query(name: str, folder: Path = SQL_FOLDER) -> Query:
    """Read the query *name* ("family/verb") from its file; a missing file or a gap in `$1…$n` is a ValueError."""
    path = folder / f"{name}.sql"
    if not path.is_file():
        raise ValueError(f"no SQL file for the query {name!r}: {path} is missing")
    text = path.read_text(encoding="utf-8")
    if not text.startswith("-- "):
        raise ValueError(f"{path} needs a header comment that says what it answers")
    declared = _PARAMETER.findall(text)
    if [int(number) for number, _ in declared] != list(range(1, len(declared) + 1)):
        raise ValueError(f"{path} must declare its parameters in order, as '-- $1 name type'")
    statement = re.sub(r"--.*", "", text)
    used = {int(number) for number in re.findall(r"\$(\d+)", statement)}
    if used != set(range(1, len(declared) + 1)):
        raise ValueError(f"{path} declares {len(declared)} parameters and uses {sorted(used)}")
    return Query(name, text, tuple(parameter for _, parameter in declared), _PLANNED_ANEW in text)


def query_names(folder: Path = SQL_FOLDER) -> list[str]:
    """Return the names of all queries; a migration's file begins with its number."""
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("[a-z]*.sql"))


class Database(Protocol):
    """The CRM as one tenant sees it, in one snapshot that lasts as long as the call."""

    async def all(self, query: Query, /, **parameters: Any) -> Sequence[Row]:
        """Return all rows; DependencyUnavailable or DeadlineExceeded where PostgreSQL does not answer."""
        ...

    async def first(self, query: Query, /, **parameters: Any) -> Row | None:
        """Return the first row, or None where there is none."""
        ...

    async def release(self) -> None:
        """Give the connection back before long work without the CRM; the next query sees a new moment."""
        ...


class WritableDatabase(Database, Protocol):
    """The CRM as one tenant may change it, in one transaction that its opener commits."""

    async def mark(self) -> None:
        """Mark the point to which `undo` goes back."""
        ...

    async def undo(self) -> None:
        """Undo everything since `mark`."""
        ...

    async def commit(self) -> None:
        """Make the changes last; DependencyUnavailable where nobody knows whether they do."""
        ...


class TransactionLost(Exception):
    """The transaction lost against another one and left nothing behind; it may be run again."""
