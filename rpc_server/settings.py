"""All settings of a server, read once from the environment; nobody else looks at it."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    model_validator,
)

from rpc_server.secret_files import SettingsRefused, read_secrets

ROOT = Path(__file__).resolve().parent.parent


def _listed(value: Any) -> Any:
    """Take a text with commas for a list."""
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


def _json(value: Any) -> Any:
    """Take a text for the JSON that it is; what it holds may be secret, so that nothing of it is quoted."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise ValueError("must be JSON: a list of objects, one for each issuer") from None


def _address(value: str) -> str:
    """Return an address that paths can be put behind."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address like https://crm.example.com, without ? and #")
    return value.rstrip("/")


_Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class IssuerSettings(BaseModel):
    """An issuer of JWT_ISSUERS; each member means what JWT_… of the same name means."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str | None = Field(None, min_length=1)
    audience: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    secret_file: Path | None = None
    public_key_file: Path | None = None
    jwks_url: str | None = None
    algorithms: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    tenant_claim: str = Field("tenant_id", min_length=1)
    permissions_claim: str = Field("permissions", min_length=1)
    # The only tenants that this issuer speaks for; empty: all.
    tenants: tuple[str, ...] = ()


class Settings(BaseModel):
    """What can be set, by the upper-case name of each field (DATABASE_URL, …)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _from_environment(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Read what is not *given* from the environment, and secrets from files; an empty variable sets nothing."""
        # Not by pydantic-settings, which takes 40 ms to import.
        variables = {name.lower(): value for name, value in os.environ.items() if value}
        found = {name: variables[name] for name in cls.model_fields if name in variables}
        return {**found, **read_secrets(cls.model_fields, variables), **given}

    def names_an_issuer(self) -> bool:
        """Tell whether anybody is named whose tokens count."""
        sources = (self.jwt_secret, self.jwt_public_key_file, self.jwt_jwks_url)
        return bool(self.jwt_issuers) or any(source is not None for source in sources)

    def traces_endpoint(self) -> str | None:
        """Return the address that takes spans; None where nothing is traced."""
        whole, base = self.otel_exporter_otlp_traces_endpoint, self.otel_exporter_otlp_endpoint
        return whole or (base and f"{base}/v1/traces")

    def sealing_secret(self) -> bytes:
        """Return what is sealed for all replicas; raises SettingsRefused where there is nothing to seal with."""
        secret = self.session_secret or self.jwt_secret
        if secret is None:
            raise SettingsRefused(
                "Set SESSION_SECRET to a random text of at least 32 bytes, the same for all replicas: "
                "without JWT_SECRET there is nothing else to seal sessions with."
            )
        return secret.get_secret_value().encode()

    database_url: SecretStr | None = Field(
        None,
        description="The server's login at PostgreSQL (14 or newer). Unset: an embedded PostgreSQL, with --dev only.",
    )
    database_owner_url: SecretStr | None = Field(
        None,
        description="The login that migrates and loads data; may create roles. Unset: the same as DATABASE_URL.",
    )
    database_pool_size: int = Field(10, ge=1, le=500, description="Most connections of one server process.")
    database_wait_seconds: float = Field(
        5.0, gt=0, le=60, description="How long a call waits for a connection before dependency_unavailable."
    )
    database_pooler: Literal["auto", "session", "transaction"] = Field(
        "auto",
        description="What stands before PostgreSQL. transaction: a pooler such as PgBouncer in that mode; session: one "
        "that keeps the backend, or that knows prepared statements; auto: noticed, and taken for the first.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Where Redis (7.0 or newer) or Valkey is, as redis://login:password@host:6379/0, or rediss:// for "
        "TLS; what replicas share is kept there. Unset: each process keeps it for itself.",
    )
    redis_prefix: str = Field(
        "crm-mcp",
        pattern="^[A-Za-z0-9_.-]{1,64}$",
        description="Begins each key in Redis; another one for each deployment that shares a Redis.",
    )
    redis_timeout_seconds: float = Field(
        0.25, gt=0, le=5, description="How long Redis may take; then the server goes on without it for a while."
    )
    cache: Literal["auto", "memory", "off"] = Field(
        "auto",
        description="Where answers are remembered: auto: in Redis, or without one in the process, if there is only "
        "one; memory: in the process; off: nowhere. Several replicas without Redis need off.",
    )
    cache_bytes: int = Field(
        64 * 1024 * 1024, ge=1024 * 1024, description="Most memory that answers take in a process; Redis has its own."
    )
    rate_limit_read: int = Field(
        100, ge=0, le=100_000, description="Most calls a minute of tools that read, by one user; 0: any number."
    )
    rate_limit_write: int = Field(
        20, ge=0, le=100_000, description="Most calls a minute of tools that write, by one user; 0: any number."
    )
    rate_limit_analysis: int = Field(
        10, ge=0, le=100_000, description="Most calls a minute of the analyses, by one user; 0: any number."
    )
    analysis_concurrency: int = Field(
        4, ge=0, le=1000, description="Most analyses of one tenant at a time; 0: any number."
    )
    jwt_secret: SecretStr | None = Field(
        None, description="The secret of HS256 tokens, at least 32 bytes. With --dev one is made and kept."
    )
    jwt_issuer: str | None = Field(
        None,
        description="The iss that every token must bear. Unset: none is asked for; with JWT_JWKS_URL it must be set.",
    )
    jwt_audience: _Listed = Field(
        (),
        description="What a token must be meant for (aud), such as https://crm.example.com/mcp; with commas between "
        "several, of which one is enough. Unset: anything will do; with JWT_JWKS_URL it must be set.",
    )
    jwt_jwks_url: str | None = Field(
        None, description="Where the issuer publishes its keys (JWKS) for RS256 and ES256 tokens; https, or localhost."
    )
    jwt_public_key_file: Path | None = Field(
        None,
        description="The issuer's one public key or certificate, a PEM file: RSA (RS256) or EC on P-256 (ES256).",
    )
    jwt_algorithms: _Listed = Field(
        (),
        description="The algorithms taken, of HS256, RS256 and ES256, with commas between them. Unset: all that the "
        "keys are for.",
    )
    jwt_tenant_claim: str = Field(
        "tenant_id", description="The claim that holds the tenant: its name, or its path as /app_metadata/tenant."
    )
    jwt_permissions_claim: str = Field(
        "permissions",
        description="The claim that holds the permissions, a list (or words, where another one than permissions): its "
        "name, or its path. Without permissions, scope counts.",
    )
    jwt_issuers: Annotated[tuple[IssuerSettings, ...], BeforeValidator(_json)] = Field(
        (),
        description="Several issuers, as JSON, instead of all the other JWT settings; see identity.md.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 for all.")
    port: int = Field(8081, ge=0, le=65535, description="The port to listen on; 0 for any free one.")
    workers: int = Field(1, ge=1, le=64, description="How many processes serve on the port; --dev has only one.")
    public_url: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="Where clients reach the server, if not at its own address."
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_listed)] = Field(
        (),
        description="Networks of the proxies in front, such as 10.0.0.0/8, with commas between them; only from there "
        "X-Forwarded-For is believed, and it only tells the log who called.",
    )
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (),
        description="Further names that a Host header may bear, with commas between them; "
        "PUBLIC_URL's, HOST and localhost always may.",
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (),
        description="Origins whose pages may call the server, such as https://app.example.com, with commas between "
        "them; PUBLIC_URL's and localhost's always may.",
    )
    session_secret: SecretStr | None = Field(
        None,
        description="What MCP sessions are sealed with, at least 32 bytes, one for all replicas. Unset: JWT_SECRET.",
    )
    session_seconds: float = Field(
        86400.0, ge=60, le=2592000, description="How long an MCP session lasts; then its client begins another."
    )
    data_dir: Path = Field(
        ROOT / ".data", description="Where --dev keeps its PostgreSQL data and its secret; ignored by git."
    )
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="Largest request body; larger ones get 413.")
    body_seconds: float = Field(15.0, gt=0, description="How long a request body may take to arrive; then 408.")
    max_connections: int = Field(
        1000, ge=1, le=100000, description="Most connections of clients to one process; more get 503."
    )
    keep_alive_seconds: float = Field(
        60.0, gt=0, le=3600, description="How long a connection may be idle between two requests."
    )
    max_batch: int = Field(50, ge=1, le=1000, description="Most members of one JSON-RPC batch.")
    batch_concurrency: int = Field(4, ge=1, le=64, description="How many members of a batch run at a time.")
    max_json_depth: int = Field(64, ge=8, le=512, description="Deepest nesting of a JSON body.")
    progress_wait_seconds: float = Field(
        10.0, ge=0, le=60, description="How long a watcher waits for the call it asks for to begin; then 404."
    )
    drain_seconds: float = Field(
        30.0, ge=0, le=600, description="How long running calls may go on after SIGTERM before they are stopped."
    )
    ready_grace_seconds: float = Field(
        0.0,
        ge=0,
        le=120,
        description="How long after SIGTERM calls are still taken while /ready says 503, so that balancers notice.",
    )
    vertex_ai_project: str | None = Field(
        None, description="The Google Cloud project whose Gemini scores messages. Unset: no model is used."
    )
    vertex_ai_location: str = Field(
        "global", pattern="^[a-z0-9-]+$", description="Where the model runs; global: wherever Google likes."
    )
    vertex_ai_model: str = Field("gemini-3.5-flash", max_length=300, description="The model of Vertex AI.")
    vertex_ai_thinking: str = Field(
        "minimal",
        pattern="^(minimal|low|medium|high|default)$",
        description="How much it thinks: minimal, low, medium, high; default: as it likes (Gemini 2.5 takes no other).",
    )
    vertex_ai_url: str | None = Field(None, description="A private endpoint of Vertex AI, if not Google's own address.")
    vertex_ai_concurrency: int = Field(8, ge=1, le=256, description="Most requests to the model at a time.")
    vertex_ai_timeout_seconds: float = Field(
        20.0, gt=0, le=300, description="How long one request to the model may take."
    )
    metrics_dir: Path | None = Field(
        None,
        description="A folder that only the server can write to, the same for its processes on one machine: /metrics "
        "of each then shows all of them. WORKERS have one anyway.",
    )
    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="Where traces are sent, by OTLP over HTTP, such as http://collector:4318; needs the extra otel. "
        "Unset: nothing is traced.",
    )
    otel_exporter_otlp_traces_endpoint: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="The same, where it is not OTEL_EXPORTER_OTLP_ENDPOINT with /v1/traces behind it."
    )
    log_format: str = Field(
        "auto", pattern="^(auto|json|text)$", description="json, text, or auto: text on a terminal."
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="The least level that is logged."
    )
