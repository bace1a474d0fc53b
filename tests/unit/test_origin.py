"""Hosts and origins: who is let in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc_server.transport.origin import Origins

ORIGINS = Origins(
    public_url="https://crm.example.com:8443/base",
    host="10.0.0.5",
    hosts=["crm.internal", "other:9000"],
    origins=["https://App.example.com/"],
)


@pytest.mark.parametrize(
    "host",
    [
        "crm.example.com:8443",
        "CRM.example.com:8443",
        "localhost",
        "localhost:1",
        "127.0.0.1:8081",
        "[::1]:8081",
        "10.0.0.5:80",
        "crm.internal:1234",
        "other:9000",
    ],
)
def test_the_servers_own_names_are_let_in(host: str) -> None:
    assert ORIGINS.allows_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example.com",
        "other:9001",
        "localhost.evil.com",
        "evil@localhost",
        "localhost:99999",
        "localhost/x",
        "127.0.0.1.nip.io",
        "[::1",
        "0.0.0.0",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not ORIGINS.allows_host(host)


def test_an_address_to_listen_on_everywhere_names_nobody() -> None:
    assert not Origins(public_url=None, host="0.0.0.0", hosts=[], origins=[]).allows_host("0.0.0.0:8081")


@pytest.mark.parametrize(
    "origin",
    [
        "https://crm.example.com:8443",
        "https://app.example.com",
        "HTTPS://APP.EXAMPLE.COM",
        "http://localhost:6274",
        "https://127.0.0.1",
        "http://[::1]:3000",
    ],
)
def test_pages_of_listed_origins_and_of_localhost_are_let_in(origin: str) -> None:
    assert ORIGINS.allows(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example.com",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://app.example.com.evil.com",
        "file://localhost",
        "http://localhost.evil.com",
        "http://localhost@evil.com",
        "https://crm.example.com",
    ],
)
def test_pages_of_other_origins_are_not(origin: str) -> None:
    assert not ORIGINS.allows(origin)


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    assert ORIGINS.allows_host(text) in (True, False)
    assert ORIGINS.allows(text) in (True, False)
