"""Secrets out of files, as containers hand them over: NAME_FILE names the file that holds NAME."""

from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

MAX_BYTES = 64 * 1024


class SettingsRefused(Exception):
    """What is set cannot be right; the message says to its operator what is wrong and what to set instead."""


class SecretFiles(EnvSettingsSource):
    """Reads each secret NAME whose file is named by the variable NAME_FILE; nothing else can be given so."""

    def __call__(self) -> dict[str, Any]:
        """Return the secrets that are kept in files; raises SettingsRefused where one cannot be had."""
        return {name: self._read(name) for name in secret_names(self.settings_cls.model_fields) if self._path(name)}

    def _path(self, name: str) -> str | None:
        return self.env_vars.get(f"{name}_file")

    def _read(self, name: str) -> str:
        variable = name.upper()
        if self.env_vars.get(name):
            raise SettingsRefused(f"{variable} and {variable}_FILE are both set: unset one of them.")
        return read_secret(Path(self._path(name) or ""), f"{variable}_FILE")


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
