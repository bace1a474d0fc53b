"""The wire protocols, pure: bytes and dicts in, dicts and bytes out, no I/O."""
