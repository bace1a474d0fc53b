"""Real MCP clients, each in an environment of its own, against two replicas of the real server."""
