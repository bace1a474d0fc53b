"""All settings of a server, read once from the environment; nobody else looks at it."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """What can be set, by the upper-case name of each field (DATABASE_URL, …)."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

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
    jwt_secret: SecretStr | None = Field(
        None, description="The secret of HS256 tokens, at least 32 bytes. With --dev one is made and kept."
    )
    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 for all.")
    port: int = Field(8081, ge=0, le=65535, description="The port to listen on; 0 for any free one.")
    public_url: str | None = Field(None, description="Where clients reach the server, if not at its own address.")
    data_dir: Path = Field(
        ROOT / ".data", description="Where --dev keeps its PostgreSQL data and its secret; ignored by git."
    )
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="Largest request body; larger ones get 413.")
    body_seconds: float = Field(15.0, gt=0, description="How long a request body may take to arrive; then 408.")
    max_batch: int = Field(50, ge=1, le=1000, description="Most members of one JSON-RPC batch.")
    batch_concurrency: int = Field(4, ge=1, le=64, description="How many members of a batch run at a time.")
    max_json_depth: int = Field(64, ge=8, le=512, description="Deepest nesting of a JSON body.")
    progress_wait_seconds: float = Field(
        10.0, ge=0, le=60, description="How long a watcher waits for the call it asks for to begin; then 404."
    )
    drain_seconds: float = Field(
        30.0, ge=0, le=600, description="How long running calls may go on after SIGTERM before they are stopped."
    )
    log_format: str = Field(
        "auto", pattern="^(auto|json|text)$", description="json, text, or auto: text on a terminal."
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="The least level that is logged."
    )
