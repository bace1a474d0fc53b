"""`token`: sign a development token."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from rpc_server.backends.claims import TokenRefused
from rpc_server.commands.failure import CommandFailed, sentences
from rpc_server.commands.secret import development_tokens
from rpc_server.settings import Settings

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def token(
    tenant: Annotated[str, typer.Option(help="The tenant that the token's holder belongs to.")],
    user: Annotated[str, typer.Option(help="Who holds the token.")] = "developer",
    permission: Annotated[
        list[str] | None, typer.Option(help="A permission such as analytics.view; may be repeated; all without it.")
    ] = None,
    expires: Annotated[str, typer.Option(help="How long it is valid, as 30m, 24h or 7d.")] = "24h",
) -> None:
    """Sign a token for development with JWT_SECRET, or with the secret that 'serve --dev' keeps.

    Prints nothing but the token: TOKEN=$(python -m rpc_server token --tenant demo).
    """
    with sentences():
        tokens = development_tokens(Settings(), make=False)
        signed = tokens.sign(tenant, user, permission or ["*"], _lifetime(expires))
        try:
            tokens.verify(signed)
        except TokenRefused as refused:
            raise CommandFailed(f"The server would refuse it: {refused}") from None
        typer.echo(signed)


def _lifetime(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if match is None:
        raise CommandFailed(f"--expires is {text!r}; it must be like 30m, 24h or 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
