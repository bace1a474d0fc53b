"""Whose address the log tells: of whoever is nearest and no trusted proxy."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request

from rpc_server.transport.client_address import client_address

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.7")]
STRANGER, PROXY, INNER = "203.0.113.9", "10.1.2.3", "10.9.9.9"


def seen(peer: str | None, *forwarded: str, trusted: bool = True) -> str:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer or "")
    return client_address(request, TRUSTED if trusted else [])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (STRANGER, [], STRANGER),
        (STRANGER, ["198.51.100.1"], STRANGER),
        (PROXY, [], PROXY),
        (PROXY, [STRANGER], STRANGER),
        (PROXY, [f"198.51.100.1, {STRANGER}"], STRANGER),
        (PROXY, [f"198.51.100.1, {STRANGER}, {INNER}"], STRANGER),
        (PROXY, ["198.51.100.1", f"{STRANGER},{INNER}"], STRANGER),
        (PROXY, [f"{INNER}, 192.0.2.7"], INNER),
        (PROXY, ["unknown"], PROXY),
        (PROXY, [f"{STRANGER}, _hidden"], PROXY),
        (PROXY, [f"{STRANGER}, <script>, {INNER}"], INNER),
        (PROXY, [""], PROXY),
        (PROXY, [f"{STRANGER}:4711"], STRANGER),
        (PROXY, ["[2001:db8::1]:4711"], "2001:db8::1"),
        (PROXY, ["2001:db8::1"], "2001:db8::1"),
        (PROXY, ["fe80::1%eth0"], "fe80::1"),
        (f"::ffff:{PROXY}", [STRANGER], STRANGER),
        ("fd00::1", [STRANGER], STRANGER),
        (PROXY, [",".join([STRANGER] + [INNER] * 100)], INNER),
        (None, [STRANGER], ""),
    ],
)
def test_a_header_is_believed_as_far_as_proxies_are_trusted(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    assert seen(peer, *forwarded) == client


@pytest.mark.parametrize("peer", [STRANGER, PROXY, "127.0.0.1"])
def test_without_trusted_proxies_no_header_is_believed(peer: str) -> None:
    assert seen(peer, "198.51.100.1", trusted=False) == peer
