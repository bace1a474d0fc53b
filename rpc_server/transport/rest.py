"""Plain HTTP: /v1/tools/list and /v1/tools/execute."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from rpc_server.calls.call import Calls
from rpc_server.calls.outcome import Outcome
from rpc_server.calls.recall import Kept
from rpc_server.contract.arguments import MOST_PROBLEMS
from rpc_server.contract.errors import FieldProblem, InvalidArguments, UnknownTool
from rpc_server.contract.result import Result
from rpc_server.protocol.json_body import BodyFault, read_json
from rpc_server.protocol.tool_shapes import listed
from rpc_server.settings import Settings
from rpc_server.transport.answers import json_response, limit_headers, tool_error_response
from rpc_server.transport.body import read_body
from rpc_server.transport.middleware import CALLER, REQUEST_ID
from rpc_server.transport.repeats import LOOKED, Blanks, kept_answer
from rpc_server.transport.whole import WholeResponse


def routes(calls: Calls, settings: Settings) -> list[web.RouteDef]:
    """Return the routes of plain HTTP."""

    async def list_tools(request: web.Request) -> web.Response:
        tools = [
            {**listed(tool), "parameters": tool.input_schema, "supports_streaming": tool.streams}
            for tool in calls.listed_for(request[CALLER])
        ]
        return json_response({"tools": tools, "count": len(tools)})

    async def execute(request: web.Request) -> web.StreamResponse:
        request_id = request[REQUEST_ID]
        try:
            name, arguments = _asked(await read_body(request), settings.max_json_depth)
            looked = request.get(LOOKED) or await calls.look(name, arguments, request[CALLER], request_id)
            if isinstance(looked, Kept):
                return kept_answer(request, looked, partial(_encoded, name))
            outcome = await calls.run(name, arguments, request[CALLER], request_id, looked=looked)
        except (InvalidArguments, UnknownTool) as error:
            return tool_error_response(error, request_id)
        return _answer(outcome, request_id)

    return [web.get("/v1/tools/list", list_tools), web.post("/v1/tools/execute", execute)]


def _answer(outcome: Outcome, request_id: str) -> web.StreamResponse:
    if outcome.error is not None:
        response = tool_error_response(outcome.error, request_id)
        response.headers.update(limit_headers(outcome.limit))
        return response
    assert outcome.result is not None
    body = _encoded(outcome.tool.name, outcome.result, Blanks(None, outcome.cache, datetime.now(UTC)))
    return WholeResponse(body, outcome.limit)


def _encoded(name: str, result: Result, blanks: Blanks) -> bytes:
    return orjson.dumps(
        {
            "tool_name": name,
            "result": orjson.Fragment(result.as_json()),
            **({} if blanks.cache is None else {"cache": blanks.cache}),
            "timestamp": blanks.now,
        }
    )


def _asked(body: bytes, max_depth: int) -> tuple[str, Any]:
    """Return the tool's name and its arguments; raises InvalidArguments."""
    try:
        asked = read_json(body, max_depth=max_depth)
    except BodyFault as fault:
        raise InvalidArguments([FieldProblem("body", str(fault))]) from None
    if not isinstance(asked, dict):
        raise InvalidArguments([FieldProblem("body", "is not an object", expected="tool_name and arguments")])
    problems = [
        FieldProblem(str(key)[:80], "is not a member of the body", allowed=("tool_name", "arguments"))
        for key in asked
        if key not in ("tool_name", "arguments")
    ]
    if not isinstance(asked.get("tool_name"), str):
        wrong = "is not text" if "tool_name" in asked else "is required"
        problems.insert(0, FieldProblem("tool_name", wrong, expected="the name of a tool"))
    if problems:
        raise InvalidArguments(problems[:MOST_PROBLEMS])
    return asked["tool_name"], asked.get("arguments")
