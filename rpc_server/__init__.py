"""The server: JSON-RPC and MCP over HTTP, tenants, permissions; it knows nothing of leads or agents."""

VERSION = "0.1.0"
