"""An issuer's set of keys (JWKS, RFC 7517): what of it can be used, and how it is kept fresh."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson
import structlog
from jose import jwk

from rpc_server.backends.bounded_http import AnswerTooLarge, bounded_session
from rpc_server.backends.keys import ES256, MALFORMED, RS256, Key, KeyRefused, KeySet, public_key

_MOST_BYTES: Final = 256 * 1024
_MOST_KEYS: Final = 100
_MOST_KID: Final = 512

logger = structlog.get_logger("identity")


class KeysUnavailable(Exception):
    """The issuer's keys cannot be had now, so nobody can tell whether the token is good; in seconds it may be."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("The keys of the token's issuer cannot be had at the moment. Come again in a while.")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an issuer is asked, in seconds."""

    refresh: float = 300.0
    after_failure: float = 30.0
    # Between two questions that tokens with unknown keys give rise to: anybody can make up such tokens.
    unknown: float = 10.0
    answer: float = 5.0
    # Keys outlive an issuer that is down, but not for ever: it may be down because they were stolen.
    stale: float = 86_400.0


class RemoteKeys:
    """The keys behind a URL: fetched beside the requests, and kept while the issuer is down.

    A key that is not known yet is asked for at once, but not more often than the pace allows; who needs
    it meanwhile shares the answer.
    """

    def __init__(
        self, url: str, issuer: str, *, pace: Pace = Pace(), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """*issuer* is what the log calls it."""
        self.version = 0
        self._url = url
        self._pace = pace
        self._clock = clock
        self._log = logger.bind(issuer=issuer)
        self._keys = KeySet()
        self._fetched = 0.0
        self._asked = float("-inf")
        self._fault: str | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "RemoteKeys":
        """Begin to fetch; nobody waits for it before there is a token to verify."""
        self._session = bounded_session(connections=1)
        self._refreshing = asyncio.create_task(self._refresh())
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Stop fetching."""
        for task in (self._refreshing, self._fetching):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._session is not None:
            await self._session.close()

    def find(self, algorithm: str, kid: str | None) -> Key | None:
        """Return the key of a token with this header, if it is known."""
        self._drop_what_is_too_old()
        return self._keys.find(algorithm, kid)

    async def renewed(self) -> bool:
        """Ask the issuer for keys that are not known yet; False: it has been asked just now.

        Raises KeysUnavailable where it does not answer, for then the key may be good all the same.
        """
        if self._fetching is None:
            if self._clock() < self._asked + self._pace.unknown:
                self._check_available()
                return False
            self._asked = self._clock()
        await self._fetch()
        self._check_available()
        return True

    def _check_available(self) -> None:
        if self._fault is not None:
            raise KeysUnavailable(max(1, round(self._pace.unknown)))

    def _drop_what_is_too_old(self) -> None:
        if self._keys.keys and self._clock() > self._fetched + self._pace.stale:
            self._take(KeySet())

    async def _refresh(self) -> None:
        while True:
            await self._fetch()
            await asyncio.sleep(self._pace.refresh if self._fault is None else self._pace.after_failure)

    async def _fetch(self) -> None:
        """Fetch, or wait for who is at it already; whoever stops waiting leaves the others their answer."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_once())
        await asyncio.shield(self._fetching)

    async def _fetch_once(self) -> None:
        try:
            self._take(read_jwks(await self._document()))
        except KeyRefused as refused:
            self._failed(str(refused))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next question may succeed
            self._failed(f"no answer ({type(error).__name__})")
        else:
            self._succeeded()
        finally:
            self._fetching = None

    async def _document(self) -> bytes:
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(total=self._pace.answer)
        # Whoever could redirect it could also have it answered over plain HTTP.
        async with self._session.get(self._url, timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise KeyRefused(f"answers with status {response.status}")
            document = await response.read()
        if len(document) > _MOST_BYTES:
            raise AnswerTooLarge
        return document

    def _take(self, keys: KeySet) -> None:
        if keys.keys != self._keys.keys:
            self.version += 1
            self._log.info("issuer keys changed", keys=len(keys.keys))
        self._keys = keys

    def _succeeded(self) -> None:
        self._fetched = self._clock()
        if self._fault is not None:
            self._log.info("issuer keys available again")
        self._fault = None

    def _failed(self, fault: str) -> None:
        if self._fault is None:
            self._log.warning("issuer keys unavailable", reason=fault, known=len(self._keys.keys))
        self._fault = fault


def read_jwks(document: bytes) -> KeySet:
    """Return the keys of a JWKS (RFC 7517) that can be used; raises KeyRefused where there are none.

    What is there for other purposes or algorithms is passed over.
    """
    try:
        content = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise KeyRefused("is not JSON") from None
    entries = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(entries, list) or len(entries) > _MOST_KEYS:
        raise KeyRefused(f"has no list of at most {_MOST_KEYS} keys")
    found = KeySet(key for entry in entries if (key := _usable(entry)) is not None)
    if not found.keys:
        raise KeyRefused(f"has no key of {RS256} or {ES256} to verify signatures with")
    return found


def _usable(entry: Any) -> Key | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    operations, kid = entry.get("key_ops", ["verify"]), entry.get("kid")
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    if kid is not None and not (isinstance(kid, str) and len(kid) <= _MOST_KID):
        return None
    try:
        key = public_key(_parsed(entry), kid)
    except (KeyRefused, *MALFORMED):
        return None
    return key if entry.get("alg", key.algorithm) == key.algorithm else None


def _parsed(entry: Mapping[str, Any]) -> object:
    """Return the public key in a JWK; its private half, where somebody published that, is not looked at."""
    members, algorithm = (("kty", "n", "e"), RS256) if entry["kty"] == "RSA" else (("kty", "crv", "x", "y"), ES256)
    parts = {name: entry[name] for name in members}
    if not all(isinstance(part, str) for part in parts.values()):
        raise KeyRefused("is malformed")
    return getattr(jwk.construct(parts, algorithm), "prepared_key", None)
