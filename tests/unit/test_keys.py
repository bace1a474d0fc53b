"""Which keys are taken: secrets that cannot be guessed, public keys that are strong, and nothing else."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rpc_server.backends.jwks import read_jwks
from rpc_server.backends.keys import KeyRefused, KeySet, pem_key, secret_key
from tests.conftest import SECRET
from tests.wire.issuer import Signer, ec_signer, rsa_signer

RSA, EC = rsa_signer(), ec_signer()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        "0123456789abcdef" * 2,
        "á" * 3 + "b" * 10 + "cdefghijklmnop" * 2,
        '{"not": "a key", "but": "a strange secret"}',
        base64_of(bytes(range(48))),
    ],
)
def test_a_random_secret_is_taken(secret: str) -> None:
    assert secret_key(secret).algorithm == "HS256"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "at least 32 bytes; it has 0"),
        ("x" * 31, "at least 32 bytes; it has 31"),
        ("x" * 64, "few different characters"),
        ("changeme" * 8, "few different characters"),
        (RSA.pem.decode(), "not a key in PEM"),
        (RSA.private_pem.decode(), "not a key in PEM"),
        (EC.pem.decode(), "not a key in PEM"),
        (f"ssh-rsa {'A' * 40}bcdefghij", "not a key in PEM"),
        (base64_of(RSA.der), "not a key in PEM"),
        (base64.encodebytes(RSA.der).decode(), "not a key in PEM"),
        (base64_of(EC.der), "not a key in PEM"),
        (json.dumps(RSA.jwk), "not a key in PEM"),
        (json.dumps({"keys": [RSA.jwk]}), "not a key in PEM"),
    ],
)
def test_a_secret_that_can_be_guessed_or_is_public_is_refused(secret: str, why: str) -> None:
    with pytest.raises(KeyRefused, match=why) as refused:
        secret_key(secret)
    assert not secret or secret not in str(refused.value)


def pem_of(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_pem_file_says_which_algorithm_it_is_for() -> None:
    assert pem_key(RSA.pem).algorithm == "RS256"
    assert pem_key(EC.pem).algorithm == "ES256"


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "does not hold a public key"),
        (b"hello", "does not hold a public key"),
        (b"\xff\xfe", "does not hold a public key"),
        (SECRET.encode(), "does not hold a public key"),
        (RSA.der, "does not hold a public key"),
        (RSA.pem.replace(b"\nMII", b"\nMMM"), "does not hold a public key"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "does not hold a public key"),
        (RSA.private_pem, "holds a private key"),
        (EC.private_pem, "holds a private key"),
        (rsa_signer("weak", 1024).pem, "must hold an RSA key of 2048 to 8192 bits or an EC key on P-256"),
        (pem_of(ec.generate_private_key(ec.SECP384R1()).public_key()), "must hold an RSA key"),
        (pem_of(ed25519.Ed25519PrivateKey.generate().public_key()), "must hold an RSA key"),
    ],
)
def test_a_file_without_a_strong_public_key_is_refused(pem: bytes, why: str) -> None:
    with pytest.raises(KeyRefused, match=why):
        pem_key(pem)


def set_of(*signers: Signer) -> KeySet:
    return read_jwks(json.dumps({"keys": [signer.jwk for signer in signers]}).encode())


def test_a_key_is_found_by_its_id_and_its_algorithm() -> None:
    keys = set_of(RSA, EC)

    assert [keys.find(*name) is not None for name in (("RS256", "rsa-1"), ("ES256", "ec-1"))] == [True, True]
    assert [keys.find(*name) for name in (("ES256", "rsa-1"), ("RS256", "x"), ("HS256", "rsa-1"))] == [None] * 3


def test_without_an_id_the_only_key_of_the_algorithm_is_meant() -> None:
    assert set_of(RSA, EC).find("RS256", None)
    assert set_of(RSA, rsa_signer("other"), EC).find("RS256", None) is None
    assert set_of(RSA, rsa_signer("other"), EC).find("ES256", None)


def test_an_id_that_two_keys_of_one_algorithm_have_is_none() -> None:
    twice = [rsa_signer("other").named("rsa-1"), RSA, rsa_signer("third").named("rsa-1")]
    for signers in (twice, twice[::-1], twice[:2]):
        assert set_of(*signers).find("RS256", "rsa-1") is None


def test_an_id_may_be_that_of_two_algorithms_and_a_key_may_stand_there_twice() -> None:
    keys = set_of(RSA.named("same"), EC.named("same"), RSA.named("same"))

    assert keys.find("RS256", "same") == set_of(RSA.named("same")).find("RS256", "same")
    assert keys.find("ES256", "same") == set_of(EC.named("same")).find("ES256", "same")
