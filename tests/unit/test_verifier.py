"""What is remembered of verified tokens, and for how long: by a clock and with keys that count."""

import pytest

from rpc_server.backends.claims import Rules, TokenRefused, caller_of
from rpc_server.backends.keys import HS256, Key, OneKey, secret_key
from rpc_server.backends.verifier import MOST_REMEMBERED, REMEMBERED_SECONDS, Issuer, Verifier
from tests.conftest import SECRET
from tests.wire.test_tokens import CLAIMS, signed

START = 1_800_000_000.0


class CountedKey(OneKey):
    """A key that knows how often it was asked for; it can be taken away."""

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.asked = 0
        self.version = 0
        self.gone = False

    def find(self, algorithm: str, kid: str | None) -> Key | None:
        self.asked += 1
        return None if self.gone else super().find(algorithm, kid)


class Bench:
    """A verifier, its clock and its key."""

    def __init__(self) -> None:
        self.now = START
        self.key = CountedKey(secret_key(SECRET))
        self.verifier = Verifier([Issuer(Rules(), frozenset({HS256}), self.key)], clock=lambda: self.now)

    def verify(self, token: str, after: float) -> bool:
        """Verify *token* so many seconds after the start; tell whether it had to be looked at."""
        self.now, before = START + after, self.key.asked
        assert self.verifier.verify(token).tenant_id == CLAIMS["tenant_id"]
        return self.key.asked > before


def token(lifetime: float, **changes: object) -> str:
    return signed(CLAIMS | {"exp": START + lifetime, **changes})


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_token_is_looked_at_once_a_minute(bench: Bench) -> None:
    good = token(3600)

    looked_at = [bench.verify(good, after) for after in (0, 1, REMEMBERED_SECONDS - 0.01, REMEMBERED_SECONDS, 100, 120)]

    assert looked_at == [True, False, False, True, False, True]


def test_a_token_is_not_remembered_past_its_exp(bench: Bench) -> None:
    short = token(20)

    assert [bench.verify(short, after) for after in (0, 19, 20, 21, 49)] == [True, False, True, True, True]
    bench.now = START + 50
    with pytest.raises(TokenRefused, match="expired"):
        bench.verifier.verify(short)


def test_a_token_is_not_remembered_over_a_change_of_keys(bench: Bench) -> None:
    good = token(3600)
    assert [bench.verify(good, 0), bench.verify(good, 1)] == [True, False]
    bench.key.version += 1
    assert bench.verify(good, 2)
    bench.key.version, bench.key.gone = 2, True
    with pytest.raises(TokenRefused, match="key that its issuer does not have"):
        bench.verifier.verify(good)


def test_a_clock_that_is_set_back_makes_it_forget(bench: Bench) -> None:
    good = token(3600)
    assert bench.verify(good, 0)

    assert [bench.verify(good, -3600), bench.verify(good, -3599)] == [True, False]


def test_what_was_refused_is_not_remembered(bench: Bench) -> None:
    forged = signed(CLAIMS, secret="another secret, of more than 32 bytes too")
    for n in range(1, 4):
        with pytest.raises(TokenRefused):
            bench.verifier.verify(forged)
        assert bench.key.asked == n


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(bench: Bench) -> None:
    tokens = [token(3600, jti=n) for n in range(MOST_REMEMBERED + 10)]
    for good in tokens:
        bench.verify(good, 0)

    assert len(bench.verifier._remembered._proofs) == MOST_REMEMBERED
    assert not bench.verify(tokens[-1], 1)
    assert not bench.verify(tokens[10], 1)
    assert bench.verify(tokens[0], 1)


def test_no_token_is_kept(bench: Bench) -> None:
    good = token(3600)
    bench.verify(good, 0)

    assert not [part for part in good.split(".") if part in repr(bench.verifier._remembered._proofs)]


def test_tokens_that_differ_in_a_character_are_different(bench: Bench) -> None:
    good = token(3600)
    bench.verify(good, 0)
    body, _, signature = good.rpartition(".")
    for changed in (f"{good}A", good[:-1], f"{body}.{signature.swapcase()}", good + "\udcff", f"{good}="):
        with pytest.raises(TokenRefused):
            bench.verifier.verify(changed)


@pytest.mark.parametrize("said", [{}, {"iss": "other"}, {"iss": None}, {"iss": ["id"]}])
def test_whose_token_it_is_counts_again_once_it_is_verified(said: dict[str, object]) -> None:
    claims = CLAIMS | {"exp": START + 60}
    assert caller_of(claims | {"iss": "id"}, Rules(issuer="id"), START)
    with pytest.raises(TokenRefused, match="not one that this server trusts"):
        caller_of(claims | said, Rules(issuer="id"), START)
