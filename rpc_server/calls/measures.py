"""Every metric of the server; there is no other. docs/metrics.md says what each is good for.

The tools, the queries, the routes, the outcomes of calls and the faults of tokens are known only to
the composition root, which gives their values.
"""

from typing import Final, get_args

from rpc_server.calls.limits import ToolClass
from rpc_server.calls.telemetry import Metric
from rpc_server.contract.model import ModelFailure

# MCP's own buckets for mcp.server.operation.duration.
_CALL_BUCKETS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_STATEMENT_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60)

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_STATUSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx", "gone")

CALLS = Metric("counter", "crm_mcp_calls_total", "Calls of tools, by how they ended.", {"tool": None, "outcome": None})
CALL_SECONDS = Metric(
    "histogram", "crm_mcp_call_duration_seconds", "How long calls took.", {"tool": None}, _CALL_BUCKETS
)
CALLS_IN_FLIGHT = Metric("gauge", "crm_mcp_calls_in_flight", "Calls that run now.", {"tool": None})

HTTP_REQUESTS = Metric(
    "counter",
    "crm_mcp_http_requests_total",
    "HTTP requests that were answered, or whose client went away first (gone).",
    {"route": None, "method": METHODS, "status": _STATUSES},
)
SSE_WATCHERS = Metric(
    "gauge", "crm_mcp_sse_watchers", "Streams of Server-Sent Events that are open now.", {"route": None}
)
REFUSED_TOKENS = Metric(
    "counter",
    "crm_mcp_refused_tokens_total",
    "Requests without a token that counts, by what was wrong.",
    {"fault": None},
)

CACHE_LOOKUPS = Metric(
    "counter",
    "crm_mcp_cache_lookups_total",
    "Answers of the tools whose answers are kept, by whether they were (hit) or had to be made (miss).",
    {"tool": None, "result": ("hit", "miss")},
)
LIMIT_REFUSALS = Metric(
    "counter", "crm_mcp_limit_refusals_total", "Calls refused by a limit.", {"class": get_args(ToolClass)}
)
REDIS_UP = Metric("gauge", "crm_mcp_redis_up", "1 while Redis is used, 0 while the server does without it.")
REDIS_FAILURES = Metric(
    "counter", "crm_mcp_redis_failures_total", "Times that Redis failed or was too slow, and was put out of use."
)

POSTGRES_UP = Metric("gauge", "crm_mcp_postgres_up", "0 while PostgreSQL is known not to answer, else 1.")
POOL_CONNECTIONS = Metric(
    "gauge", "crm_mcp_postgres_connections", "Connections to PostgreSQL.", {"state": ("idle", "in_use")}
)
POOL_SIZE = Metric("gauge", "crm_mcp_postgres_connections_max", "The most connections that this process opens.")
POOL_WAITING = Metric("gauge", "crm_mcp_postgres_waiting", "Those who wait for a connection now.")
POOL_WAITS = Metric("counter", "crm_mcp_postgres_waits_total", "Times that no connection was free at once.")
POOL_WAIT_SECONDS = Metric(
    "counter", "crm_mcp_postgres_wait_seconds_total", "How long was waited for connections in all, in seconds."
)
POOL_REFUSALS = Metric(
    "counter",
    "crm_mcp_postgres_refusals_total",
    "Times that nobody got a connection: none was free, or PostgreSQL down.",
)
STATEMENT_SECONDS = Metric(
    "histogram",
    "crm_mcp_statement_duration_seconds",
    "How long SQL statements took, failed ones too, by the name of their file.",
    {"query": None},
    _STATEMENT_BUCKETS,
)

PROGRESS_DROPPED = Metric(
    "counter", "crm_mcp_progress_events_dropped_total", "Progress events that a slow watcher never got."
)
FACTS_WAITING = Metric(
    "gauge", "crm_mcp_facts_waiting", "About how many marks of changes wait, of whose contacts facts are made anew."
)
AUDIT_WAITING = Metric("gauge", "crm_mcp_audit_waiting", "Audit entries about refusals that wait to be written.")
AUDIT_LOST = Metric(
    "counter", "crm_mcp_audit_lost_total", "Audit entries that were not written; they stand in the log instead."
)

MODEL_REQUESTS = Metric(
    "counter",
    "crm_mcp_model_requests_total",
    "Requests to the language model, retries within one not counted, by how they ended.",
    {"outcome": ("ok", "cancelled", *get_args(ModelFailure))},
)
MODEL_TOKENS = Metric("counter", "crm_mcp_model_tokens_total", "Tokens that the language model was paid for.")
BUDGET_REFUSALS = Metric(
    "counter",
    "crm_mcp_model_budget_refusals_total",
    "Requests not sent to the model because a call's or a tenant's budget of tokens was spent.",
    {"budget": ("call", "day")},
)

BUILD_INFO = Metric(
    "gauge", "crm_mcp_build_info", "Always 1; the labels say what runs.", {"version": None, "python": None}
)
UPTIME = Metric("gauge", "crm_mcp_uptime_seconds", "Since when the server has been ready to serve, in seconds.")
PROCESS_STARTED = Metric("gauge", "process_start_time_seconds", "When the process began, in seconds since 1970.")
PROCESS_CPU = Metric("counter", "process_cpu_seconds_total", "Processor time used, in seconds.")
PROCESS_MEMORY = Metric("gauge", "process_resident_memory_bytes", "Memory in use.")
PROCESS_FILES = Metric("gauge", "process_open_fds", "Open files and connections.")
PROCESS_FILES_MAX = Metric("gauge", "process_max_fds", "The most files and connections that may be open.")

METRICS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
