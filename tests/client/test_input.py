"""What the client takes from its caller, and what it reads into headers; no server needed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from operator import methodcaller
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_client import AsyncMCPClient, MCPClient, MCPError, RateLimited, make_idempotency_key
from mcp_client.answers import error_of_answer, progress_event
from mcp_client.ids import with_key


@pytest.mark.parametrize("make", [MCPClient, AsyncMCPClient])
def test_the_address_has_two_names_and_is_given_once(make: Any) -> None:
    for client in (make("http://host:1/crm/", "t"), make(base_url="http://host:1/crm", auth_token="t")):
        assert repr(client) == f"{make.__name__}('http://host:1/crm')"
    assert repr(make(url="http://host:1/crm", auth_token="t")) == f"{make.__name__}('http://host:1/crm')"
    for options in ({}, {"base_url": "http://a", "url": "http://a"}):
        with pytest.raises(TypeError, match="base_url or as url"):
            make(auth_token="t", **options)


@pytest.mark.parametrize(
    "address",
    [
        *("", "localhost:8081", "ftp://host", "http://", "/v1"),
        *("http://user:word@host", "http://host?a=b", "http://host#a"),
        *("http://host:port", "http://host:99999", "http://[::1"),
    ],
)
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - some are Python's own words
        MCPClient(address, "t")


@pytest.mark.parametrize("token", ["", "  ", "secret\r\nX-Evil: 1", "secret word", "secrét", "secret\x00"])
def test_what_is_no_token_is_refused_without_being_quoted(token: str) -> None:
    with pytest.raises(ValueError, match="auth_token") as caught:
        MCPClient("http://host", token)

    assert "secr" not in str(caught.value)


def test_a_token_may_come_with_the_end_of_its_line() -> None:
    MCPClient("http://host", "secret\n")


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
async def test_no_time_to_wait_is_refused(seconds: float) -> None:
    async with AsyncMCPClient("http://127.0.0.1:1", "t") as client:
        with pytest.raises(ValueError, match="more than 0"):
            await client.call_tool("read", timeout=seconds)
        with pytest.raises(ValueError, match="more than 0"):
            client.call_tool_streaming("read", timeout=seconds)
    with pytest.raises(ValueError, match="more than 0"):
        AsyncMCPClient("http://127.0.0.1:1", "t", stall_timeout=seconds)


def test_a_key_is_given_once_or_made_and_the_arguments_stay_as_they_were() -> None:
    given = {"a": 1}

    assert with_key(given, None) == {"a": 1}
    assert with_key(None, "k") == with_key({"idempotency_key": "k"}, "k") == {"idempotency_key": "k"}
    made = [with_key(given, "auto")["idempotency_key"] for _ in range(2)]
    assert given == {"a": 1} and "auto" not in made and made[0] != made[1]
    with pytest.raises(ValueError, match="one of them"):
        with_key({"idempotency_key": "other"}, "k")


def test_made_keys_differ_and_fit_the_servers_bound() -> None:
    keys = {make_idempotency_key() for _ in range(1000)}
    assert len(keys) == 1000 and all(0 < len(key) <= 255 for key in keys)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("0", 0), ("1.5", 1.5), ("-3", 0)])
def test_when_to_come_back_is_a_number_of_seconds(header: str, seconds: float) -> None:
    assert retry_after(header) == seconds


@pytest.mark.parametrize(
    "written",
    [partial(format_datetime, usegmt=True), methodcaller("strftime", "%a, %d %b %Y %T")],
    ids=["http", "without a zone"],
)
def test_or_a_date(written: Callable[[datetime], str]) -> None:
    now = datetime.now(UTC)

    assert 3500 <= retry_after(written(now + timedelta(hours=1))) <= 3600
    assert retry_after(written(now - timedelta(hours=1))) == 0


def retry_after(header: str) -> float:
    """Return what the client makes of the header of an answer that refuses."""
    error = error_of_answer(429, {"retry-after": header}, b"", "id")
    assert type(error) is RateLimited and error.retry_after is not None
    return error.retry_after


@pytest.mark.parametrize("header", ["soon", "", "nan", "inf", "1e999", "9" * 400, "Mon, 99 Foo 2026"])
def test_what_says_no_time_is_no_time(header: str) -> None:
    assert error_of_answer(429, {"retry-after": header}, b"", "id").retry_after is None


def test_the_body_says_when_where_there_is_no_header() -> None:
    body = b'{"error": {"code": "rate_limited", "message": "No.", "retry_after": 7}}'
    assert error_of_answer(429, {}, body, "id").retry_after == 7
    for other in (b"true", b"9" * 400, b"[]", b'"soon"'):
        assert error_of_answer(429, {}, body.replace(b"7", other), "id").retry_after is None


@given(st.integers(201, 599), st.binary(max_size=200), st.text(max_size=30))
def test_no_refusal_breaks_the_client(status: int, body: bytes, header: str) -> None:
    error = error_of_answer(status, {"retry-after": header}, body, "id")
    assert error.status == status and str(error)


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {}}])
def test_a_step_without_data_has_none_to_look_into(data: dict[str, Any]) -> None:
    step = {"stage": "starting", "progress": 0, "message": "It starts.", "timestamp": "2026-11-22T12:00:00Z"}

    assert progress_event(json.dumps(step | data), "id")["data"] == {}


MEMBERS = ("error", "code", "message", "request_id", "retry_after", "fields", "stage", "progress", "data", "timestamp")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(), inner, max_size=5)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_no_json_breaks_the_client(content: dict[str, Any]) -> None:
    text = json.dumps(content)
    assert str(error_of_answer(400, {}, text.encode(), "id"))
    assert str(error_of_answer(400, {}, json.dumps({"error": content}).encode(), "id"))
    try:
        event = progress_event(text, "id")
    except MCPError:
        return
    assert set(event) >= {"stage", "progress", "message", "data", "timestamp"}
