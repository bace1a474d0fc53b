"""From a bearer token to its caller: the issuers that are trusted, and what they have just been asked."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from jose import jws
from jose.exceptions import JOSEError

from rpc_server.backends.claims import Rules, TokenRefused, caller_of
from rpc_server.backends.jwks import RemoteKeys
from rpc_server.backends.keys import Keys
from rpc_server.contract.caller import Caller
from rpc_server.protocol.json_body import nests_deeper

MAX_TOKEN_LENGTH = 8000  # less than a header may hold, so that the holder of a longer one is told why
MAX_DEPTH = 32
REMEMBERED_SECONDS = 60.0
MOST_REMEMBERED = 4096
# python-jose passes over what is no base64url, and over dots beyond the second.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")
# RFC 8725, 3.11: a token that says it is for something else (a log-out, an event) is not for this.
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
# python-jose lets a few of Python's own errors through on malformed and on deeply nested parts.
_MALFORMED: Final = (JOSEError, ValueError, TypeError, AttributeError, KeyError, RecursionError)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who may issue tokens: what they must say, the only algorithms that count, and the keys."""

    rules: Rules
    algorithms: frozenset[str]
    keys: Keys = field(repr=False)


class UnknownKey(TokenRefused):
    """The token is of a key that is not known; where *keys* are fetched, they may be there now."""

    def __init__(self, keys: Keys) -> None:
        super().__init__("The token is of a key that its issuer does not have.", "key")
        self.keys = keys


class Proof(NamedTuple):
    """What was found of a token; it counts from *since* until *until*, and with its issuer's keys as they were."""

    caller: Caller
    since: float
    until: float
    keys: Keys
    version: int

    def holds(self, now: float) -> bool:
        """Tell whether it still counts."""
        # Before it was found: the clock was set back, and nobody can tell how long it has been known.
        return self.since <= now < self.until and self.version == self.keys.version


class Verifier:
    """Verifies tokens of the issuers it is given; several must all have names.

    What was verified is remembered for a minute at most: not beyond the token's exp, and not over a
    change of its issuer's keys.
    """

    def __init__(self, issuers: Sequence[Issuer], *, clock: Callable[[], float] = time.time) -> None:
        self._issuers = {issuer.rules.issuer: issuer for issuer in issuers}
        self._clock = clock
        self._remembered = _Memory()
        self._running = AsyncExitStack()

    async def __aenter__(self) -> "Verifier":
        """Begin to fetch keys where they are fetched."""
        for issuer in self._issuers.values():
            if isinstance(issuer.keys, RemoteKeys):
                await self._running.enter_async_context(issuer.keys)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop fetching."""
        await self._running.aclose()

    async def identify(self, token: str) -> Caller:
        """Return who holds *token*, as `verify` does; a key that is not known is asked for once.

        Raises TokenRefused, and KeysUnavailable where the issuer's keys cannot be had now.
        """
        try:
            return self.verify(token)
        except UnknownKey as unknown:
            if not (isinstance(unknown.keys, RemoteKeys) and await unknown.keys.renewed()):
                raise
        return self.verify(token)

    def verify(self, token: str) -> Caller:
        """Return who holds *token*; raises TokenRefused with a sentence that leaks nothing."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenRefused(f"The token is longer than {MAX_TOKEN_LENGTH} characters.")
        now = self._clock()
        digest = _digest(token)
        known = self._remembered.find(digest, now)
        if known is not None:
            return known.caller
        issuer, claims = self._verified(token)
        caller, expires = caller_of(claims, issuer.rules, now)
        until = min(now + REMEMBERED_SECONDS, expires)
        self._remembered.add(digest, Proof(caller, now, until, issuer.keys, issuer.keys.version))
        return caller

    def proof(self, token: str) -> Proof | None:
        """Return what is remembered of *token*, for whoever is shown it again and again."""
        return self._remembered.find(_digest(token), self._clock())

    def holds(self, proof: Proof) -> bool:
        """Tell whether what was remembered still counts."""
        return proof.holds(self._clock())

    def _verified(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        """Return the claims of a token whose signature is good, and its issuer."""
        if not _COMPACT.fullmatch(token):
            raise _invalid()
        try:
            header = jws.get_unverified_header(token)
            _check_header(header)
            issuer = self._issuer_of(token)
            algorithm = header.get("alg")
            # Pinned: a token must never choose how it is checked.
            if algorithm not in issuer.algorithms:
                raise _invalid()
            key = issuer.keys.find(algorithm, header.get("kid"))
            if key is None:
                raise UnknownKey(issuer.keys)
            claims = json.loads(jws.verify(token, key.jose, [key.algorithm]))
        except _MALFORMED:
            raise _invalid() from None
        # How deep Python itself reads depends on its version.
        if not isinstance(claims, dict) or nests_deeper(claims, MAX_DEPTH):
            raise _invalid()
        return issuer, claims

    def _issuer_of(self, token: str) -> Issuer:
        """Return the issuer that the token says it is of; `caller_of` looks again, once that is proved."""
        nameless = self._issuers.get(None)
        if nameless is not None:
            return nameless
        said = json.loads(jws.get_unverified_claims(token)).get("iss")
        issuer = self._issuers.get(said) if isinstance(said, str) else None
        if issuer is None:
            raise TokenRefused("The token's issuer (iss) is not one that this server trusts.", "issuer")
        return issuer


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _invalid() -> TokenRefused:
    return TokenRefused("The token is not a valid JWT of this server.")


def _check_header(header: dict[str, Any]) -> None:
    """Refuse what calls for more than is done here; what offers keys of its own is passed over."""
    # RFC 7515, 4.1.11: what a token calls critical must be understood, and nothing is here.
    if "crit" in header or str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise _invalid()
    if not isinstance(header.get("kid", ""), str):
        raise _invalid()


class _Memory:
    """Tokens that were verified, by their hashes; the oldest goes first, which is the first to end."""

    def __init__(self) -> None:
        self._proofs: dict[bytes, Proof] = {}

    def find(self, digest: bytes, now: float) -> Proof | None:
        """Return what was found of a token, if it still counts."""
        proof = self._proofs.get(digest)
        if proof is None or proof.holds(now):
            return proof
        del self._proofs[digest]
        return None

    def add(self, digest: bytes, proof: Proof) -> None:
        """Remember a token."""
        self._proofs[digest] = proof
        if len(self._proofs) > MOST_REMEMBERED:
            del self._proofs[next(iter(self._proofs))]
