"""What a verified token says: who calls, for how long, and with which permissions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rpc_server.contract.caller import Caller

CLOCK_SKEW_SECONDS = 30
MAX_ID_LENGTH = 512
# The last second of the year 9999: a time beyond it is a mistake, and no calendar could show it.
LATEST = 253_402_300_799
TENANT, PERMISSIONS = "tenant_id", "permissions"

Fault = Literal["missing", "malformed", "invalid", "expired", "not_yet", "issuer", "audience", "claims", "key"]


class TokenRefused(Exception):
    """The token does not say who calls; the message is a sentence for its holder, *fault* a word for a metric."""

    def __init__(self, message: str, fault: Fault = "invalid") -> None:
        super().__init__(message)
        self.fault: Fault = fault


@dataclass(frozen=True, slots=True)
class Rules:
    """What the tokens of an issuer must say, and where they say it.

    A claim is named as it stands at the top of the token, or by its path (RFC 6901) as `/app/tenant`.
    """

    issuer: str | None = None
    audiences: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    tenant_claim: str = TENANT
    permissions_claim: str = PERMISSIONS


def caller_of(claims: Mapping[str, Any], rules: Rules, now: float) -> tuple[Caller, float]:
    """Return who holds the token and when it expires; raises TokenRefused."""
    expires = _check_times(claims, now)
    _check_issuer(claims, rules)
    _check_audience(claims, rules)
    tenant = _identity(claims, rules.tenant_claim)
    if rules.tenants and tenant not in rules.tenants:
        raise TokenRefused("The token's issuer does not speak for that tenant.", "issuer")
    user = _identity(claims, "user_id", "sub")
    return Caller(tenant, user, frozenset(_permissions(claims, rules.permissions_claim))), expires


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    """Refuse a token outside its time; one that was issued in the future is taken, for that proves nothing."""
    expires, begins, _ = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is None:
        raise TokenRefused("The token has no exp: it must say when it expires.", "claims")
    if expires <= now - CLOCK_SKEW_SECONDS:
        raise TokenRefused("The token has expired.", "expired")
    if begins is not None and begins > now + CLOCK_SKEW_SECONDS:
        raise TokenRefused("The token is not valid yet (nbf).", "not_yet")
    return expires


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a NumericDate of RFC 7519, or None where the claim is left out."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= LATEST:  # a bool is no number, and NaN is no time
        raise TokenRefused(f"The token's {name} must be a number of seconds since 1970.", "claims")
    return float(value)


def _check_issuer(claims: Mapping[str, Any], rules: Rules) -> None:
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        raise TokenRefused("The token's issuer (iss) is not one that this server trusts.", "issuer")


def _check_audience(claims: Mapping[str, Any], rules: Rules) -> None:
    if not rules.audiences:
        return
    found = claims.get("aud")
    named = found if isinstance(found, list) else [found]
    if not all(isinstance(name, str) for name in named) or rules.audiences.isdisjoint(named):
        raise TokenRefused("The token is not meant for this server: its audience (aud) is another.", "audience")


def _identity(claims: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = _at(claims, name)
        if value is None:
            continue
        if isinstance(value, str) and value.strip() and len(value) <= MAX_ID_LENGTH and value.isprintable():
            return value
        sentence = f"The token's {name} must be a printable text of 1 to {MAX_ID_LENGTH} characters."
        raise TokenRefused(sentence, "claims")
    raise TokenRefused(f"The token has no {' or '.join(names)}.", "claims")


def _permissions(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the list of text under *name*; for other names than `permissions` also the words of a text.

    Without `permissions`, OAuth's `scope` counts.
    """
    if name == PERMISSIONS and name not in claims:
        return _words(claims.get("scope", ""), "scope")
    value = _at(claims, name)
    if name != PERMISSIONS and not isinstance(value, list):
        return _words("" if value is None else value, name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TokenRefused(f"The token's {name} must be a list of text.", "claims")
    return value


def _words(value: object, name: str) -> list[str]:
    if not isinstance(value, str):
        raise TokenRefused(f"The token's {name} must be a text of words.", "claims")
    return value.split()


def _at(claims: Mapping[str, Any], name: str) -> Any:
    """Return the claim of that name, or None where it is not there."""
    found: Any = claims
    for part in _path(name):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def placed(claims: dict[str, Any], name: str, value: object) -> None:
    """Put a claim where `caller_of` looks for it."""
    *outer, last = _path(name)
    for part in outer:
        claims = claims.setdefault(part, {})
    claims[last] = value


def _path(name: str) -> list[str]:
    if not name.startswith("/"):
        return [name]
    return [part.replace("~1", "/").replace("~0", "~") for part in name[1:].split("/")]
