"""JSON-RPC bodies through the dispatcher: who is called, and what comes back."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpc_server.calls.dispatch import Dispatcher, Method, MethodError
from rpc_server.protocol.jsonrpc import Fault


async def subtract(context: object, minuend: int, subtrahend: int) -> int:
    return minuend - subtrahend


async def total(context: object, *numbers: int) -> int:
    return sum(numbers)


async def get_data(context: object) -> list[object]:
    return ["hello", 5]


async def nothing(context: object, *args: object, **kwargs: object) -> None:
    return None


ROOT = Path(__file__).parents[2]

SPECIFIED: dict[str, Method] = {
    "subtract": subtract,
    "sum": total,
    "update": nothing,
    "notify_hello": nothing,
    "notify_sum": nothing,
    "get_data": get_data,
}


def dispatcher(methods: dict[str, Method] | None = None, **bounds: Any) -> Dispatcher:
    """Return a dispatcher that calls every incident "incident-1"."""
    bounds.setdefault("on_internal_error", lambda error: "incident-1")
    return Dispatcher(SPECIFIED if methods is None else methods, **bounds)


async def asked(subject: Dispatcher, body: object, context: object = None) -> Any:
    answer = await subject.handle(body if isinstance(body, bytes) else json.dumps(body).encode(), context)
    return None if answer is None else json.loads(answer)


def call(method: str, params: Any = None, id: object = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": [] if params is None else params, "id": id}


def ok(result: object, id: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "result": result, "id": id}


def failed(code: int, id: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "error": {"code": code}, "id": id}


def codes_only(answer: Any) -> Any:
    """Drop each error's words, which the specification leaves to the server."""
    if isinstance(answer, list):
        return [codes_only(member) for member in answer]
    if answer and "error" in answer:
        return answer | {"error": {"code": answer["error"]["code"]}}
    return answer


# Section 7 of https://www.jsonrpc.org/specification, in its order.
EXAMPLES: list[tuple[str, str, Any]] = [
    (
        "positional",
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        ok(19, 1),
    ),
    (
        "positional, turned round",
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        ok(-19, 2),
    ),
    (
        "named",
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        ok(19, 3),
    ),
    (
        "named, turned round",
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        ok(19, 4),
    ),
    ("notification", '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    ("notification of an unknown method", '{"jsonrpc": "2.0", "method": "foobar"}', None),
    ("unknown method", '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', failed(-32601, "1")),
    (
        "invalid JSON",
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        failed(-32700, None),
    ),
    ("invalid request", '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', failed(-32600, None)),
    (
        "batch of invalid JSON",
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]',
        failed(-32700, None),
    ),
    ("empty array", "[]", failed(-32600, None)),
    ("batch of one number", "[1]", [failed(-32600, None)]),
    ("batch of numbers", "[1,2,3]", [failed(-32600, None)] * 3),
    (
        "mixed batch",
        """[
            {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
            {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
            {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
            {"foo": "boo"},
            {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
            {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
        ]""",
        [
            ok(7, "1"),
            ok(19, "2"),
            failed(-32600, None),
            failed(-32601, "5"),
            ok(["hello", 5], "9"),
        ],
    ),
    (
        "batch of notifications",
        '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
        ' {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
        None,
    ),
]


@pytest.mark.parametrize(("body", "answer"), [pytest.param(b, a, id=name) for name, b, a in EXAMPLES])
async def test_the_examples_of_the_specification_hold(body: str, answer: Any) -> None:
    assert codes_only(await asked(dispatcher(), body.encode())) == answer


@pytest.mark.parametrize("method", ["multiply", "rpc.discover", "", "__class__"])
async def test_an_unknown_method_is_answered_with_those_that_exist(method: str) -> None:
    answer = await asked(dispatcher(), call(method))
    assert answer["error"] == {
        "code": -32601,
        "message": f'There is no method "{method}"; the methods are listed in data.',
        "data": {"methods": ["get_data", "notify_hello", "notify_sum", "subtract", "sum", "update"]},
    }


async def test_a_method_gets_the_callers_context_first() -> None:
    async def whoami(context: object) -> object:
        return context

    subject = dispatcher({"whoami": whoami})
    assert (await asked(subject, call("whoami"), "tenant-a"))["result"] == "tenant-a"
    assert (await asked(subject, call("whoami"), None))["result"] is None


@pytest.mark.parametrize(
    "params",
    [[1], [1, 2, 3], {"minuend": 1}, {"minuend": 1, "subtrahend": 2, "secret": 3}, {"context": 1}],
)
async def test_params_that_do_not_fit_are_refused_in_our_own_words(params: object) -> None:
    assert (await asked(dispatcher(), call("subtract", params)))["error"] == {
        "code": -32602,
        "message": 'The params do not fit "subtract": required are minuend, subtrahend; optional are none.',
        "data": {"required": ["minuend", "subtrahend"], "optional": []},
    }


async def test_no_param_can_take_the_contexts_place() -> None:
    async def echo(context: object, **params: object) -> object:
        return [context, params]

    named = {"self": 1, "args": 2, "kwargs": 3, "method": 4, "_meta": {}, "café": 5}
    subject = dispatcher({"echo": echo})
    assert (await asked(subject, call("echo", named), "real"))["result"] == ["real", named]
    assert (await asked(subject, call("echo", {"context": "forged"}), "real"))["error"]["code"] == -32602


async def test_a_method_can_answer_with_an_error_of_its_own() -> None:
    async def refuse(context: object, code: int, data: object = None) -> None:
        raise MethodError(code, "No such tool.", data)

    subject = dispatcher({"refuse": refuse})
    for code in (-32602, -32601, -32603, -32000, -32800):
        answer = await asked(subject, call("refuse", [code, {"name": "x"}]))
        assert answer["error"] == {"code": code, "message": "No such tool.", "data": {"name": "x"}}
    assert (await asked(subject, call("refuse", [-1])))["error"] == {"code": -1, "message": "No such tool."}


async def raise_type_error(context: object) -> None:
    raise TypeError("secret dsn: missing 1 required positional argument")


async def raise_group(context: object) -> None:
    raise ExceptionGroup("secret dsn", [ValueError("secret dsn")])


async def return_the_unencodable(context: object) -> object:
    return {"secret dsn": object()}


async def return_a_huge_integer(context: object) -> object:
    return 2**64


async def refuse_with_the_unencodable(context: object) -> object:
    raise MethodError(-32000, "secret dsn", object())


def not_even_async(context: object) -> Any:
    return "secret dsn"


@pytest.mark.parametrize(
    "method",
    [
        raise_type_error,
        raise_group,
        return_the_unencodable,
        return_a_huge_integer,
        refuse_with_the_unencodable,
        not_even_async,
    ],
)
async def test_the_unforeseen_is_an_incident_whose_text_stays_inside(
    method: Method, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[BaseException] = []

    def note(error: BaseException) -> str:
        seen.append(error)
        return "f00"

    subject = dispatcher({"m": method, "get_data": get_data}, on_internal_error=note)
    answer = await asked(subject, [call("m"), call("get_data", id=2)])
    error = {"code": -32603, "message": "Internal error", "data": {"incident": "f00"}}
    assert answer == [{"jsonrpc": "2.0", "error": error, "id": 1}, ok(["hello", 5], 2)]
    assert len(seen) == 1
    assert caplog.text == ""


async def test_a_failing_notification_is_logged_and_not_answered() -> None:
    seen: list[BaseException] = []

    def note(error: BaseException) -> str:
        seen.append(error)
        return "f00"

    subject = dispatcher({"m": raise_type_error}, on_internal_error=note)
    assert await subject.handle(b'{"jsonrpc":"2.0","method":"m"}', None) is None
    assert [type(error) for error in seen] == [TypeError]


async def test_what_the_library_says_of_its_own_failure_stays_inside(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret dsn")

    monkeypatch.setattr("jsonrpcserver.async_dispatcher.create_request", broken)
    answer = await dispatcher().handle(json.dumps(call("get_data")).encode(), None)
    assert answer is not None
    assert json.loads(answer)["error"] == {
        "code": -32603,
        "message": "Internal error",
        "data": {"incident": "incident-1"},
    }


async def test_an_id_beyond_64_bits_comes_back_with_all_its_digits() -> None:
    body = b'[{"jsonrpc":"2.0","method":"get_data","id":123456789012345678901234567890}]'
    assert await dispatcher().handle(body, None) == (
        b'[{"jsonrpc":"2.0","result":["hello",5],"id":123456789012345678901234567890}]'
    )


async def test_a_transport_can_look_at_what_was_parsed_before_it_runs() -> None:
    subject = dispatcher()
    parsed = subject.parse(json.dumps([call("get_data")]).encode())
    assert parsed.is_batch
    assert await subject.run(parsed, None) == b'[{"jsonrpc":"2.0","result":["hello",5],"id":1}]'


async def test_a_batch_of_10000_is_one_fault_and_calls_nobody() -> None:
    called: list[int] = []

    async def count(context: object) -> None:
        called.append(1)

    answer = await asked(dispatcher({"count": count}), [call("count")] * 10_000)
    assert answer["error"]["message"] == "A batch may hold at most 50 members; this one holds 10000."
    assert called == []


class Gate:
    """A method that waits until it is let go, and counts who waits."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.inside = 0
        self.most = 0
        self.begun: list[object] = []
        self.cancelled = 0

    async def wait(self, context: object, name: object = None) -> object:
        self.begun.append(name)
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1
        return name


async def some_turns() -> None:
    """Let the loop turn often enough for whatever can go on to have gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds, for at most 1000 turns."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never held")


async def test_the_members_of_a_batch_run_at_once_up_to_the_bound() -> None:
    gate = Gate()
    body = json.dumps([call("wait", [n], n) for n in range(10)]).encode()
    answering = asyncio.create_task(dispatcher({"wait": gate.wait}, concurrency=3).handle(body, None))
    await until(lambda: gate.inside == 3)
    await some_turns()
    assert gate.inside == 3
    gate.opened.set()
    answer = await answering
    assert answer is not None
    assert [member["result"] for member in json.loads(answer)] == list(range(10))
    assert gate.most == 3


async def test_answers_stand_in_the_order_of_the_requests_whoever_is_first() -> None:
    turns = [asyncio.Event() for _ in range(4)]

    async def in_reverse(context: object, place: int) -> int:
        if place < 3:
            await turns[place + 1].wait()
        turns[place].set()
        return place

    answer = await asked(
        dispatcher({"m": in_reverse}, concurrency=4), [call("m", [place], place) for place in range(4)]
    )
    assert answer == [ok(place, place) for place in range(4)]


@pytest.mark.parametrize("members", [None, 10])
async def test_cancelling_leaves_no_task_behind(members: int | None) -> None:
    gate = Gate()
    body = call("wait") if members is None else [call("wait", id=n) for n in range(members)]
    before = asyncio.all_tasks()
    answering = asyncio.create_task(dispatcher({"wait": gate.wait}).handle(json.dumps(body).encode(), None))
    running = 1 if members is None else 4
    await until(lambda: gate.inside == running)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert asyncio.all_tasks() == before
    assert (gate.inside, gate.cancelled, len(gate.begun)) == (0, running, running)


async def test_a_method_cancelled_from_within_cancels_its_call_and_nothing_new_begins() -> None:
    async def give_up(context: object) -> None:
        raise asyncio.CancelledError

    gate = Gate()
    subject = dispatcher({"wait": gate.wait, "give_up": give_up}, concurrency=2)
    with pytest.raises(asyncio.CancelledError):
        await asked(subject, call("give_up"))
    given_up = asyncio.create_task(asked(subject, [call("wait", [1]), call("give_up"), call("wait", [2])]))
    await until(lambda: gate.inside == 1)
    await some_turns()
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert gate.begun == [1]


def test_a_method_without_a_context_is_refused_at_start_up() -> None:
    async def bare() -> None:
        return None

    async def keyword_only(*, context: object) -> None:
        return None

    for method in (bare, keyword_only):
        with pytest.raises(TypeError, match='the method "m" must take the context'):
            dispatcher({"m": method})


@pytest.mark.parametrize("bounds", [{"max_batch": 0}, {"concurrency": 0}, {"max_depth": 0}, {"max_depth": 201}])
def test_bounds_that_cannot_hold_are_refused_at_start_up(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="max_depth is 1 to 200"):
        dispatcher(**bounds)


async def test_params_of_the_greatest_allowed_depth_can_be_sent_back() -> None:
    async def echo(context: object, value: object) -> object:
        return {"structuredContent": {"items": [value]}}

    body = call("echo", [json.loads("[" * 198 + "]" * 198)])
    assert "result" in await asked(dispatcher({"echo": echo}, max_depth=200), body)


def test_the_library_loads_and_answers_without_a_warning() -> None:
    script = (
        "import asyncio\n"
        "from rpc_server.calls.dispatch import Dispatcher\n"
        "async def ping(context): return 'pong'\n"
        "d = Dispatcher({'ping': ping}, on_internal_error=str)\n"
        'print(asyncio.run(d.handle(b\'{"jsonrpc":"2.0","method":"ping","id":1}\', None)))\n'
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert "pong" in run.stdout


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NEAR_REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "method": st.sampled_from(list(SPECIFIED)) | JSON,
        "params": st.lists(st.integers(), max_size=3) | JSON,
        "id": st.integers() | JSON,
        "result": JSON,
    },
)


def assert_valid_response(answer: Any) -> None:
    assert set(answer) in ({"jsonrpc", "result", "id"}, {"jsonrpc", "error", "id"})
    assert answer["jsonrpc"] == "2.0"
    assert not isinstance(answer["id"], bool | list | dict)
    if "error" in answer:
        assert set(answer["error"]) <= {"code", "message", "data"}
        assert isinstance(answer["error"]["code"], int)
        assert isinstance(answer["error"]["message"], str)


def assert_valid_answer(body: bytes, run: Callable[[Awaitable[bytes | None]], bytes | None]) -> None:
    subject = dispatcher(max_batch=5, max_depth=4)
    parsed = subject.parse(body)
    waiting = sum(isinstance(member, Fault) or not member.is_notification for member in parsed.members)
    answer = run(subject.handle(body, None))
    if answer is None:
        assert waiting == 0
        return
    decoded = orjson.loads(answer)
    responses = decoded if parsed.is_batch else [decoded]
    assert len(responses) == waiting
    for response in responses:
        assert_valid_response(response)


def test_whatever_is_sent_the_answer_is_valid_json_rpc() -> None:
    bodies = st.binary() | (JSON | NEAR_REQUEST | st.lists(NEAR_REQUEST | JSON, max_size=6)).map(
        lambda value: json.dumps(value).encode()
    )

    with asyncio.Runner() as runner:

        @settings(max_examples=300, deadline=None)
        @given(bodies)
        def check(body: bytes) -> None:
            assert_valid_answer(body, runner.run)  # type: ignore[arg-type]

        check()
