"""`tenant`: read and change a tenant's settings."""

import asyncio
import json
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from handlers.tenants import TenantSettings
from rpc_server.commands.failure import CommandFailed, sentences
from rpc_server.commands.owner import owner_connection, owner_url
from rpc_server.settings import Settings

commands = typer.Typer(no_args_is_help=True, help="Read and change a tenant's settings.")

Tenant = Annotated[str, typer.Option(help="The tenant's id.")]


@commands.command()
def show(tenant: Tenant) -> None:
    """Show a tenant's settings, each with its meaning; those it has not set have their default."""
    with sentences():
        stored = asyncio.run(_read(tenant))
        settings = TenantSettings.model_validate(stored)
        for name, field in TenantSettings.model_fields.items():
            value = json.dumps(getattr(settings, name), ensure_ascii=False)
            mark = "" if name in stored else "  (default)"
            typer.echo(f"{name} = {value}{mark}\n    {field.description}")


@commands.command("set")
def change(
    tenant: Tenant,
    assignments: Annotated[list[str], typer.Argument(metavar="KEY=VALUE…", help="An empty value: the default again.")],
) -> None:
    """Change settings of a tenant, such as time_zone=America/Recife 'won_stage_names=["Pago"]'."""
    with sentences():
        changes = dict(_parsed(assignment) for assignment in assignments)
        asyncio.run(_write(tenant, changes))
        typer.echo(f"Tenant {tenant}: {', '.join(changes)} changed.")


def _parsed(assignment: str) -> tuple[str, Any]:
    key, equals, text = assignment.partition("=")
    if not equals or key not in TenantSettings.model_fields:
        known = ", ".join(TenantSettings.model_fields)
        raise CommandFailed(f"{assignment!r} is not KEY=VALUE with one of the keys {known}.")
    if not text:
        return key, None
    try:
        return key, json.loads(text)
    except ValueError:
        return key, text


async def _read(tenant: str) -> dict[str, Any]:
    async with owner_connection(owner_url(Settings())) as connection:
        rows = await connection.fetch("select key, value from mcp_store.tenant_settings where tenant_id = $1", tenant)
        return {row["key"]: json.loads(row["value"]) for row in rows}


async def _write(tenant: str, changes: dict[str, Any]) -> None:
    kept = {key: value for key, value in changes.items() if value is not None}
    try:
        TenantSettings.model_validate(kept)
    except ValidationError as error:
        detail = error.errors()[0]
        raise CommandFailed(f"{detail['loc'][0]}: {detail['msg']}.") from None
    async with owner_connection(owner_url(Settings())) as connection, connection.transaction():
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
