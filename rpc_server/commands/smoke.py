"""`smoke`: ask a running server one thing of each kind, and say what works."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import aiohttp
import typer

from rpc_server.commands.failure import CommandFailed, sentences
from rpc_server.commands.secret import development_tokens
from rpc_server.commands.smoke_checks import CALL_SECONDS, CheckFailed, Checks, NothingToTry, session
from rpc_server.secret_files import read_secret
from rpc_server.settings import Settings

_LIFETIME = timedelta(minutes=10)


def smoke(
    url: Annotated[str, typer.Option(help="The server's address, as http://127.0.0.1:8081.")],
    token: Annotated[
        str | None, typer.Option(envvar="TOKEN", help="A token; unset, one is signed with JWT_SECRET.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="The file that holds the token.")] = None,
    tenant: Annotated[str, typer.Option(help="The tenant that a token is signed for.")] = "aurora",
) -> None:
    """Ask a running server one thing of each kind: a read, a write as a dry run, a stream to its end, MCP.

    Changes nothing but the tenant's audit trail, which tells of the dry run. Without a token it signs
    one with JWT_SECRET, or with the secret that 'serve --dev' keeps. Exit status 1 where anything
    fails; what a tenant without data cannot show is left out.
    """
    with sentences():
        bearer = _token(token, token_file, tenant)
        if asyncio.run(_all_well(_address(url), bearer)):
            return
        raise CommandFailed("The server does not do all that it should.")


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise CommandFailed(f"--url is {url!r}; it must be like http://127.0.0.1:8081.")
    return url.rstrip("/")


def _token(token: str | None, token_file: Path | None, tenant: str) -> str:
    if token and token_file:
        raise CommandFailed("Give --token or --token-file, not both.")
    given = read_secret(token_file, "--token-file") if token_file else token
    return (given or development_tokens(Settings(), make=False).sign(tenant, "smoke", ["*"], _LIFETIME)).strip()


async def _all_well(url: str, token: str) -> bool:
    """Make all checks and print a line for each; without life, the others are not tried."""
    async with session() as http:
        checks = Checks(http, url, token).all()
        results = [await _made(*checks[0])]
        if results[0]:
            results += [await _made(*check) for check in checks[1:]]
    return all(results)


async def _made(name: str, check: Callable[[], Awaitable[str]]) -> bool:
    """Make a check, print how it went, and return whether it did not fail."""
    began = time.perf_counter()
    mark, well = "✗", False
    try:
        told = await check()
        mark, well = "✓", True
    except NothingToTry as nothing:
        mark, told, well = "–", f"left out: {nothing}", True
    except CheckFailed as failed:
        told = str(failed)
    except TimeoutError:
        told = f"no answer within {CALL_SECONDS:.0f} s"
    except (aiohttp.ClientError, OSError) as error:
        told = f"no answer: {error}"
    except (KeyError, TypeError, ValueError) as error:
        told = f"an answer of another shape ({type(error).__name__}: {error})"
    milliseconds = (time.perf_counter() - began) * 1000
    typer.echo(f"{mark} {name:<22} {milliseconds:8.0f} ms  {told}")
    return well
