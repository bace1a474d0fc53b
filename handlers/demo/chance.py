"""Chance that falls the same everywhere: streams from a name, ids, weighted and log-normal draws.

Only `random()` and `getrandbits()` are drawn from a stream: Python promises their sequence,
and promises nothing about `choice` or `shuffle`. Whatever passes a logarithm or an exponential
is worked out in Decimal or rounded, for the last bit of a libm differs between platforms.
"""

from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from hashlib import sha256
from random import Random
from statistics import NormalDist
from typing import TypeVar
from uuid import UUID, SafeUUID

T = TypeVar("T")

Draw = Callable[[], float]
Bits = Callable[[int], int]

# What makes 128 bits a UUID of version 4.
KEEP = ~(0xF000 << 64 | 0xC000 << 48)
VERSION = 0x4000 << 64 | 0x8000 << 48

_blank = UUID.__new__
_set_number = vars(UUID)["int"].__set__
_set_safety = vars(UUID)["is_safe"].__set__
_unknown = SafeUUID.unknown

DRAWS = 256
QUANTILES = tuple(Decimal(str(round(NormalDist().inv_cdf((i + 0.5) / DRAWS), 3))) for i in range(DRAWS))
ROUGH = Context(prec=9)


def root(*names: object) -> int:
    """Give the number that the names seed a stream with; 192 bits, so that tenants never meet."""
    return int.from_bytes(sha256("\0".join(map(str, names)).encode()).digest()[:24], "big")


def named_id(*names: object) -> UUID:
    """Give the id that always belongs to these names."""
    return UUID(int=root("id", *names) >> 64 & KEEP | VERSION)


def new_id(bits: Bits) -> UUID:
    """Draw an id; fills the slots directly, for the checks of `UUID()` cost more than the rest of a row."""
    drawn = _blank(UUID)
    _set_number(drawn, bits(128) & KEEP | VERSION)
    _set_safety(drawn, _unknown)
    return drawn


def weighted(shares: Iterable[tuple[T, float]], size: int = 1000) -> tuple[T, ...]:
    """Lay things out in about `size` places by their shares, so that one draw of an index picks one."""
    shares = tuple(shares)
    whole = sum(share for _, share in shares)
    return tuple(thing for thing, share in shares for _ in range(round(size * share / whole)))


def lognormal(median: int, spread: float) -> tuple[int, ...]:
    """Give `DRAWS` equally likely whole values around a median; `spread` is the sigma of the logarithm."""
    sigma = Decimal(str(spread))
    middle = Decimal(median)
    return tuple(int(ROUGH.multiply(middle, ROUGH.exp(ROUGH.multiply(sigma, z)))) for z in QUANTILES)


def shuffled(things: Iterable[T], draw: Draw) -> list[T]:
    """Give the things in an order that chance made."""
    left = list(things)
    return [left.pop(int(draw() * len(left))) for _ in range(len(left))]


def stream(*names: object) -> Random:
    """Open the stream of these names."""
    return Random(root("stream", *names))  # noqa: S311 - made-up data, no secret
