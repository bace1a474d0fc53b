"""An issuer of tokens: its keys, tokens written out by hand, and a real server that publishes its keys."""

import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

ISSUER, AUDIENCE = "https://id.example.com/", "https://crm.example.com/mcp"

Answer = Callable[[], Awaitable[web.Response]]


def segment(content: Any) -> str:
    """Return base64url of bytes, or of JSON of anything else."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return segment(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims, some of them changed; `...` leaves one out."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ana",
        "tenant_id": "demo",
        "permissions": ["*"],
        "exp": int(time.time()) + 600,
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


class Signer:
    """A private key, and what can be had of it."""

    def __init__(self, kid: str | None, private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self.kid = kid
        self._private = private
        self.algorithm = "RS256" if isinstance(private, rsa.RSAPrivateKey) else "ES256"

    def named(self, kid: str | None) -> "Signer":
        """Return the same key under another id."""
        return Signer(kid, self._private)

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as a set of keys has it."""
        public = self._private.public_key().public_numbers()
        if isinstance(public, rsa.RSAPublicNumbers):
            key: dict[str, Any] = {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
        else:
            size = public.curve.key_size // 8
            x, y = (segment(part.to_bytes(size, "big")) for part in (public.x, public.y))
            key = {"kty": "EC", "crv": f"P-{public.curve.key_size}", "x": x, "y": y}
        return key if self.kid is None else key | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}

    @property
    def pem(self) -> bytes:
        """The public key as a PEM file."""
        return self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def der(self) -> bytes:
        """The public key as DER."""
        return self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def private_pem(self) -> bytes:
        """The private key as a PEM file."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def signature(self, content: str) -> bytes:
        """Return the signature of *content*, as a JWT has it."""
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(content.encode(), padding.PKCS1v15(), SHA256())
        r, s = decode_dss_signature(self._private.sign(content.encode(), ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def der_signature(self, content: str) -> bytes:
        """Return the signature of an EC key as other protocols have it."""
        assert isinstance(self._private, ec.EllipticCurvePrivateKey)
        return self._private.sign(content.encode(), ec.ECDSA(SHA256()))

    def token(self, said: Any = None, **header: Any) -> str:
        """Return a token of good claims, or of those *said*; `...` leaves a member of the header out."""
        members = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid, **header}
        kept = {name: value for name, value in members.items() if value not in (..., None)}
        content = f"{segment(kept)}.{segment(claims() if said is None else said)}"
        return f"{content}.{segment(self.signature(content))}"


@cache
def rsa_signer(kid: str = "rsa-1", bits: int = 2048) -> Signer:
    return Signer(kid, rsa.generate_private_key(65537, bits))


@cache
def ec_signer(kid: str = "ec-1") -> Signer:
    return Signer(kid, ec.generate_private_key(ec.SECP256R1()))


class Publisher:
    """A server of an issuer's keys; how it answers can be changed at any time."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.asked = 0
        self.url = ""
        self._answer: Answer
        self._elsewhere: dict[str, Any] = {}
        self.publish(*keys)

    def publish(self, *keys: dict[str, Any]) -> None:
        """Answer with these keys from now on."""
        self.say(json.dumps({"keys": keys}).encode())

    def say(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer with this from now on."""

        async def answer() -> web.Response:
            return web.Response(body=body, status=status, headers=headers, content_type="application/json")

        self._answer = answer

    def redirect(self, *keys: dict[str, Any]) -> None:
        """Send whoever asks to another address, which has these keys, from now on."""
        self._elsewhere = {"keys": keys}
        self.say(b"", 302, Location=f"{self.url}/elsewhere")

    def do(self, answer: Answer) -> None:
        """Answer by what *answer* returns from now on."""
        self._answer = answer

    async def _redirected(self, request: web.Request) -> web.Response:
        return web.json_response(self._elsewhere)

    async def _serve(self, request: web.Request) -> web.Response:
        self.asked += 1
        return await self._answer()


@asynccontextmanager
async def publishing(*signers: Signer) -> AsyncIterator[Publisher]:
    """Start a server of the signers' keys."""
    publisher = Publisher(*(signer.jwk for signer in signers))
    app = web.Application()
    app.router.add_get("/keys", publisher._serve)
    app.router.add_get("/keys/elsewhere", publisher._redirected)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        publisher.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
        yield publisher
    finally:
        await runner.cleanup()
