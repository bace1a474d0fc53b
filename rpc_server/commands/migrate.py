"""`migrate`: bring the database to the newest schema."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rpc_server.commands.failure import sentences
from rpc_server.commands.owner import ADOPTED, bring_up_to_date, owner_connection, owner_url
from rpc_server.settings import Settings


class Adoptable(StrEnum):
    """The CRMs whose databases can be adopted; each is a folder in sql/adopt."""

    VENTROS = "ventros"


def migrate(
    adopt: Annotated[
        Adoptable | None,
        typer.Option(help="The CRM whose database this is already; its tables stay as they are. Unset: ours."),
    ] = None,
) -> None:
    """Bring the database to the newest schema and let the server's login use it.

    Uses DATABASE_OWNER_URL (a login that owns the database and may create roles), else
    DATABASE_URL. Running it again does nothing; several at the same time wait for each other.
    """
    with sentences():
        settings = Settings()
        applied = asyncio.run(_migrate(settings, None if adopt is None else ADOPTED / adopt))
        typer.echo(f"{applied} migrations applied." if applied else "The database is up to date.")


async def _migrate(settings: Settings, source: Path | None) -> int:
    server_url = settings.database_url.get_secret_value() if settings.database_url else None
    async with owner_connection(owner_url(settings)) as connection:
        return await bring_up_to_date(connection, server_url, source)
