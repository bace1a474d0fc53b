"""Who calls, as the log tells it: the address behind the proxies that are trusted."""

import ipaddress
from collections.abc import Sequence

from aiohttp import web

# Nobody honest has more proxies; whoever is behind them wrote the rest.
_MOST_HOPS = 20

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(request: web.Request, trusted: Sequence[Network]) -> str:
    """Return the nearest address that is no trusted proxy's; empty where there is none, as on a Unix socket.

    X-Forwarded-For is read from its end, where each proxy adds whom it was called by.
    """
    address = _parsed(request.remote or "")
    if address is None:
        return ""
    for hop in reversed(_hops(request)):
        if not any(address in network for network in trusted):
            break
        named = _parsed(hop)
        if named is None:
            break
        address = named
    return str(address)


def _hops(request: web.Request) -> list[str]:
    return ",".join(request.headers.getall("X-Forwarded-For", [])).rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]


def _parsed(text: str) -> _Address | None:
    """Return the address in *text*, which may bear a port; an IPv4 address in IPv6's clothes as IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
