"""The issuers that the settings name; what is weak or contradicts itself is refused, with a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from rpc_server.backends.claims import Rules
from rpc_server.backends.jwks import RemoteKeys
from rpc_server.backends.keys import ALGORITHMS, ES256, RS256, KeyRefused, Keys, OneKey, pem_key, secret_key
from rpc_server.backends.verifier import Issuer
from rpc_server.secret_files import SettingsRefused, read_secret
from rpc_server.settings import IssuerSettings, Settings

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def trusted_issuers(settings: Settings) -> list[Issuer]:
    """Return whose tokens are taken; raises SettingsRefused where that cannot be told, or would be unsafe."""
    drafts = _several(settings) if settings.jwt_issuers else [_single(settings)]
    issuers = [_issuer(draft) for draft in drafts]
    if authorization_servers(issuers) and settings.public_url is None:
        raise SettingsRefused(
            "Set PUBLIC_URL to the address that clients use, such as https://crm.example.com: "
            "they learn from it whom to ask for a token for this server."
        )
    return issuers


def authorization_servers(issuers: Sequence[Issuer]) -> list[str]:
    """Return the issuers that clients can ask for a token: those that publish their keys, under their addresses."""
    names = [issuer.rules.issuer or "" for issuer in issuers if isinstance(issuer.keys, RemoteKeys)]
    return [name for name in names if name.startswith(("https://", "http://"))]


def secret_rules(settings: Settings) -> Rules:
    """Return what tokens of JWT_SECRET must say."""
    return _rules(_single(settings).entry)


@dataclass(frozen=True, slots=True)
class _Draft:
    """An issuer as it was set; *called* tells how its operator calls a setting of it."""

    entry: IssuerSettings
    secret: str | None
    called: Callable[[str], str]


def _single(settings: Settings) -> _Draft:
    entry = IssuerSettings(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        public_key_file=settings.jwt_public_key_file,
        jwks_url=settings.jwt_jwks_url,
        algorithms=settings.jwt_algorithms,
        tenant_claim=settings.jwt_tenant_claim,
        permissions_claim=settings.jwt_permissions_claim,
    )
    secret = None if settings.jwt_secret is None else settings.jwt_secret.get_secret_value()
    return _Draft(entry, secret, lambda name: f"JWT_{name.upper()}")


def _several(settings: Settings) -> list[_Draft]:
    others = [name for name in settings.model_fields_set if name.startswith("jwt_") and name != "jwt_issuers"]
    beside = sorted(name.upper() for name in others if getattr(settings, name))
    if beside:
        raise SettingsRefused(
            f"Unset {' and '.join(beside)}: JWT_ISSUERS says all that there is to say of each issuer."
        )
    drafts = [_listed(entry) for entry in settings.jwt_issuers]
    _check_distinct("issuer", [draft.entry.issuer for draft in drafts])
    _check_distinct("secret", [draft.secret for draft in drafts if draft.secret])
    return drafts


def _check_distinct(what: str, values: Sequence[str | None]) -> None:
    if len(set(values)) < len(values):
        raise SettingsRefused(f"Two issuers in JWT_ISSUERS have the same {what}: each needs one of its own.")


def _listed(entry: IssuerSettings) -> _Draft:
    if entry.issuer is None:
        raise SettingsRefused("Every object in JWT_ISSUERS needs an issuer: the iss that its tokens bear.")

    def called(name: str) -> str:
        return f"{'secret_file' if name == 'secret' else name} of {entry.issuer} in JWT_ISSUERS"

    secret = None if entry.secret_file is None else read_secret(entry.secret_file, called("secret"))
    return _Draft(entry, secret, called)


def _issuer(draft: _Draft) -> Issuer:
    keys, possible = _keys(draft)
    for algorithm in draft.entry.algorithms:
        called = draft.called("algorithms")
        if algorithm not in ALGORITHMS:
            raise SettingsRefused(f"{called}: {algorithm} is not one of {', '.join(ALGORITHMS)}.")
        if algorithm not in possible:
            raise SettingsRefused(
                f"{called}: {algorithm} does not go with the key, which is for {' or '.join(possible)}."
            )
    return Issuer(_rules(draft.entry), frozenset(draft.entry.algorithms or possible), keys)


def _rules(entry: IssuerSettings) -> Rules:
    return Rules(
        issuer=entry.issuer,
        audiences=frozenset(entry.audience),
        tenants=frozenset(entry.tenants),
        tenant_claim=entry.tenant_claim,
        permissions_claim=entry.permissions_claim,
    )


def _keys(draft: _Draft) -> tuple[Keys, tuple[str, ...]]:
    """Return the keys and the algorithms that they are for."""
    file, url = draft.entry.public_key_file, draft.entry.jwks_url
    sources = {"secret": draft.secret, "public_key_file": file, "jwks_url": url}
    given = [draft.called(name) for name, value in sources.items() if value is not None]
    if len(given) != 1:
        wrong = (
            f"Set only one of {', '.join(given)}" if given else f"Set one of {', '.join(map(draft.called, sources))}"
        )
        raise SettingsRefused(f"{wrong}: an issuer has one source of keys, and several issuers stand in JWT_ISSUERS.")
    if url is not None:
        return _remote(draft, url), (RS256, ES256)
    try:
        key = pem_key(file.read_bytes()) if file is not None else secret_key(draft.secret or "")
    except KeyRefused as refused:
        advice = " A good one: openssl rand -hex 32." if file is None else ""
        raise SettingsRefused(f"{given[0]} {refused}.{advice}") from None
    except OSError as error:
        raise SettingsRefused(f"{given[0]}: {error.filename} cannot be read: {error.strerror}.") from None
    return OneKey(key), (key.algorithm,)


def _remote(draft: _Draft, url: str) -> RemoteKeys:
    called, entry, parts = draft.called("jwks_url"), draft.entry, _parts(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise SettingsRefused(f"{called} must begin with https://: over plain HTTP anybody on the way can put in keys.")
    if not parts.hostname or parts.username is not None:
        raise SettingsRefused(f"{called} must be an address such as https://id.example.com/jwks.json, without a login.")
    missing = [draft.called(name) for name in ("issuer", "audience") if not getattr(entry, name)]
    if missing or entry.issuer is None:
        raise SettingsRefused(
            f"{called} needs {' and '.join(missing)}: without, a token for anybody else's server would be taken here."
        )
    return RemoteKeys(url, entry.issuer)


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # half a pair of brackets
        return SplitResult("https", "", "", "", "")
