"""`tools`: what the server offers."""

import json
from typing import Annotated

import typer

from handlers import CATALOG
from rpc_server.protocol.tool_shapes import listed


def tools(
    as_json: Annotated[bool, typer.Option("--json", help="Print what tools/list says, schemas included.")] = False,
) -> None:
    """List the tools with the permission that each needs."""
    if as_json:
        typer.echo(json.dumps([listed(tool) for tool in CATALOG.values()], indent=2, ensure_ascii=False))
        return
    for tool in CATALOG.values():
        typer.echo(f"{tool.name}  ({', '.join(sorted(tool.permissions))})\n    {tool.description.splitlines()[0]}")
