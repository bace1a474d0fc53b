"""Keys that verify tokens, and the sets in which an issuer has them.

Each key is of one algorithm, decided here and never by a token.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from jose import jwk
from jose.backends.base import Key as JoseKey
from jose.exceptions import JOSEError, JWKError

HS256, RS256, ES256 = "HS256", "RS256", "ES256"
ALGORITHMS: Final = (HS256, RS256, ES256)
MIN_SECRET_BYTES: Final = 32
_MIN_DISTINCT: Final = 10  # of 32 hexadecimal digits by chance, fewer are as good as never seen
# Larger ones are no safer, and slow.
_RSA_BITS: Final = range(2048, 8192 + 1)
# What python-jose and cryptography raise on malformed keys.
MALFORMED: Final = (JOSEError, UnsupportedAlgorithm, ValueError, TypeError, AttributeError, KeyError, OverflowError)


class KeyRefused(Exception):
    """The key is unfit to verify tokens; the message is the end of a sentence about where it came from."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of one algorithm; two are equal if they are the same key under the same id."""

    algorithm: str
    kid: str | None
    content: bytes = field(repr=False)
    jose: JoseKey = field(compare=False, repr=False)


class Keys(Protocol):
    """The keys of one issuer; *version* changes whenever they do."""

    version: int

    def find(self, algorithm: str, kid: str | None) -> Key | None:
        """Return the one key that a token with this header must be signed with."""
        ...


class OneKey:
    """A key that is the issuer's only one, whatever a token calls it."""

    version = 0

    def __init__(self, key: Key) -> None:
        self._key = key

    def find(self, algorithm: str, kid: str | None) -> Key | None:
        """Return the key, if it is of that algorithm."""
        return self._key if self._key.algorithm == algorithm else None


class KeySet:
    """Keys by their ids. An id that means two keys of an algorithm means none."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.keys = frozenset(keys)
        self._named: dict[tuple[str, str | None], Key | None] = {}
        self._single: dict[str, Key | None] = {}
        for key in self.keys:
            name = (key.algorithm, key.kid)
            self._named[name] = None if name in self._named else key
            self._single[key.algorithm] = None if key.algorithm in self._single else key

    def find(self, algorithm: str, kid: str | None) -> Key | None:
        """Return the key of that id; without an id, the only one of its algorithm."""
        return self._single.get(algorithm) if kid is None else self._named.get((algorithm, kid))


def secret_key(secret: str) -> Key:
    """Return the key of HS256; raises KeyRefused for a secret that can be guessed or is public."""
    content = secret.encode()
    if len(content) < MIN_SECRET_BYTES:
        raise KeyRefused(f"must have at least {MIN_SECRET_BYTES} bytes; it has {len(content)}")
    if len(set(secret)) < _MIN_DISTINCT:
        raise KeyRefused("must be random; it has few different characters")
    try:
        # As it stands: python-jose would take a secret that looks like JSON for a set of keys.
        key = jwk.construct(secret, HS256)
    except JWKError:
        key = None
    if key is None or _is_published(secret):
        # Its public half is known to everybody, who could sign with it.
        raise KeyRefused("must be a random text, not a key in PEM, DER, SSH or JWK format")
    return Key(HS256, None, content, key)


def _is_published(secret: str) -> bool:
    """Tell whether *secret* is a public key written as base64 or JSON."""
    try:
        document = orjson.loads(secret)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and ("kty" in document or "keys" in document):
        return True
    try:
        der = base64.b64decode("".join(secret.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    for load in (load_der_public_key, x509.load_der_x509_certificate):
        try:
            load(der)
        except Exception:  # noqa: BLE001, S112 - whatever it says, this is none
            continue
        return True
    return False


def pem_key(pem: bytes) -> Key:
    """Return the key of a PEM file: RS256 of an RSA key, ES256 of one on P-256; raises KeyRefused."""
    if b"PRIVATE KEY" in pem:
        raise KeyRefused("holds a private key; the server needs the public one only")
    try:
        if b"BEGIN CERTIFICATE" in pem:
            return public_key(x509.load_pem_x509_certificate(pem).public_key(), None)
        return public_key(load_pem_public_key(pem), None)
    except MALFORMED:
        raise KeyRefused("does not hold a public key or a certificate in PEM format") from None


def public_key(key: object, kid: str | None) -> Key:
    """Return the key that verifies with a public *key* of cryptography; raises KeyRefused for other kinds."""
    match key:
        case RSAPublicKey() if key.key_size in _RSA_BITS:
            algorithm = RS256
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            algorithm = ES256
        case _:
            raise KeyRefused(f"must hold an RSA key of {_RSA_BITS[0]} to {_RSA_BITS[-1]} bits or an EC key on P-256")
    content = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Key(algorithm, kid, content, jwk.construct(content, algorithm))
