"""The versions of the Model Context Protocol that are served, and in what they differ on the wire."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Version:
    """One version, by its date.

    *is_stateless*: every request says all about itself, and there is no handshake. *has_batches*:
    several messages in one body. *has_structure*: titles, output schemas, structured content, links
    to resources. *primes_streams*: a stream begins with an event without data, so that it can be resumed
    from its very beginning; older clients would try to read that event.
    """

    name: str
    is_stateless: bool = False
    has_batches: bool = False
    has_structure: bool = True
    primes_streams: bool = False


V2025_03_26: Final = Version("2025-03-26", has_batches=True, has_structure=False)
V2025_06_18: Final = Version("2025-06-18")
V2025_11_25: Final = Version("2025-11-25", primes_streams=True)
V2026_07_28: Final = Version("2026-07-28", is_stateless=True)

VERSIONS: Final = {version.name: version for version in (V2026_07_28, V2025_11_25, V2025_06_18, V2025_03_26)}
"""All of them, the latest first."""

SUPPORTED: Final = list(VERSIONS)
LATEST_WITH_SESSIONS: Final = V2025_11_25


def negotiated(requested: str) -> Version:
    """Return what `initialize` agrees upon: the version asked for, else the latest one that has a handshake."""
    version = VERSIONS.get(requested, LATEST_WITH_SESSIONS)
    return LATEST_WITH_SESSIONS if version.is_stateless else version
