"""What the server is measured beside, in which versions; the one place where these stand."""

from tests.clients.pins import Environment

_DRIVER = "asyncpg==0.32.0"
# What uvicorn is fastest with.
_FAST = ("uvloop==0.23.0", "httptools==0.9.0")

SDK = Environment("bench-mcp", ("mcp==2.3.0", _DRIVER, *_FAST))
FASTMCP = Environment("bench-fastmcp", ("fastmcp==4.1.2", _DRIVER, *_FAST))
TYPESCRIPT = Environment(
    "bench-ts", ("@modelcontextprotocol/sdk@1.32.2", "pg@8.23.1", "express@5.2.1", "zod@4.1.13"), is_node=True
)
TOOLBOX = Environment("bench-toolbox", ("@toolbox-sdk/server@1.12.0",), is_node=True)
