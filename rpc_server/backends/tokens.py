"""Tokens of one shared secret, signed and verified: for development, and for scripts beside the server."""

from datetime import UTC, datetime, timedelta
from typing import Any

from jose import jws

from rpc_server.backends.claims import Rules, placed
from rpc_server.backends.keys import HS256, KeyRefused, OneKey, secret_key
from rpc_server.backends.verifier import Issuer, Verifier
from rpc_server.contract.caller import Caller
from rpc_server.secret_files import SettingsRefused

_ANYTHING = Rules()


class Tokens:
    """Signs tokens with JWT_SECRET, and verifies them as a server with that secret does.

    Raises SettingsRefused for a secret that can be guessed.
    """

    def __init__(self, secret: str, rules: Rules = _ANYTHING) -> None:
        try:
            self._key = secret_key(secret)
        except KeyRefused as refused:
            raise SettingsRefused(f"JWT_SECRET {refused}. A good one: openssl rand -hex 32.") from None
        self._rules = rules
        self._verifier = Verifier([Issuer(rules, frozenset({HS256}), OneKey(self._key))])

    def sign(self, tenant_id: str, user_id: str, permissions: list[str], lifetime: timedelta) -> str:
        """Return a token for development."""
        now = datetime.now(UTC)
        claims: dict[str, Any] = {
            "user_id": user_id,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
        }
        if self._rules.issuer is not None:
            claims["iss"] = self._rules.issuer
        if self._rules.audiences:
            claims["aud"] = sorted(self._rules.audiences)[0]
        placed(claims, self._rules.tenant_claim, tenant_id)
        placed(claims, self._rules.permissions_claim, permissions)
        return jws.sign(claims, self._key.jose, algorithm=HS256)

    def verify(self, token: str) -> Caller:
        """Return who holds *token*; raises TokenRefused."""
        return self._verifier.verify(token)
