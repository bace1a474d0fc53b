"""The secret of development: made once, kept beside the data, readable by its owner only."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from rpc_server.backends.issuers import secret_rules
from rpc_server.backends.tokens import Tokens
from rpc_server.commands.failure import CommandFailed
from rpc_server.settings import Settings


def development_tokens(settings: Settings, *, make: bool) -> Tokens:
    """Return tokens of JWT_SECRET, else of the secret that `serve --dev` keeps, made now if *make*."""
    elsewhere = [
        name.upper() for name in ("jwt_issuers", "jwt_jwks_url", "jwt_public_key_file") if getattr(settings, name)
    ]
    if elsewhere:
        raise CommandFailed(
            f"{elsewhere[0]} is set, so tokens come from whoever it names. 'token' and 'serve --dev' sign with "
            "JWT_SECRET: unset the other, or run 'serve' without --dev."
        )
    return Tokens(development_secret(settings, make=make), secret_rules(settings))


def development_secret(settings: Settings, *, make: bool) -> str:
    """Return JWT_SECRET, else the kept secret; raises CommandFailed where there is neither."""
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value()
    path = settings.data_dir / "jwt_secret"
    if make and not path.exists():
        _make(path)
    if not path.exists():
        raise CommandFailed("Set JWT_SECRET to the server's secret, or start 'serve --dev' once, which makes one.")
    return path.read_text().strip()


def _make(path: Path) -> None:
    """Write a new secret beside *path* and link it there: it is never half there, and the first of two stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # readable by its owner only
        file.write(secrets.token_hex(32))
        file.flush()
        with suppress(FileExistsError):
            os.link(file.name, path)
