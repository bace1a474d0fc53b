"""The envelope of JSON-RPC 2.0: what is taken, what is refused and in which words."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpc_server.protocol.jsonrpc import (
    INVALID_REQUEST,
    NO_ID,
    PARSE_ERROR,
    Fault,
    Number,
    Parsed,
    Request,
    encode,
    error_member,
    parse,
    success_member,
)


def parsed(body: bytes) -> Parsed:
    return parse(body, max_batch=50, max_depth=64)


def only(body: bytes) -> Request | Fault:
    (member,) = parsed(body).members
    return member


def call(**changes: Any) -> bytes:
    """Return a good call with some members changed; `...` leaves a member out."""
    members = {"jsonrpc": "2.0", "method": "m", "id": 1} | changes
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def nested(opening: str, closing: str, levels: int) -> str:
    return opening * levels + closing * levels


@pytest.mark.parametrize("params", [{}, [], {"a": [1]}, [{"a": 1}]])
def test_a_good_call_is_a_request_with_its_params_as_sent(params: object) -> None:
    assert only(call(params=params)) == Request("m", params, 1)  # type: ignore[arg-type]


def test_params_that_are_left_out_are_an_empty_object() -> None:
    assert only(call()) == Request("m", {}, 1)


def test_a_member_without_an_id_is_a_notification_and_one_with_a_null_id_is_not() -> None:
    notification, asked = only(call(id=...)), only(call(id=None))
    assert isinstance(notification, Request)
    assert notification.id is NO_ID
    assert notification.is_notification
    assert isinstance(asked, Request)
    assert asked.id is None
    assert not asked.is_notification


def test_members_that_json_rpc_does_not_know_are_ignored() -> None:
    assert only(call(_meta={"progressToken": 1}, result=1)) == Request("m", {}, 1)


def test_of_duplicate_keys_the_last_counts() -> None:
    assert only(b'{"jsonrpc":"2.0","method":"a","method":"b","id":1.5,"id":2.50}') == Request("b", {}, Number("2.50"))


@pytest.mark.parametrize(
    "id",
    [
        b"null",
        b"0",
        b"-7",
        b'""',
        b'"caf\xc3\xa9"',
        b"18446744073709551615",
        b"18446744073709551616",
        b"-123456789012345678901234567890",
        b"1.5",
        b"1.0",
        b"-0.0",
        b"1e5",
        b"0.10000000000000000000001",
        b"9" * 256,
        b'"' + b"x" * 256 + b'"',
    ],
)
@pytest.mark.parametrize("batch", [False, True])
def test_an_id_comes_back_exactly_as_it_was_sent(id: bytes, batch: bool) -> None:
    body = b'{"jsonrpc":"2.0","method":"m","params":[1.50],"id":' + id + b"}"
    member = parsed(b'["noise",' + body + b"]").members[1] if batch else only(body)
    assert isinstance(member, Request)
    assert member.id is not NO_ID
    assert encode(success_member(member.id, True)) == b'{"jsonrpc":"2.0","result":true,"id":' + id + b"}"


def test_an_exact_number_is_a_plain_key_that_prints_its_digits() -> None:
    assert {Number("1.50"): 1}[Number("1.50")] == 1
    assert f"{Number('1.50')}" == "1.50"


@pytest.mark.parametrize(
    ("id", "sentence"),
    [
        (True, "An id must be a string, a number or null, not a boolean."),
        (False, "An id must be a string, a number or null, not a boolean."),
        ([1], "An id must be a string, a number or null, not an array."),
        ({}, "An id must be a string, a number or null, not an object."),
        ("x" * 257, "An id may have at most 256 characters."),
        (10**256, "An id may have at most 256 characters."),
    ],
)
def test_an_unusable_id_is_refused_and_not_echoed(id: object, sentence: str) -> None:
    assert only(call(id=id)) == Fault(INVALID_REQUEST, sentence)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"jsonrpc": ...}, 'The member "jsonrpc" must be exactly "2.0".'),
        ({"jsonrpc": 2.0}, 'The member "jsonrpc" must be exactly "2.0".'),
        ({"jsonrpc": "1.0"}, 'The member "jsonrpc" must be exactly "2.0".'),
        ({"method": ...}, 'The member "method" is missing.'),
        ({"method": 1}, 'The member "method" must be a string, not a number.'),
        ({"method": None}, 'The member "method" must be a string, not null.'),
        ({"method": "m" * 257}, "A method name may have at most 256 characters."),
        (
            {"params": None},
            'The member "params" must be an object or an array, or be left out; it is null.',
        ),
        (
            {"params": "bar"},
            'The member "params" must be an object or an array, or be left out; it is a string.',
        ),
    ],
)
def test_a_bad_envelope_is_refused_with_its_reason_and_its_id(changes: dict[str, Any], sentence: str) -> None:
    assert only(call(**changes)) == Fault(INVALID_REQUEST, sentence, id=1)
    assert only(call(**changes, id=...)) == Fault(INVALID_REQUEST, sentence)


@pytest.mark.parametrize("outcome", [{"result": None}, {"error": {"code": 1, "message": "no"}}])
def test_a_response_is_refused_without_echoing_an_id_that_is_not_the_clients(outcome: dict[str, Any]) -> None:
    sentence = "This is a response; only requests and notifications are taken here."
    assert only(call(method=..., **outcome)) == Fault(INVALID_REQUEST, sentence, is_response=True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"null", "null"),
        (b"true", "a boolean"),
        (b"1", "a number"),
        (b"1.5", "a number"),
        (b'"x"', "a string"),
    ],
)
def test_a_body_that_is_neither_object_nor_array_is_an_invalid_request(body: bytes, kind: str) -> None:
    assert parsed(body) == Parsed(
        (Fault(INVALID_REQUEST, f"A request must be an object, not {kind}."),), is_batch=False
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is empty; send JSON."),
        (b" \r\n\t", "The body is empty; send JSON."),
        (b'{"a": \xff}', "The body is not valid UTF-8 (byte 7)."),
        ('{"a": 1}'.encode("utf-16"), "The body is not valid UTF-8 (byte 1)."),
        (
            b"\xef\xbb\xbf{}",
            "The body begins with a byte order mark; send it without one (line 1, column 1).",
        ),
        (b'{"a": "\x00"}', "The body contains a NUL byte, which JSON does not allow (line 1, column 8)."),
        (b"{}\x00", "The body contains a NUL byte, which JSON does not allow (line 1, column 3)."),
        (
            b'{"a": "two\nlines"}',
            "The body contains a raw control character; inside a string it must be escaped (line 1, column 11).",
        ),
        (
            b'["\\ud83d"]',
            "The body escapes half of a surrogate pair; escape both halves, or send the character itself"
            " (line 1, column 3).",
        ),
        (
            b'["x\\udc00"]',
            "The body escapes half of a surrogate pair; escape both halves, or send the character itself"
            " (line 1, column 4).",
        ),
        (
            b"[1e999]",
            "The body holds a number that is too large; at most 1.7e308 is allowed (line 1, column 2).",
        ),
        (b"[01]", "The body is not valid JSON (line 1, column 2)."),
        (b"[NaN]", "The body is not valid JSON (line 1, column 2)."),
        (b'{"a":\n  tru}', "The body is not valid JSON (line 2, column 3)."),
        ('["é", é]'.encode(), "The body is not valid JSON (line 1, column 7)."),
        (b'{"a": "[[[[', "The body is not valid JSON (line 1, column 12)."),
        (b'"' + b"[" * 200, "The body is not valid JSON (line 1, column 202)."),
        (b'"' + b'\\"' * 200_000 + b"\\", "The body is not valid JSON (line 1, column 400003)."),
    ],
)
def test_a_body_that_cannot_be_read_is_a_parse_error_that_says_where(body: bytes, sentence: str) -> None:
    assert parsed(body) == Parsed((Fault(PARSE_ERROR, sentence),), is_batch=False)


TOO_DEEP = "A request may nest at most 64 levels; this one is deeper."


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_64_levels_are_taken_and_65_are_not(opening: str, closing: str) -> None:
    def request(levels: int) -> bytes:
        value = nested(opening, closing, levels - 1).replace('{"a":}', '{"a":1}')
        return f'{{"jsonrpc":"2.0","method":"m","id":"x","params":{value}}}'.encode()

    assert isinstance(only(request(64)), Request)
    assert only(request(65)) == Fault(INVALID_REQUEST, TOO_DEEP, id="x")
    assert isinstance(parsed(b"[" + request(64) + b"]").members[0], Request)


@pytest.mark.parametrize("levels", [1000, 2000, 300_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("id", ["7", "7.5"])
def test_no_depth_of_params_is_more_than_a_fault(levels: int, opening: str, closing: str, id: str) -> None:
    value = nested(opening, closing, levels).replace('{"a":}', '{"a":1}')
    fault = only(f'{{"jsonrpc":"2.0","method":"m","id":{id},"params":{value}}}'.encode())
    assert isinstance(fault, Fault)
    assert (fault.code, fault.message) == (INVALID_REQUEST, TOO_DEEP)
    assert fault.id in ((7, Number("7.5"), None) if levels == 1000 else (None,))


@pytest.mark.parametrize("levels", [1000, 300_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("[", ""), ('{"a":', "")])
def test_no_depth_of_a_body_is_more_than_a_fault(levels: int, opening: str, closing: str) -> None:
    fault = only(nested(opening, closing, levels).replace('{"a":}', '{"a":1}').encode())
    assert isinstance(fault, Fault)
    assert fault.code == INVALID_REQUEST


def test_many_brackets_side_by_side_are_not_depth() -> None:
    assert only(call(params=[[] for _ in range(1000)])) == Request("m", [[] for _ in range(1000)], 1)


def test_an_empty_batch_is_one_fault_outside_a_batch() -> None:
    assert parsed(b" [ ] ") == Parsed(
        (Fault(INVALID_REQUEST, "The batch is empty; send at least one request in it."),), is_batch=False
    )


def test_a_batch_of_50_is_taken_and_longer_ones_are_refused_with_the_bound() -> None:
    good = json.loads(call())
    assert parsed(json.dumps([good] * 50).encode()) == Parsed((Request("m", {}, 1),) * 50, is_batch=True)
    for size in (51, 10_000):
        sentence = f"A batch may hold at most 50 members; this one holds {size}."
        body = json.dumps([good] * size).encode()
        assert parsed(body) == Parsed((Fault(INVALID_REQUEST, sentence),), is_batch=False)


def test_each_bad_member_of_a_batch_is_a_fault_of_its_own() -> None:
    body = b"[" + b",".join([call(), b"1", call(id="a", jsonrpc="1.0"), call(id=True), call(id=2)]) + b"]"
    assert parsed(body) == Parsed(
        (
            Request("m", {}, 1),
            Fault(INVALID_REQUEST, "A request must be an object, not a number."),
            Fault(INVALID_REQUEST, 'The member "jsonrpc" must be exactly "2.0".', id="a"),
            Fault(INVALID_REQUEST, "An id must be a string, a number or null, not a boolean."),
            Request("m", {}, 2),
        ),
        is_batch=True,
    )


def test_an_error_without_data_has_no_such_member() -> None:
    assert error_member(1, -32000, "No.") == {
        "jsonrpc": "2.0",
        "error": {"code": -32000, "message": "No."},
        "id": 1,
    }
    assert error_member(None, -32000, "No.", {"a": 1})["error"] == {
        "code": -32000,
        "message": "No.",
        "data": {"a": 1},
    }


def test_a_batch_of_answers_is_an_array() -> None:
    answers = [success_member(Number("1.50"), None), error_member("a", 1, "No.")]
    assert orjson.loads(encode(answers)) == [
        {"jsonrpc": "2.0", "result": None, "id": 1.5},
        {"jsonrpc": "2.0", "error": {"code": 1, "message": "No."}, "id": "a"},
    ]


@settings(max_examples=300, deadline=None)
@given(st.binary() | st.text().map(str.encode) | st.text(alphabet='[]{}",:\\ud8ce1-.0 \n').map(str.encode))
def test_no_bytes_make_parse_raise(body: bytes) -> None:
    result = parse(body, max_batch=3, max_depth=2)
    assert result.members
    for member in result.members:
        if isinstance(member, Fault):
            orjson.loads(encode(error_member(member.id, member.code, member.message, member.data)))
