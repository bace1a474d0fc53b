"""Session ids: sealed, bound to their caller, good for a time, and readable by whoever has the secret."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpc_server.contract.caller import Caller
from rpc_server.protocol.session import SessionSeal
from rpc_server.protocol.versions import V2025_11_25, VERSIONS, Version

SECRET = b"x" * 32
ANA = Caller("aurora", "ana", frozenset())


class Clock:
    """A clock that a test moves."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def seal(secret: bytes = SECRET, clock: Clock | None = None) -> SessionSeal:
    return SessionSeal(secret, 3600, clock or Clock())


@pytest.mark.parametrize("version", VERSIONS.values())
def test_another_process_with_the_same_secret_reads_what_one_has_made(version: Version) -> None:
    made = seal().begin(version, ANA)

    assert seal().read(made.id, ANA) == made


def test_an_id_is_visible_ascii_and_never_comes_twice() -> None:
    ids = {seal().begin(V2025_11_25, ANA).id for _ in range(100)}

    assert len(ids) == 100
    assert set("".join(ids)) <= set(string.ascii_letters + string.digits + "-_")


@pytest.mark.parametrize(
    "other",
    [
        Caller("boreal", "ana", frozenset()),
        Caller("aurora", "bia", frozenset()),
        Caller("auroraa", "na", frozenset()),
        Caller("", "auroraana", frozenset()),
    ],
)
def test_nobody_else_can_use_it(other: Caller) -> None:
    assert seal().read(seal().begin(V2025_11_25, ANA).id, other) is None


def test_the_same_caller_with_other_permissions_still_can() -> None:
    made = seal().begin(V2025_11_25, ANA)

    assert seal().read(made.id, Caller("aurora", "ana", frozenset(["*"]))) == made


def test_it_ends_with_its_time() -> None:
    clock = Clock()
    made = seal(clock=clock).begin(V2025_11_25, ANA)
    clock.now += 3599
    assert seal(clock=clock).read(made.id, ANA) is not None

    clock.now += 1

    assert seal(clock=clock).read(made.id, ANA) is None


def test_another_secret_reads_nothing() -> None:
    assert seal(b"y" * 32).read(seal().begin(V2025_11_25, ANA).id, ANA) is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="SESSION_SECRET must have at least 32 bytes; it has 31"):
        seal(b"x" * 31)


@given(position=st.integers(0, 61), letter=st.sampled_from(string.ascii_letters + string.digits + "-_"))
def test_changing_a_letter_makes_it_another_or_the_very_same_session(position: int, letter: str) -> None:
    made = seal().begin(V2025_11_25, ANA)
    changed = made.id[:position] + letter + made.id[position + 1 :]

    read = seal().read(changed, ANA)

    assert read is None or read == made


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_anything_else_is_no_session(text: str) -> None:
    assert seal().read(text, ANA) is None
