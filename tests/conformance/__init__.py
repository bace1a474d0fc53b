"""The official conformance suites of MCP, run against a server made of the public API."""
