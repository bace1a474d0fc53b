"""Fuzzing of /mcp and /rpc, guided by coverage: bytes as they come from a socket, judged as they go back."""
