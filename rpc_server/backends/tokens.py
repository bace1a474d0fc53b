"""Bearer tokens: from a JWT to a caller, and for development the other way round."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from jose import jwk, jwt
from jose.exceptions import JOSEError, JWKError

from rpc_server.contract.caller import Caller
from rpc_server.protocol.json_body import nests_deeper

ALGORITHM = "HS256"
CLOCK_SKEW_SECONDS = 30
MAX_TOKEN_LENGTH = 8000  # less than a header may hold, so that the holder of a longer one is told why
MAX_ID_LENGTH = 512
MIN_SECRET_BYTES = 32
MAX_DEPTH = 32
# The last second of the year 9999: a time beyond it is a mistake, and no calendar could show it.
LATEST = 253_402_300_799
# python-jose passes over what is no base64url, and over dots beyond the second.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")


class TokenRefused(Exception):
    """The token does not say who calls; the message is a sentence for its holder."""


class Tokens:
    """Signs and verifies tokens of one shared secret (HS256).

    The secret has at least 32 bytes, else ValueError: a shorter one can be guessed. Nor may it be
    a key in PEM or SSH format: the public half of such a key is no secret.
    """

    def __init__(self, secret: str) -> None:
        if len(secret.encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"JWT_SECRET must have at least {MIN_SECRET_BYTES} bytes; it has {len(secret.encode())}")
        try:
            # Made once, and as it stands: python-jose would take a secret that looks like JSON for a set of keys.
            self._key = jwk.construct(secret, ALGORITHM)
        except JWKError:
            raise ValueError("JWT_SECRET must be a random text, not a key in PEM or SSH format") from None

    def sign(self, tenant_id: str, user_id: str, permissions: list[str], lifetime: timedelta) -> str:
        """Return a token for development."""
        now = datetime.now(UTC)
        claims = {"tenant_id": tenant_id, "user_id": user_id, "permissions": permissions}
        return jwt.encode({**claims, "iat": now, "exp": now + lifetime}, self._key, algorithm=ALGORITHM)

    def verify(self, token: str) -> Caller:
        """Return who holds *token*; raises TokenRefused with a sentence that leaks nothing."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenRefused(f"The token is longer than {MAX_TOKEN_LENGTH} characters.")
        claims = self._claims(token)
        _check_times(claims, time.time())
        return Caller(
            tenant_id=_identity(claims, "tenant_id"),
            user_id=_identity(claims, "user_id", "sub"),
            permissions=frozenset(_permissions(claims)),
        )

    def _claims(self, token: str) -> dict[str, Any]:
        refused = TokenRefused("The token is not a valid JWT of this server.")
        if not _COMPACT.fullmatch(token):
            raise refused
        try:
            # RFC 7515, 4.1.11: what a token calls critical must be understood, and nothing is here.
            if "crit" in jwt.get_unverified_header(token):
                raise refused
            # Pinned: a token must never choose how it is checked. Its times are checked by `_check_times`,
            # because python-jose takes texts and booleans for numbers.
            unchecked = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM], options=unchecked)
        except (JOSEError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            # python-jose lets a few of Python's own errors through on malformed and on deeply nested parts.
            raise refused from None
        # How deep Python itself reads depends on its version.
        if nests_deeper(claims, MAX_DEPTH):
            raise refused
        return claims


def _check_times(claims: dict[str, Any], now: float) -> None:
    """Refuse a token outside its time; one that was issued in the future is taken, for that proves nothing."""
    expires, begins, _ = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is None:
        raise TokenRefused("The token has no exp: it must say when it expires.")
    if expires <= now - CLOCK_SKEW_SECONDS:
        raise TokenRefused("The token has expired.")
    if begins is not None and begins > now + CLOCK_SKEW_SECONDS:
        raise TokenRefused("The token is not valid yet (nbf).")


def _moment(claims: dict[str, Any], name: str) -> float | None:
    """Return a NumericDate of RFC 7519, or None where the claim is left out."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= LATEST:  # a bool is no number, and NaN is no time
        raise TokenRefused(f"The token's {name} must be a number of seconds since 1970.")
    return float(value)


def _identity(claims: dict[str, Any], *names: str) -> str:
    for name in names:
        value = claims.get(name)
        if value is None:
            continue
        if isinstance(value, str) and value.strip() and len(value) <= MAX_ID_LENGTH and value.isprintable():
            return value
        raise TokenRefused(f"The token's {name} must be a printable text of 1 to {MAX_ID_LENGTH} characters.")
    raise TokenRefused(f"The token has no {' or '.join(names)}.")


def _permissions(claims: dict[str, Any]) -> list[str]:
    """Return `permissions` (a list of text) or the words of OAuth's `scope`."""
    if "permissions" not in claims:
        scope = claims.get("scope", "")
        if not isinstance(scope, str):
            raise TokenRefused("The token's scope must be a text of words.")
        return scope.split()
    permissions = claims["permissions"]
    if not isinstance(permissions, list) or not all(isinstance(item, str) for item in permissions):
        raise TokenRefused("The token's permissions must be a list of text.")
    return permissions
