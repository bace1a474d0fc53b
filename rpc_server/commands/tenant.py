"""`tenant`: read and change a tenant's settings."""

import asyncio
import json
from contextlib import suppress
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from handlers.tenants import TenantSettings
from rpc_server.commands.cached import changing
from rpc_server.commands.failure import CommandFailed, sentences
from rpc_server.commands.owner import owner_connection, owner_url
from rpc_server.settings import Settings

commands = typer.Typer(no_args_is_help=True, help="Read and change a tenant's settings.")

Tenant = Annotated[str, typer.Option(help="The tenant's id.")]


@commands.command()
def show(tenant: Tenant) -> None:
    """Show a tenant's settings, each with its meaning; those it has not set have their default.

    Uses DATABASE_OWNER_URL, else DATABASE_URL, else the database of a running 'serve --dev'.
    """
    with sentences():
        stored = asyncio.run(_read(tenant))
        for name, field in TenantSettings.model_fields.items():
            mark = "" if name in stored else "  (default)"
            value = stored.get(name, field.default)
            try:
                TenantSettings.model_validate({name: value})
            except ValidationError:
                mark = f"  (does not fit; {json.dumps(field.default)} counts)"
            typer.echo(f"{name} = {json.dumps(value, ensure_ascii=False)}{mark}\n    {field.description}")


@commands.command("set")
def change(
    tenant: Tenant,
    assignments: Annotated[list[str], typer.Argument(metavar="KEY=VALUE…", help="An empty value: the default again.")],
) -> None:
    """Change settings of a tenant, such as time_zone=America/Recife 'won_stage_names=["Pago"]'.

    All of them or none. 'show' lists the keys. Servers may answer from their cache for up to 5 minutes
    more, unless it is in Redis and REDIS_URL is set here too. Uses DATABASE_OWNER_URL, else
    DATABASE_URL, else the database of a running 'serve --dev'.
    """
    with sentences():
        changes = dict(_parsed(assignment) for assignment in assignments)
        asyncio.run(_change(Settings(), tenant, changes))
        typer.echo(f"Tenant {tenant}: {', '.join(changes)} changed.")


def _parsed(assignment: str) -> tuple[str, Any]:
    key, equals, text = assignment.partition("=")
    if not equals or key not in TenantSettings.model_fields:
        known = ", ".join(TenantSettings.model_fields)
        raise CommandFailed(f"{assignment!r} is not KEY=VALUE with one of the keys {known}.")
    return key, _value(key, text) if text else None


def _value(key: str, text: str) -> Any:
    """Read *text* as JSON, or where that does not fit, as the text that it is."""
    with suppress(ValueError):
        return _fitting(key, json.loads(text))
    try:
        return _fitting(key, text)
    except ValidationError as error:
        detail = error.errors()[0]
        raise CommandFailed(f"{key}: {detail['msg'].removeprefix('Value error, ')}.") from None


def _fitting(key: str, value: Any) -> Any:
    return TenantSettings.model_validate({key: value}).model_dump(mode="json")[key]


async def _read(tenant: str) -> dict[str, Any]:
    async with owner_connection(owner_url(Settings())) as connection:
        rows = await connection.fetch("select key, value from mcp_store.tenant_settings where tenant_id = $1", tenant)
        return {row["key"]: json.loads(row["value"]) for row in rows}


async def _change(settings: Settings, tenant: str, changes: dict[str, Any]) -> None:
    async with changing(settings, tenant):
        await _write(owner_url(settings), tenant, changes)


async def _write(url: str, tenant: str, changes: dict[str, Any]) -> None:
    async with owner_connection(url) as connection, connection.transaction():
        for key, value in changes.items():
            await connection.execute(
                "delete from mcp_store.tenant_settings where tenant_id = $1 and key = $2", tenant, key
            )
            if value is not None:
                await connection.execute(
                    "insert into mcp_store.tenant_settings (tenant_id, key, value) values ($1, $2, $3)",
                    tenant,
                    key,
                    json.dumps(value),
                )
