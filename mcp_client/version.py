"""The client's version: what it is installed as, and how it introduces itself."""

__version__ = "0.1.0"
USER_AGENT = f"mcp-client/{__version__}"
