"""What no test may leave behind in what it printed and logged: secrets, tokens, passwords.

tests/conftest.py holds the output of every test against it, so that each of them is a test of the logs, too.
"""

import re

_TOKEN = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}")
_PASSWORD = re.compile(r"\b(?:postgres(?:ql)?|rediss?)://[^\s:/@\"']*:[^\s@\"']+@")


def leaks(text: str, *secrets: str) -> list[str]:
    """Name what *text* gives away, without repeating it."""
    found = {
        "a secret": any(secret in text for secret in secrets),
        "a token": _TOKEN.search(text) is not None,
        "a password": _PASSWORD.search(text) is not None,
    }
    return [name for name, is_there in found.items() if is_there]
