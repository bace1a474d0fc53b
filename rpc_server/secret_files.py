"""Secrets out of files, as containers hand them over: NAME_FILE names the file that holds NAME."""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

MAX_BYTES = 64 * 1024


class SettingsRefused(Exception):
    """What is set cannot be right; the message says to its operator what is wrong and what to set instead."""


def read_secrets(fields: dict[str, FieldInfo], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that are kept in files, which *variables*, by lower-case names, tell.

    Raises SettingsRefused where one cannot be had, or is set as well.
    """
    return {name: _read(name, variables) for name in secret_names(fields) if f"{name}_file" in variables}


def _read(name: str, variables: Mapping[str, str]) -> str:
    variable = name.upper()
    if name in variables:
        raise SettingsRefused(f"{variable} and {variable}_FILE are both set: unset one of them.")
    return read_secret(Path(variables[f"{name}_file"]), f"{variable}_FILE")


def secret_names(fields: dict[str, FieldInfo]) -> list[str]:
    """Return the names of the settings that are secrets."""
    return [name for name, field in fields.items() if SecretStr in (field.annotation, *get_args(field.annotation))]


def read_secret(path: Path, variable: str) -> str:
    """Return what the file holds, without the line break at its end; raises SettingsRefused under *variable*."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        secret = content.decode().rstrip("\r\n")
    except OSError as error:
        raise SettingsRefused(f"{variable}: {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsRefused(f"{variable}: {path} does not hold text; write the secret as text.") from None
    if not secret or len(content) > MAX_BYTES:
        raise SettingsRefused(f"{variable}: {path} must hold 1 to {MAX_BYTES} bytes; it holds {len(content)}.")
    return secret
