"""Bearer tokens: from a JWT to a caller, and for development the other way round."""

from datetime import UTC, datetime, timedelta
from typing import Any

from jose import jwt
from jose.exceptions import ExpiredSignatureError, JOSEError

from rpc_server.contract.caller import Caller

ALGORITHM = "HS256"
CLOCK_SKEW_SECONDS = 30
MAX_TOKEN_LENGTH = 8192
MAX_ID_LENGTH = 512
MIN_SECRET_BYTES = 32


class TokenRefused(Exception):
    """The token does not say who calls; the message is a sentence for its holder."""


class Tokens:
    """Signs and verifies tokens of one shared secret (HS256).

    The secret has at least 32 bytes, else ValueError: a shorter one can be guessed.
    """

    def __init__(self, secret: str) -> None:
        if len(secret.encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"JWT_SECRET must have at least {MIN_SECRET_BYTES} bytes; it has {len(secret.encode())}")
        self._secret = secret

    def sign(self, tenant_id: str, user_id: str, permissions: list[str], lifetime: timedelta) -> str:
        """Return a token for development."""
        now = datetime.now(UTC)
        claims = {"tenant_id": tenant_id, "user_id": user_id, "permissions": permissions}
        return jwt.encode({**claims, "iat": now, "exp": now + lifetime}, self._secret, algorithm=ALGORITHM)

    def verify(self, token: str) -> Caller:
        """Return who holds *token*; raises TokenRefused with a sentence that leaks nothing."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenRefused(f"The token is longer than {MAX_TOKEN_LENGTH} characters.")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                # Pinned: a token must never choose how it is checked.
                algorithms=[ALGORITHM],
                options={"require_exp": True, "leeway": CLOCK_SKEW_SECONDS, "verify_aud": False},
            )
        except ExpiredSignatureError:
            raise TokenRefused("The token has expired.") from None
        except (JOSEError, ValueError, TypeError, OverflowError, AttributeError, KeyError):
            # python-jose lets a few of Python's own errors through on malformed claims.
            raise TokenRefused("The token is not a valid JWT of this server.") from None
        return Caller(
            tenant_id=_identity(claims, "tenant_id"),
            user_id=_identity(claims, "user_id", "sub"),
            permissions=frozenset(_permissions(claims)),
        )


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
