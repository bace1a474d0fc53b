"""How a command fails: one sentence on standard error, exit status 1, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer
from pydantic import ValidationError

from rpc_server.backends.embedded_postgres import PostgresFailed, PostgresNotFound
from rpc_server.backends.migrations import MigrationFailed
from rpc_server.secret_files import SettingsRefused


class CommandFailed(Exception):
    """The command cannot do what was asked; the message says why and what to do."""


@contextmanager
def sentences() -> Iterator[None]:
    """Turn what is expected to go wrong into a sentence for the operator."""
    try:
        yield
    except (CommandFailed, MigrationFailed, PostgresFailed, PostgresNotFound, SettingsRefused) as error:
        _fail(str(error))
    except ValidationError as error:
        for detail in error.errors():
            problem = detail["msg"].removeprefix("Value error, ")
            typer.secho(f"{'.'.join(map(str, detail['loc'])).upper()}: {problem}.", err=True)
        raise typer.Exit(1) from None
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        _fail(f"The database lacks tables: {error}. Run 'python -m rpc_server migrate' first.")
    except asyncpg.InsufficientPrivilegeError as error:
        _fail(f"PostgreSQL refuses: {error}. DATABASE_OWNER_URL needs a login that owns the database.")
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _fail(f"PostgreSQL did not do it: {error}.")
    except OSError as error:
        _fail(f"{error.filename or 'The system'}: {error.strerror or error}.")


def _fail(sentence: str) -> None:
    typer.secho(sentence, err=True, fg="red")
    raise typer.Exit(1)
