"""Sessions that any replica can serve: all there is to know of one is sealed in its id.

The id is AES-GCM over version, time of issue and chance, with the caller as associated data: whoever
else presents it holds nothing, and cannot even learn whether it is real.
"""

import base64
import binascii
import hashlib
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rpc_server.contract.caller import Caller
from rpc_server.protocol.versions import VERSIONS, Version

MIN_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SEALED: Final = struct.Struct(">10sQ")  # the version's name, milliseconds since 1970
_LONGEST_ID: Final = 128
_MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Session:
    """A session of one caller; *expires* is in seconds since 1970."""

    id: str
    version: Version
    expires: float


class SessionSeal:
    """Makes and reads the ids of sessions that last *seconds*; processes with one *secret* read each other's."""

    def __init__(self, secret: bytes, seconds: float, clock: Callable[[], float]) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ValueError(f"SESSION_SECRET must have at least {MIN_SECRET_BYTES} bytes; it has {len(secret)}")
        key = HKDF(SHA256(), length=32, salt=None, info=b"crm-mcp session id").derive(secret)
        self._cipher = AESGCM(key)
        self._seconds = seconds
        self._clock = clock
        # A session's requests all bear its id, and opening it takes longer than reading the request.
        self._opened = lru_cache(maxsize=_MOST_REMEMBERED)(self._open)

    def begin(self, version: Version, caller: Caller) -> Session:
        """Return a new session of *caller*."""
        now = self._clock()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, _SEALED.pack(version.name.encode(), int(now * 1000)), _identity(caller))
        id = base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")
        return Session(id, version, now + self._seconds)

    def read(self, id: str, caller: Caller) -> Session | None:
        """Return the session of that id; None where it is over, is another caller's or never was."""
        if len(id) > _LONGEST_ID or not id.isascii():
            return None
        session = self._opened(id, caller)
        return None if session is None or session.expires <= self._clock() else session

    def _open(self, id: str, caller: Caller) -> Session | None:
        """Return what is sealed in an id, whether it is over or not: the same each time."""
        try:
            raw = base64.b64decode(id + "=" * (-len(id) % 4), altchars=b"-_", validate=True)
            opened = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _identity(caller))
        except (InvalidTag, ValueError, binascii.Error):
            return None
        name, issued = _SEALED.unpack(opened)
        expires = issued / 1000 + self._seconds
        version = VERSIONS.get(name.decode())
        return None if version is None else Session(_canonical(raw), version, expires)


def _canonical(raw: bytes) -> str:
    """Return the one way to write an id: a last character may have bits that mean nothing."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _identity(caller: Caller) -> bytes:
    """Return who calls, so that no two callers look alike; surrogates cannot be in a token, but may not raise here."""
    tenant, user = (part.encode(errors="surrogatepass") for part in (caller.tenant_id, caller.user_id))
    return hashlib.sha256(struct.pack(">Q", len(tenant)) + tenant + user).digest()
