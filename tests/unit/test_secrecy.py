"""The net in which the output of all tests is caught has no holes where secrets go through."""

from datetime import timedelta

import pytest

from rpc_server.backends.tokens import Tokens
from tests.conftest import SECRET
from tests.secrecy import leaks

TOKEN = Tokens(SECRET).sign("acme", "tester", ["*"], timedelta(minutes=5))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f'{{"event":"call","detail":"Bearer {TOKEN}"}}', ["a token"]),
        (f"GET /v1/tools/list?access_token={TOKEN} 200", ["a token"]),
        (f"JWT_SECRET={SECRET}", ["a secret"]),
        ("cannot connect to postgresql://crm_mcp:hunter2@postgres:5432/crm", ["a password"]),
        ("cannot connect to rediss://:hunter2@redis:6379/0", ["a password"]),
        ('{"event":"call","tool":"list_agents","request_id":"eyJhbGciOi"}', []),
        ("postgresql:///crm?host=/tmp, redis://127.0.0.1:6379/0", []),
    ],
)
def test_what_is_secret_is_named_and_nothing_else(line: str, found: list[str]) -> None:
    assert leaks(f"before\n{line}\nafter", SECRET) == found
