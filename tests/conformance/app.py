"""A server of the tools that the conformance suites ask for, made of the same parts as the CRM's.

`python -m tests.conformance.app` serves on a free port, prints the address and needs no token: the
suites can send none, so each request is given one as it comes in.
"""

import asyncio
import base64
from datetime import timedelta
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from pydantic import SecretStr

from rpc_server.app import make_app
from rpc_server.backends.tokens import Tokens
from rpc_server.contract import content
from rpc_server.contract.arguments import AnyArguments, NoArguments
from rpc_server.contract.content import Content
from rpc_server.contract.errors import MissingCapability, NotFound
from rpc_server.contract.tool import Call, Catalog, catalog, tool
from rpc_server.protocol.server_info import ServerInfo
from rpc_server.settings import Settings
from rpc_server.transport.server import Runner

SECRET = "conformance needs no secret of its own, but 32 bytes"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\0\0\0\0"

# Every word of it must survive.
SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
MIRRORED: dict[str, Any] = {
    "type": "object",
    "properties": {"region": {"type": "string", "description": "Where to ask.", "x-mcp-header": "Region"}},
    "additionalProperties": False,
}


def answer(*blocks: content.Block) -> Content:
    return Content(blocks=blocks)


@tool(title="Text", permission="tests.call")
async def test_simple_text(call: Call, arguments: NoArguments) -> Content:
    """Answer with a text."""
    return answer(content.text("This is a simple text response for testing."))


@tool(title="Picture", permission="tests.call")
async def test_image_content(call: Call, arguments: NoArguments) -> Content:
    """Answer with a picture."""
    return answer(content.image(PNG, "image/png"))


@tool(title="Sound", permission="tests.call")
async def test_audio_content(call: Call, arguments: NoArguments) -> Content:
    """Answer with a sound."""
    return answer(content.audio(WAV, "audio/wav"))


@tool(title="Resource", permission="tests.call")
async def test_embedded_resource(call: Call, arguments: NoArguments) -> Content:
    """Answer with a resource and all that is in it."""
    return answer(content.resource("test://embedded-resource", "text/plain", "This is an embedded resource content."))


@tool(title="Mixed", permission="tests.call")
async def test_multiple_content_types(call: Call, arguments: NoArguments) -> Content:
    """Answer with a text, a picture and a resource."""
    return answer(
        content.text("Multiple content types test:"),
        content.image(PNG, "image/png"),
        content.resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    )


@tool(title="Failure", permission="tests.call")
async def test_error_handling(call: Call, arguments: NoArguments) -> Content:
    """Fail."""
    raise NotFound("This tool intentionally returns an error for testing.")


@tool(title="Log", permission="tests.call")
async def test_tool_with_logging(call: Call, arguments: NoArguments) -> Content:
    """Write three log messages."""
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        call.client.log("info", words)
        await asyncio.sleep(0.05)
    return answer(content.text("Logged three messages."))


@tool(title="Log once", permission="tests.call")
async def test_logging_tool(call: Call, arguments: NoArguments) -> Content:
    """Write a log message, if that is wanted."""
    call.client.log("info", "This goes to those who asked for it.", logger="conformance")
    return answer(content.text("Logged."))


@tool(title="Progress", permission="tests.call", streams=True)
async def test_tool_with_progress(call: Call, arguments: NoArguments) -> Content:
    """Say how far it is."""
    for done in (0.25, 0.5, 0.75):
        call.progress.report("analyzing", done, f"{done:.0%} done.")
        await asyncio.sleep(0.05)
    return answer(content.text("All done."))


@tool(title="Stream", permission="tests.call", streams=True)
async def test_streaming_elicitation(call: Call, arguments: NoArguments) -> Content:
    """Stream without asking anything."""
    call.progress.report("analyzing", 0.5, "Half done.")
    return answer(content.text("Nothing was asked."))


@tool(title="Reconnect", permission="tests.call")
async def test_reconnection(call: Call, arguments: NoArguments) -> Content:
    """Let the client go, and have the answer ready when it comes back."""
    call.client.release()
    await asyncio.sleep(0.3)
    return answer(content.text("The answer came after the reconnection."))


@tool(title="Capability", permission="tests.call")
async def test_missing_capability(call: Call, arguments: NoArguments) -> Content:
    """Answer only clients that can sample."""
    if "sampling" not in call.client.capabilities:
        raise MissingCapability("sampling")
    return answer(content.text("The client can sample."))


@tool(title="Schema", permission="tests.call", schema=SCHEMA_2020_12)
async def json_schema_2020_12_tool(call: Call, arguments: AnyArguments) -> Content:
    """Show a schema of many keywords."""
    return answer(content.text("The schema is what counts."))


@tool(title="Mirror", permission="tests.call", schema=MIRRORED)
async def test_mirrored_argument(call: Call, arguments: AnyArguments) -> Content:
    """Take an argument that stands in a header too."""
    return answer(content.text("The header and the body agree."))


TOOLS: Catalog = catalog(
    [
        test_simple_text,
        test_image_content,
        test_audio_content,
        test_embedded_resource,
        test_multiple_content_types,
        test_error_handling,
        test_tool_with_logging,
        test_logging_tool,
        test_tool_with_progress,
        test_streaming_elicitation,
        test_reconnection,
        test_missing_capability,
        json_schema_2020_12_tool,
        test_mirrored_argument,
    ]
)
INFO = ServerInfo(name="conformance", title="Conformance", version="1.0.0", logs=True, lists=("resources", "prompts"))


def make_test_app() -> web.Application:
    """Return the server; no database is there, and none of the tools asks for one."""
    settings = Settings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        jwt_secret=SecretStr(SECRET),
        log_level="error",
        rate_limit_read=0,
        rate_limit_analysis=0,
        analysis_concurrency=0,
    )
    app = make_app(settings, tools=TOOLS, info=INFO)
    token = Tokens(SECRET).sign("conformance", "suite", ["*"], timedelta(hours=1))

    @web.middleware
    async def with_token(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers.copy()
        headers[hdrs.AUTHORIZATION] = f"Bearer {token}"
        return await handler(request.clone(headers=headers))

    app.middlewares.insert(0, with_token)
    return app


async def serve() -> None:
    """Serve until cancelled."""
    runner = Runner(make_test_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://localhost:{runner.addresses[0][1]}/mcp", flush=True)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
