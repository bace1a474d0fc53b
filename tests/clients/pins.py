"""Which clients are tried, in which versions; the one place where these stand."""

from dataclasses import dataclass

MODERN = "2026-07-28"
# The newest of those that begin with a handshake.
LATEST_SESSION = "2025-11-25"


@dataclass(frozen=True, slots=True)
class Environment:
    """A folder of its own with packages of PyPI or of npm in it."""

    name: str
    packages: tuple[str, ...]
    is_node: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """A client in one of its modes, and what it can be expected to do."""

    name: str
    environment: Environment
    driver: str
    version: str
    mode: str = ""
    # Steps that its own API has no way to take.
    cannot: tuple[str, ...] = ()


_MCP_2 = Environment("mcp-2.3", ("mcp==2.3.0",))
_MCP_1 = Environment("mcp-1.30", ("mcp==1.30.0",))
_MCP_JUNE = Environment("mcp-1.22", ("mcp==1.22.0",))
# The newest pydantic has taken away what this one calls.
_MCP_MARCH = Environment("mcp-1.9", ("mcp==1.9.4", "pydantic==2.11.7"))
_ADK = Environment("google-adk", ("google-adk[mcp]==2.13.0",))
_AGENTS = Environment("openai-agents", ("openai-agents==0.24.0", "mcp==2.3.0"))
_LANGCHAIN = Environment("langchain", ("langchain-mcp-adapters==0.3.2",))
_TS_2 = Environment("ts-2.4", ("@modelcontextprotocol/client@2.4.0",), is_node=True)
_TS_1 = Environment("ts-1.32", ("@modelcontextprotocol/sdk@1.32.2",), is_node=True)
_TS_JUNE = Environment("ts-1.20", ("@modelcontextprotocol/sdk@1.20.0",), is_node=True)
_TS_MARCH = Environment("ts-1.12", ("@modelcontextprotocol/sdk@1.12.0",), is_node=True)
_INSPECTOR = Environment("inspector", ("@modelcontextprotocol/inspector@2.12.0",), is_node=True)

# Agents call what was listed to them, and nothing else.
_LISTED_ONLY = ("unknown tool",)
# There is no way to ask for progress, or to be shown it.
_SILENT = ("progress",)

CLIENTS = (
    Client("mcp 2.3, auto", _MCP_2, "mcp_v2.py", MODERN, mode="auto"),
    Client("mcp 2.3, 2026-07-28", _MCP_2, "mcp_v2.py", MODERN, mode=MODERN),
    Client("mcp 2.3, legacy", _MCP_2, "mcp_v2.py", LATEST_SESSION, mode="legacy"),
    Client("mcp 1.30", _MCP_1, "mcp_v1.py", LATEST_SESSION),
    Client("mcp 1.22", _MCP_JUNE, "mcp_v1.py", "2025-06-18"),
    Client("mcp 1.9", _MCP_MARCH, "mcp_v1.py", "2025-03-26"),
    Client("Google ADK 2.13", _ADK, "adk.py", LATEST_SESSION, cannot=_LISTED_ONLY),
    Client("OpenAI Agents 0.24", _AGENTS, "openai_agents.py", MODERN, cannot=_SILENT),
    Client("LangChain adapters 0.3", _LANGCHAIN, "langchain_tools.py", LATEST_SESSION, cannot=_LISTED_ONLY),
    Client("TypeScript client 2.4, auto", _TS_2, "ts_v2.mjs", MODERN, mode="auto"),
    Client("TypeScript client 2.4, pinned", _TS_2, "ts_v2.mjs", MODERN, mode=MODERN),
    Client("TypeScript client 2.4, legacy", _TS_2, "ts_v2.mjs", LATEST_SESSION, mode="legacy"),
    Client("TypeScript SDK 1.32", _TS_1, "ts_v1.mjs", LATEST_SESSION),
    Client("TypeScript SDK 1.20", _TS_JUNE, "ts_v1.mjs", "2025-06-18"),
    Client("TypeScript SDK 1.12", _TS_MARCH, "ts_v1.mjs", "2025-03-26"),
    Client("Inspector 2.12, modern", _INSPECTOR, "inspector.py", MODERN, mode="modern", cannot=_SILENT),
    Client("Inspector 2.12, legacy", _INSPECTOR, "inspector.py", LATEST_SESSION, mode="legacy", cannot=_SILENT),
)
