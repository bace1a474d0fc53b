"""What opens a read transaction, sent ahead of its first statement, so that both take a single round trip.

asyncpg sends one statement and waits for its answer. PostgreSQL would take several in a row, and answers them together
when it is told to (Sync); that is what these messages are for. They end without a Sync: the driver's own statement,
written right behind them, brings it. The driver passes over their answers, which are no rows; where one of them fails,
PostgreSQL passes over all that follows, and the driver raises its error.
"""

_ENTER = "crm_mcp_enter_reader"
# So that no row comes of it: `concat` is never null.
PREPARE_ENTER = f"""
    prepare {_ENTER} (text, text) as
    select where concat(set_config('role', 'mcp_reader', true),
                        set_config('mcp.tenant_id', $1, true),
                        set_config('statement_timeout', $2, true)) is null
"""
BEGIN_READING = "begin isolation level repeatable read read only"


def opening(tenant_id: str, milliseconds: int, *, is_left: bool) -> bytes:
    """Return what ends the transaction that was left open, if one was, and opens the next one as *tenant_id*'s.

    On a connection where PREPARE_ENTER was run; *milliseconds* bound each statement's time.
    """
    enter = _run(_ENTER, tenant_id, str(milliseconds))
    return (_ROLLBACK if is_left else b"") + _BEGIN + enter


def _run(statement: str, *values: str) -> bytes:
    """Return the messages Bind and Execute of a prepared statement; values and rows are text."""
    bound = b"".join(_sized(value.encode()) for value in values)
    bind = b"\0" + statement.encode() + b"\0" + _short(0) + _short(len(values)) + bound + _short(0)
    return _message(b"B", bind) + _message(b"E", b"\0" + bytes(4))


def _parsed(text: str) -> bytes:
    """Return the message Parse of a statement without a name and parameters, and what runs it."""
    return _message(b"P", b"\0" + text.encode() + b"\0" + _short(0)) + _run("")


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + (len(content) + 4).to_bytes(4, "big") + content


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _short(number: int) -> bytes:
    return number.to_bytes(2, "big")


_ROLLBACK = _parsed("rollback")
_BEGIN = _parsed(BEGIN_READING)
