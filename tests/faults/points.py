"""The named points at which a server or its backend dies."""

from dataclasses import dataclass

from rpc_server.backends.postgres import Transaction
from rpc_server.contract.query import query
from tests.faults.trap import Moment, Stop

OPENING = Transaction.opening
CLAIM_KEY = query("writes/claim_key").text
GET_ANSWER = query("writes/get_answer").text
LOCK_CONTACT = query("operations/lock_contact").text
BUMP_VERSION = query("operations/bump_version").text
ADD_AUDIT_ENTRY = query("writes/add_audit_entry").text
KEEP_ANSWER = query("writes/keep_answer").text


@dataclass(frozen=True, slots=True)
class Point:
    """A point, by the several moments at which it can be met; *replays*: when the change was made before."""

    name: str
    stops: tuple[Stop, ...]
    replays: bool = False


POINTS = (
    Point(
        "before the first statement",
        (
            Stop(OPENING, Moment.ASKED, committed=False),
            Stop(CLAIM_KEY, Moment.ASKED, committed=False),
            Stop(OPENING, Moment.ANSWERED, committed=False),
        ),
    ),
    Point(
        "amid the transaction",
        (
            Stop(BUMP_VERSION, Moment.ANSWERED, committed=False),
            Stop(KEEP_ANSWER, Moment.DONE, committed=False),
            Stop(ADD_AUDIT_ENTRY, Moment.ANSWERED, committed=False),
            Stop(LOCK_CONTACT, Moment.PASSED_ON, committed=False),
            Stop(CLAIM_KEY, Moment.ANSWERED, committed=False),
        ),
    ),
    Point(
        "after commit was sent and before its answer",
        (
            Stop("commit", Moment.DONE, committed=True, within=CLAIM_KEY),
            Stop("commit", Moment.PASSED_ON, committed=None, within=CLAIM_KEY),
            Stop("commit", Moment.ASKED, committed=False, within=CLAIM_KEY),
        ),
    ),
    Point(
        "between commit and reply",
        (
            Stop("commit", Moment.ANSWERED, committed=True, within=CLAIM_KEY),
            Stop("", Moment.REPLIED, committed=True),
        ),
    ),
    Point(
        "during a replay",
        (
            Stop(GET_ANSWER, Moment.ANSWERED, committed=True),
            Stop(CLAIM_KEY, Moment.ASKED, committed=True),
            Stop(CLAIM_KEY, Moment.ANSWERED, committed=True),
            Stop(GET_ANSWER, Moment.DONE, committed=True),
            Stop("rollback", Moment.ASKED, committed=True, within=GET_ANSWER),
        ),
        replays=True,
    ),
)
