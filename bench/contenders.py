"""Who is measured: how each is started, what is sent to it, and how its answer is read."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import pins
from bench.stand import PEER_PASSWORD, TENANT, Question, Stand
from rpc_server.backends.tokens import Tokens
from tests.clients.environments import made, python_of
from tests.clients.pins import Environment
from tests.conformance.run import found_node

PEERS = Path(__file__).with_name("peers")
STATEMENT = PEERS / "leads_count.sql"
SECRETS = {
    "JWT_SECRET": "signs the tokens of those who are measured",
    "SESSION_SECRET": "seals the sessions of those who are measured",
}
# Each user has a limit of its own, set above the load.
_USERS = 32
_HOST = "127.0.0.1"
_NAME = "get_leads_count"


@dataclass(frozen=True, slots=True)
class Server:
    """A program that is started once for all that is asked of it; PORT in its command stands for its port."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    version: str = ""


# From a tool's arguments to a path, headers and a body.
Shape = Callable[[dict[str, Any]], tuple[str, dict[str, str], Any]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to ask a server: the shape of a request, and what else must stand in each answer."""

    name: str
    server: Server
    shape: Shape
    arguments: Callable[[Question], dict[str, Any]]
    is_cached: bool = False
    marks: tuple[str, ...] = ()
    has_tokens: bool = False
    has_sessions: bool = False
    is_canned: bool = False

    def requests(self, question: Question, port: int, sessions: "dict[str, str] | None" = None) -> list[str]:
        """Return requests as they go over the wire: one for each user, where there are users."""
        path, headers, body = self.shape(self.arguments(question))
        content = json.dumps(body)
        made = []
        for token in TOKENS if self.has_tokens else [""]:
            own = {"Authorization": f"Bearer {token}"} if token else {}
            if sessions:
                own["Mcp-Session-Id"] = sessions[token]
            made.append(as_sent(path, {**headers, **own}, content, port))
        return made


def as_sent(path: str, headers: dict[str, str], content: str, port: int) -> str:
    """Return a POST as it goes over the wire."""
    all_headers = {
        "Host": f"{_HOST}:{port}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Content-Length": str(len(content.encode())),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n{content}"


# --- shapes ---------------------------------------------------------------------------------------


# The load puts others in its place (bench.load).
FIRST_ID = 100_000


def _call(arguments: dict[str, Any], **params: Any) -> dict[str, Any]:
    named = {"name": _NAME, "arguments": arguments, **params}
    return {"jsonrpc": "2.0", "id": FIRST_ID, "method": "tools/call", "params": named}


def rpc(arguments: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    """Ask as JSON-RPC."""
    return "/rpc", {}, _call(arguments)


def rest(arguments: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    """Ask as plain HTTP."""
    return "/v1/tools/execute", {}, {"tool_name": _NAME, "arguments": arguments}


def mcp_session(arguments: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    """Ask as MCP 2025-11-25; in a session, where the server has them."""
    return "/mcp", {"MCP-Protocol-Version": "2025-11-25"}, _call(arguments)


def mcp_stateless(arguments: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    """Ask as MCP 2026-07-28."""
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": _NAME}
    return "/mcp", headers, _call(arguments, _meta=meta)


def mcp_june(arguments: dict[str, Any]) -> tuple[str, dict[str, str], Any]:
    """Ask as MCP 2025-06-18, the latest that Toolbox knows."""
    return "/mcp", {"MCP-Protocol-Version": "2025-06-18"}, _call(arguments)


def bare(path: str) -> Shape:
    """Ask a bare handler."""
    return lambda arguments: (path, {}, arguments)


def as_asked(question: Question) -> dict[str, Any]:
    """Return the arguments of our tool."""
    return question.arguments


def as_moments(question: Question) -> dict[str, Any]:
    """Return the arguments of the peers' tools, which need not resolve a period."""
    return dict(zip(("start", "end", "previous_start", "previous_end"), map(str, question.moments), strict=True))


# --- servers --------------------------------------------------------------------------------------


def _tokens() -> list[str]:
    tokens = Tokens(SECRETS["JWT_SECRET"])
    permissions = ["analytics.view", "contacts.view", "members.view", "pipelines.view"]
    return [tokens.sign(TENANT, f"user-{number}", permissions, timedelta(hours=24)) for number in range(_USERS)]


TOKENS = _tokens()
_TWO = "ours, two workers"
_OURS = (sys.executable, "-m", "rpc_server", "serve", "--host", _HOST, "--port", "PORT")


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}


def ours(stand: Stand, name: str, *options: str, **environment: str) -> Server:
    """Return our server as in production, logging to a file."""
    settings = {
        **_inherited(),
        **SECRETS,
        "DATABASE_URL": stand.url,
        "LOG_FORMAT": "json",
        "RATE_LIMIT_READ": "100000",
        **environment,
    }
    return Server(name, (*_OURS, *options), settings)


def own_contenders(stand: Stand, redis_url: str | None) -> list[Contender]:
    """Return our server on every road, and the floor."""
    floor = Server("floor", (sys.executable, "-m", "bench.floor", "PORT"), {**_inherited(), "DATABASE_URL": stand.url})
    found = [
        Contender("floor: handler alone", floor, bare("/canned"), as_moments, is_cached=True, is_canned=True),
        Contender("floor: our statements, isolated", floor, bare("/isolated"), as_moments),
        Contender("floor: one statement, isolated", floor, bare("/single"), as_moments),
    ]
    servers = [
        ours(stand, "ours", CACHE="off"),
        ours(stand, _TWO, "--workers", "2", CACHE="off", DATABASE_POOL_SIZE="5"),
        ours(stand, "ours, cache", CACHE="memory"),
    ]
    if redis_url:
        servers.append(ours(stand, "ours, Redis", REDIS_URL=redis_url))
    for server in servers:
        is_cached = server.name not in ("ours", _TWO)
        roads = {"/mcp 2025-11-25": mcp_session, "/mcp 2026-07-28": mcp_stateless, "/rpc": rpc, "REST": rest}
        for road, shape in roads.items():
            if server.name not in ("ours", "ours, cache") and road not in ("/mcp 2026-07-28", "/rpc"):
                continue
            found.append(
                Contender(
                    f"{server.name}: {road}",
                    server,
                    shape,
                    as_asked,
                    is_cached=is_cached,
                    marks=('"hit":true',) if is_cached else (),
                    has_tokens=True,
                    has_sessions=shape is mcp_session,
                )
            )
    return found


def peer_contenders(stand: Stand, folder: Path) -> list[Contender]:
    """Return the peers, whose environments are made where they are not there."""
    toolbox = _toolbox(stand, folder)
    found = [Contender("Toolbox", toolbox, mcp_june, as_moments)]
    programs = {
        "Python SDK": _python(pins.SDK, "sdk.py"),
        "FastMCP": _python(pins.FASTMCP, "fastmcp_server.py"),
        "TypeScript SDK": _node(pins.TYPESCRIPT, "typescript.mjs"),
    }
    for name, (command, version) in programs.items():
        for is_cached in (False, True):
            environment = {
                **_inherited(),
                "DATABASE_URL": stand.peer_url,
                "STATEMENT": str(STATEMENT),
                "NODE_ENV": "production",
                **({"CACHE": "memory"} if is_cached else {}),
            }
            title = f"{name}, dict" if is_cached else name
            server = Server(title, (*command, "PORT"), environment, version)
            found.append(Contender(title, server, mcp_session, as_moments, is_cached=is_cached))
    return found


def _python(environment: Environment, driver: str) -> tuple[tuple[str, ...], str]:
    return (str(python_of(made(environment))), str(PEERS / driver)), environment.packages[0]


def _node(environment: Environment, driver: str) -> tuple[tuple[str, ...], str]:
    """Copy the program next to `node_modules`: Node looks for packages from where a file is."""
    copied = made(environment) / driver
    shutil.copy(PEERS / driver, copied)
    return (found_node(), str(copied)), environment.packages[0]


def _toolbox(stand: Stand, folder: Path) -> Server:
    """Return Google's MCP Toolbox, with the statement as its one tool."""
    program = next(made(pins.TOOLBOX).glob("node_modules/@toolbox-sdk/server-*/bin/toolbox*"))
    parameters = [
        {"name": name, "type": "string", "description": f"{name}, ISO 8601"}
        for name in ("start", "end", "previous_start", "previous_end")
    ]
    config = {
        "sources": {
            "crm": {
                "kind": "postgres",
                "host": "localhost",
                "port": "5432",
                "user": stand.peer_login,
                "password": PEER_PASSWORD,
                "database": "postgres",
                "queryParams": {"host": stand.socket, "port": "5432", "pool_max_conns": "10"},
            }
        },
        "tools": {
            _NAME: {
                "kind": "postgres-sql",
                "source": "crm",
                "description": "Count the leads created in a period, by decision, beside the period before.",
                "statement": STATEMENT.read_text(encoding="utf-8"),
                "parameters": parameters,
            }
        },
    }
    file = folder / "tools.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")  # which is YAML too
    command = (str(program), "--tools-file", str(file), "--address", _HOST, "--port", "PORT", "--log-level", "error")
    return Server("Toolbox", command, _inherited(), pins.TOOLBOX.packages[0])
