"""Whatever is sent gets an answer that helps, soon; never a 500, and never the words of a library."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers import CATALOG
from tests.wire.client import Answer, Client
from tests.wire.test_rpc import CALLS

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOME_ID = "00000000-0000-4000-8000-000000000000"
EMOJI = "\N{GRINNING FACE}"


class Way(Protocol):
    """Calls a tool; the arguments are JSON as it stands, so that it may be none."""

    def __call__(self, client: Client, tool: str, arguments: str | bytes, /) -> Awaitable[Answer]: ...


async def through_rpc(client: Client, tool: str, arguments: str | bytes) -> Answer:
    head = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":'
    return await client.rpc(head.encode() + _bytes(arguments) + b"}}")


async def through_rest(client: Client, tool: str, arguments: str | bytes) -> Answer:
    return await client.post_execute(f'{{"tool_name":"{tool}","arguments":'.encode() + _bytes(arguments) + b"}")


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


both_ways = pytest.mark.parametrize("way", [through_rpc, through_rest])


def refused(answer: Answer) -> str:
    """Return the sentence of an answer that says invalid_arguments, or that the body is no request."""
    said = answer.json
    if "jsonrpc" not in said:
        assert (answer.status, said["error"]["code"]) == (400, "invalid_arguments")
        return str(said["error"]["message"])
    assert answer.status == 200
    if "error" in said:
        assert said["error"]["code"] in (-32700, -32600)
        return str(said["error"]["message"])
    assert said["result"]["isError"] is True
    assert said["result"]["structuredContent"]["code"] == "invalid_arguments"
    return str(said["result"]["structuredContent"]["message"])


def succeeded(answer: Answer) -> Any:
    """Return the structured result of an answer that says no error."""
    assert answer.status == 200
    if "jsonrpc" not in answer.json:
        return answer.json["result"]
    assert answer.result["isError"] is False
    return answer.result["structuredContent"]


# --- arguments ----------------------------------------------------------------------------------


def cursor(text: str | bytes) -> str:
    return base64.urlsafe_b64encode(_bytes(text)).decode().rstrip("=")


def find(**arguments: Any) -> tuple[str, str]:
    return "find_contacts", json.dumps(arguments)


def stats(**arguments: Any) -> tuple[str, str]:
    return "get_agent_conversion_stats", json.dumps(arguments)


def leads(**arguments: Any) -> tuple[str, str]:
    return "get_leads_count", json.dumps(arguments)


def custom(start: Any, end: Any, **more: Any) -> tuple[str, str]:
    return leads(period="custom", start_date=start, end_date=end, **more)


A_DAY = "expected a day as YYYY-MM-DD, such as 2026-01-31"
A_UUID = "expected a UUID, such as "
NO_CURSOR = "cursor: is not a cursor of find_contacts; expected next_cursor of the page before"

WRONG: dict[str, tuple[tuple[str, str | bytes], list[str]]] = {
    "a list for arguments": (("list_agents", "[]"), ["arguments: is a list; expected an object"]),
    "text for arguments": (("list_agents", '"x"'), ["arguments: is text; expected an object"]),
    "a number for arguments": (("list_agents", "1"), ["arguments: is a number; expected an object"]),
    "a boolean for arguments": (("list_agents", "true"), ["arguments: is a boolean; expected an object"]),
    "an unknown argument": (leads(period="month", foo=1), ["foo: is not an argument of this tool; allowed: period, "]),
    "a misspelt argument": (leads(period="month", startdate="x"), ["startdate: ", "(did you mean start_date?)"]),
    "an unknown argument of null": (leads(period="month", tenant_id=None), ["tenant_id: is not an argument"]),
    "an argument where none is taken": (("list_pipelines", '{"x":1}'), ["x: ", "which takes none"]),
    "a required argument left out": (leads(), ["period: is required"]),
    "a required argument of null": (leads(period=None), ["period: is required"]),
    "three wrong at once": (
        ("get_leads_count", '{"period":"now","status":1,"series":["day"]}'),
        ["period: is 'now'; allowed: ", "status: is 1; allowed: all, qualified, unqualified", "series: is a list"],
    ),
    "a name as long as a body": (find(**{"x" * 900_000: 1}), [f"{'x' * 80}: is not an argument"]),
    "a word in another case": (leads(period="Month"), ["period: is 'Month'; allowed: today, yesterday, week, month"]),
    "a word with a space": (leads(period="month "), ["period: is 'month '; allowed: "]),
    "a very long word": (leads(period="x" * 100_000), ["period: is a text of 100000 characters; allowed: "]),
    "no UUID": (find(agent_id="me"), ["agent_id: is 'me'", A_UUID]),
    "a UUID without dashes": (find(agent_id="0" * 32), ["agent_id: ", A_UUID]),
    "a UUID in braces": (find(agent_id=f"{{{SOME_ID}}}"), ["agent_id: ", A_UUID]),
    "dashes in other places": (find(agent_id="0" * 32 + "----"), ["agent_id: ", A_UUID]),
    "a UUID in digits of another script": (find(agent_id="\N{ARABIC-INDIC DIGIT ONE}" * 8 + SOME_ID[8:]), [A_UUID]),
    "a UUID with a NUL": (find(agent_id=SOME_ID[:-1] + "\0"), ["agent_id: ", A_UUID]),
    "a number for a UUID": (find(agent_id=7), ["agent_id: is 7", A_UUID]),
    "custom without dates": (
        leads(period="custom"),
        ["start_date: is required when period is custom", "end_date: is required when period is custom"],
    ),
    "dates with another period": (
        leads(period="month", start_date="2026-01-01", end_date="2026-01-31"),
        ["start_date: goes only with period custom, not with month", "end_date: goes only with period custom"],
    ),
    "dates reversed": (custom("2026-02-01", "2026-01-31"), ["end_date: is 2026-01-31, before start_date 2026-02-01"]),
    "a day that does not exist": (
        custom("2026-02-30", "2026-13-01"),
        [
            "start_date: is '2026-02-30', a day that does not exist",
            "end_date: is '2026-13-01', a day that does not exist",
        ],
    ),
    "a number for a date": (custom(1_767_225_600, 2.5), ["start_date: is 1767225600", "end_date: is 2.5", A_DAY]),
    "a moment for a date": (custom("2026-01-01T00:00:00Z", "2026-01-01 10"), ["start_date: ", "end_date: ", A_DAY]),
    "a date in another order": (custom("01/02/2026", "20260131"), ["start_date: is '01/02/2026'", "end_date: ", A_DAY]),
    "a week for a date": (custom("2026-W05-1", "2026-W05"), ["start_date: ", "end_date: ", A_DAY]),
    "an empty date": (custom("", " "), ["start_date: is ''", "end_date: is ' '", A_DAY]),
    "the year 0": (custom("0000-01-01", "2026-01-01"), ["start_date: is '0000-01-01', a day that does not exist"]),
    "the first day of all": (
        custom("0001-01-01", "2026-01-01"),
        ["start_date: is 0001-01-01; expected a day from 1970"],
    ),
    "the last day of all": (custom("2026-01-01", "9999-12-31"), ["end_date: is 9999-12-31; expected a day from 1970"]),
    "fifty years day by day": (
        custom("1976-01-01", "2026-01-01", series="day"),
        ["series: by day is more than 400 buckets over this period; expected a larger bucket or a shorter period"],
    ),
    "a NUL in a text": (find(query="a\0b"), ["query: contains a NUL character"]),
    "a text too long": (find(query="x" * 201), ["query: has 201 characters; expected at most 200 characters"]),
    "a text of 10,000 emoji": (find(query=EMOJI * 10_000), ["query: has 10000 characters; expected at most 200"]),
    "a list for a text": (find(query=["a"]), ["query: is a list; expected text"]),
    "a number for a text": (find(query=5511), ["query: is 5511; expected text"]),
    "text for a boolean": (("list_agents", '{"active":"true"}'), ["active: is 'true'; expected true or false"]),
    "a number for a boolean": (("list_agents", '{"active":1}'), ["active: is 1; expected true or false"]),
    "a number too small": (find(limit=0), ["limit: is 0; expected at least 1"]),
    "a number too large": (find(limit=101), ["limit: is 101; expected at most 100"]),
    "a negative number": (find(limit=-1), ["limit: is -1; expected at least 1"]),
    "text for a number": (find(limit="20"), ["limit: is '20'; expected a whole number"]),
    "a broken number": (find(limit=20.5), ["limit: is 20.5; expected a whole number"]),
    "a boolean for a number": (find(limit=True), ["limit: is true; expected a whole number"]),
    "a number beyond 64 bits": (find(limit=2**64), ["limit: is 1.8446744073709552e+19; expected a whole number"]),
    "a number of 4,000 digits": (("find_contacts", '{"limit":' + "9" * 4000 + "}"), ["a number that is too large"]),
    "a number beyond floats": (("find_contacts", '{"limit":1e400}'), ["a number that is too large; at most 1.7e308"]),
    "a number that is none": (("find_contacts", '{"limit":NaN}'), ["not valid JSON (line 1, column "]),
    "infinity": (("find_contacts", '{"limit":-Infinity}'), ["not valid JSON (line 1, column "]),
    "no list": (stats(agent_ids=SOME_ID), ["agent_ids: is '00000000-", "expected a list"]),
    "an empty list": (stats(agent_ids=[]), ["agent_ids: has 0 items; expected at least 1 items"]),
    "a list too long": (stats(agent_ids=[SOME_ID] * 101), ["agent_ids: has 101 items; expected at most 100 items"]),
    "a mixed list": (
        stats(agent_ids=[SOME_ID, 1, None, "x", [SOME_ID]]),
        ["agent_ids.1: is 1", "agent_ids.2: is null", "agent_ids.3: is 'x'", "agent_ids.4: is a list"],
    ),
    "a cursor of nobody": (find(cursor="x"), [NO_CURSOR]),
    "half a cursor": (find(cursor=cursor(f"2026-01-01T00:00:00+00:00|{SOME_ID}")[:-8]), [NO_CURSOR]),
    "a cursor that is not base64": (find(cursor=EMOJI), [NO_CURSOR]),
    "a cursor of other bytes": (find(cursor=cursor(b"\xff\xfe\x00|")), [NO_CURSOR]),
    "a cursor without a zone": (find(cursor=cursor(f"2026-01-01T00:00:00|{SOME_ID}")), [NO_CURSOR]),
    "a cursor with SQL in it": (find(cursor=cursor("2026-01-01T00:00:00+00:00|' or 1=1 --")), [NO_CURSOR]),
    "a cursor of JSON": (find(cursor=cursor('{"created_at":"2026-01-01","id":1}')), [NO_CURSOR]),
    "a lone surrogate, escaped": (("find_contacts", r'{"query":"\ud800"}'), ["escapes half of a surrogate pair"]),
    "a lone surrogate, raw": (("find_contacts", b'{"query":"\xed\xa0\x80"}'), ["not valid UTF-8 (byte "]),
    "a NUL byte": (("find_contacts", b'{"query":"\0"}'), ["a NUL byte"]),
    "deep arguments": (("find_contacts", '{"query":' + "[" * 1000 + "]" * 1000 + "}"), ["nest at most 64 levels"]),
    "deep objects": (("find_contacts", '{"a":' * 1000 + "1" + "}" * 1000), ["nest at most 64 levels"]),
    "deep and not closed": (("find_contacts", '{"a":' * 1000), ["nest at most 64 levels"]),
}


@both_ways
@pytest.mark.parametrize(("call", "sentences"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_said(
    client: Client, way: Way, call: tuple[str, str | bytes], sentences: list[str]
) -> None:
    sentence = refused(await way(client, *call))

    assert [part for part in sentences if part not in sentence] == [], sentence
    assert len(sentence) < 5000


@both_ways
async def test_ten_thousand_unknown_arguments_get_a_short_answer(client: Client, way: Way) -> None:
    answer = await way(client, *find(**{f"query{number}": 1 for number in range(10_000)}))

    assert "query0: is not an argument of this tool (did you mean query?)" in refused(answer)
    assert len(answer.body) < 100_000


@both_ways
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(find(limit=20.0), 20, id="a whole number sent as a float"),
        pytest.param(find(query="x" * 200), 0, id="a text as long as it may be"),
        pytest.param(find(query=f" {'x' * 200} "), 0, id="a text trimmed to its length"),
        pytest.param(find(query=EMOJI * 200), 0, id="emoji count as one character"),
        pytest.param(find(query="%"), 0, id="a per cent sign is no wildcard"),
        pytest.param(find(query="__"), 0, id="nor is an underscore"),
        pytest.param(find(query="\\"), 0, id="nor does a backslash escape anything"),
        pytest.param(find(query="%_\\" * 66), 0, id="nor all of them"),
        pytest.param(find(query="'; drop table contacts; --"), 0, id="SQL is text"),
        pytest.param(find(query="\u202e\ufeff\n\t\x7f"), 0, id="odd characters are text"),
        pytest.param(find(agent_id=SOME_ID), 0, id="nobody's agent"),
        pytest.param(find(agent_id="ABCDEF01-2345-4678-9abc-DEF012345678"), 0, id="a UUID in either case"),
        pytest.param(find(query=None, cursor=None, status=None, limit=20), 20, id="null for an argument left out"),
        pytest.param(("find_contacts", '{"limit":0,"limit":20}'), 20, id="of duplicate keys the last counts"),
        pytest.param(("find_contacts", '{"limit":\n\t 20 }'), 20, id="any white space"),
    ],
)
async def test_what_is_unusual_but_right_is_taken(client: Client, way: Way, call: Any, expected: int) -> None:
    assert len(succeeded(await way(client, *call))["contacts"]) == expected


@both_ways
async def test_an_agent_named_twice_counts_once(client: Client, way: Way) -> None:
    agents = succeeded(await way(client, "list_agents", '{"type":"human"}'))["agents"]
    twice = [agents[0]["agent_id"], agents[0]["agent_id"].upper()]

    assert len(succeeded(await way(client, *stats(agent_ids=twice)))["stats"]) == 1


@both_ways
async def test_the_edges_of_the_calendar_are_taken(client: Client, way: Way) -> None:
    assert succeeded(await way(client, *custom("1970-01-01", "1970-01-01", series="day")))["total_leads"] == 0
    assert succeeded(await way(client, *custom("1970-01-01", "2999-12-31")))["total_leads"] == 60


@both_ways
@pytest.mark.parametrize(
    "call",
    [
        custom("1970-01-01", "9999-12-30"),
        custom("9999-12-30", "9999-12-30", series="week"),
        find(cursor=cursor(f"0001-01-01T00:00:00+14:00|{SOME_ID}")),
    ],
)
async def test_moments_beyond_the_calendar_are_refused(client: Client, way: Way, call: tuple[str, str]) -> None:
    assert refused(await way(client, *call))


# --- bodies -------------------------------------------------------------------------------------

NOT_JSON: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "The body is empty; send JSON"),
    "white space": (b" \r\n\t", "The body is empty; send JSON"),
    "words": (b"period=month", "not valid JSON (line 1, column 1)"),
    "two values": (b"{} {}", "not valid JSON (line 1, column 4)"),
    "a cut off object": (b'{"a":', "not valid JSON"),
    "single quotes": (b"{'a': 1}", "not valid JSON (line 1, column 2)"),
    "a comma too many": (b'{"a": 1,}', "not valid JSON"),
    "a comment": (b"// hello\n{}", "not valid JSON (line 1, column 1)"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "begins with a byte order mark"),
    "UTF-16": ("{}".encode("utf-16"), "not valid UTF-8 (byte 1)"),
    "Latin-1": ('{"a":"é"}'.encode("latin-1"), "not valid UTF-8 (byte 7)"),
    "a NUL byte": (b"{}\0", "a NUL byte"),
    "a line break in a text": (b'{"a":"\n"}', "a raw control character"),
    "a lone surrogate as a key": (rb'{"\udfff":1}', "half of a surrogate pair"),
    "a deep object": (b'{"a":' * 1000 + b"1" + b"}" * 1000, "nest at most 64 levels"),
    "deep beside the tool": (b'{"tool_name":"list_agents","x":%s1%s}' % (b"[" * 1000, b"]" * 1000), "64 levels"),
    "a million brackets": (b"[" * 1_000_000, "nest at most 64 levels"),
    "a million quotes": (b'["' + b'\\"' * 500_000, "not valid JSON"),
}


@pytest.mark.parametrize("post", [Client.rpc, Client.post_execute])
@pytest.mark.parametrize(("body", "sentence"), NOT_JSON.values(), ids=NOT_JSON)
async def test_a_body_that_is_not_json_is_told_where(
    client: Client, post: Callable[..., Awaitable[Answer]], body: bytes, sentence: str
) -> None:
    assert sentence in refused(await post(client, body))


async def test_a_batch_or_an_id_that_nests_deep_is_an_invalid_request(client: Client) -> None:
    deep = b"[" * 1000 + b"]" * 1000

    batch, id = await client.rpc(deep), await client.rpc(b'{"jsonrpc":"2.0","method":"tools/list","id":%s}' % deep)

    assert "must be an object, not an array" in batch.json[0]["error"]["message"]
    assert "must be a string, a number or null, not an array" in refused(id)


@pytest.mark.parametrize("path", ["/rpc", "/v1/tools/execute"])
async def test_a_body_over_one_mebibyte_is_413(client: Client, path: str) -> None:
    answer = await client.send("POST", path, b" " * (2 << 20))

    assert (answer.status, answer.error["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("path", ["/rpc", "/v1/tools/execute"])
async def test_a_body_of_one_mebibyte_is_read(client: Client, path: str) -> None:
    assert (await client.send("POST", path, b" " * (1 << 20))).status in (200, 400)


async def test_a_batch_of_ten_thousand_is_refused_as_a_whole(client: Client) -> None:
    answer = await client.rpc([{"jsonrpc": "2.0", "method": "tools/list", "id": 1}] * 10_000)

    assert "at most 50 members; this one holds 10000" in refused(answer)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "application/json; charset=latin-1",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "nonsense",
        "",
        ";;;=",
    ],
)
async def test_any_content_type_is_taken_as_long_as_the_body_is_json(client: Client, content_type: str) -> None:
    headers = {"Content-Type": content_type}

    assert succeeded(await client.execute("get_leads_count", {"period": "all"}, headers=headers))
    assert succeeded(await client.call("get_leads_count", {"period": "all"}, headers=headers))


# --- anything at all ----------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.dates().map(str)
    | st.uuids().map(str)
)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
GOOD = [(name, arguments) for name, calls in CALLS.items() for arguments in calls if ... not in arguments.values()]
MANY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A call that is nearly right: some arguments changed, added or left out."""
    name, arguments = draw(st.sampled_from(GOOD))
    known = list(CATALOG[name].arguments.model_fields)
    changes = draw(st.dictionaries(st.sampled_from([*known, "tenant_id"]), ANYTHING, max_size=3))
    left_out = draw(st.sets(st.sampled_from(known))) if known else set()
    return name, {key: value for key, value in {**arguments, **changes}.items() if key not in left_out}


def unforeseen(answer: Answer) -> bool:
    return b'"internal"' in answer.body or b"-32603" in answer.body or answer.status >= 500


@MANY
@given(call=mutated())
async def test_no_arguments_are_unforeseen(client: Client, call: tuple[str, Any]) -> None:
    name, arguments = call

    assert not unforeseen(await through_rpc(client, name, json.dumps(arguments)))
    assert not unforeseen(await through_rest(client, name, json.dumps(arguments)))


@MANY
@given(
    body=ANYTHING
    | st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.just("2.0") | ANYTHING,
            "method": st.sampled_from(["tools/list", "tools/call"]) | ANYTHING,
            "params": st.fixed_dictionaries({"name": st.sampled_from(list(CATALOG)), "arguments": ANYTHING}) | ANYTHING,
            "id": ANYTHING,
            "tool_name": st.sampled_from(list(CATALOG)) | ANYTHING,
            "arguments": ANYTHING,
        },
    )
)
async def test_no_body_is_unforeseen(client: Client, body: Any) -> None:
    text = json.dumps(body).encode()

    assert not unforeseen(await client.rpc(text))
    assert not unforeseen(await client.post_execute(text))


@MANY
@given(place=st.integers(0, 200), byte=st.integers(0, 255))
async def test_no_byte_is_unforeseen(client: Client, place: int, byte: int) -> None:
    body = bytearray(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_agents","arguments":{}}}')
    body[place % len(body)] = byte

    assert not unforeseen(await client.rpc(bytes(body)))
