"""What is asked for, what comes back, and the columns that the rows bear."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = tuple[object, ...]


@dataclass(frozen=True)
class DemoPlan:
    """One tenant to make up: equal plans give equal rows, on every platform.

    `contacts` arrive over the `days` before `until` (aware, any zone; cut to whole seconds) and
    nothing happens later than that. Raises ValueError where there is nothing sensible to make.
    """

    tenant_id: str
    contacts: int
    seed: int
    until: datetime
    days: int = 400

    def __post_init__(self) -> None:
        if not self.tenant_id:
            raise ValueError("A tenant has a name.")
        if self.contacts < 0 or self.days < 1:
            raise ValueError("There are no fewer than 0 contacts and no less than 1 day.")
        if self.until.tzinfo is None:
            raise ValueError("The end of the data is a moment, so it needs a time zone.")

    @property
    def end(self) -> int:
        """The last second that has data, in seconds since 1970."""
        return (self.until - EPOCH) // timedelta(seconds=1)

    @property
    def start(self) -> int:
        """The second from which contacts arrive, in seconds since 1970."""
        return self.end - self.days * 86_400


TABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        table: tuple(columns.split())
        for table, columns in (
            ("public.users", "id name email created_at"),
            (
                "public.projects",
                "id user_id tenant_id name description session_timeout_minutes created_at updated_at",
            ),
            ("public.channels", "id project_id tenant_id name type created_at"),
            (
                "public.pipelines",
                "id project_id tenant_id name description color position active"
                " session_timeout_minutes enable_ai_summary created_at updated_at",
            ),
            (
                "public.pipeline_statuses",
                "id pipeline_id name color status_type position active created_at updated_at",
            ),
            (
                "public.agents",
                "id project_id user_id tenant_id name email type status active virtual_metadata created_at updated_at",
            ),
            (
                "public.contacts",
                "id version project_id tenant_id name email phone source_channel timezone language tags"
                " first_interaction_at last_interaction_at created_at updated_at deleted_at",
            ),
            (
                "public.contact_pipeline_statuses",
                "id contact_id pipeline_id status_id tenant_id entered_at exited_at duration created_at updated_at",
            ),
            (
                "public.sessions",
                "id version contact_id tenant_id channel_type_id pipeline_id started_at ended_at status"
                " end_reason timeout_duration last_activity_at message_count messages_from_contact"
                " messages_from_agent duration_seconds first_contact_message_at first_agent_response_at"
                " agent_response_time_seconds contact_wait_time_seconds agent_ids agent_transfers"
                " sentiment sentiment_score resolved escalated converted created_at updated_at",
            ),
            (
                "public.agent_sessions",
                "id agent_id session_id role_in_session joined_at left_at is_active created_at updated_at",
            ),
            (
                "public.messages",
                "id timestamp from_me content_type text status agent_id source created_at updated_at"
                " tenant_id user_id project_id channel_id channel_type_id contact_id language session_id",
            ),
            ("public.session_ratings", "id tenant_id session_id contact_id rating rated_at"),
            (
                "public.contact_events",
                "id contact_id session_id tenant_id event_type category priority source title payload"
                " triggered_by occurred_at created_at",
            ),
            (
                "public.notes",
                "id contact_id session_id tenant_id author_id author_type author_name content note_type"
                " priority created_at updated_at",
            ),
            (
                "mcp_store.qualifications",
                "id tenant_id contact_id status reason budget authority need timeline score"
                " weights_version decided_by decided_at superseded_at",
            ),
            (
                "mcp_store.assignments",
                "id tenant_id contact_id agent_id priority notes assigned_by assigned_at superseded_at",
            ),
        )
    }
)


@dataclass
class Batch:
    """Rows to load together: a table's rows bear its columns in the order of `TABLES`."""

    contacts: int = 0
    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})
