"""Two agents at a time: intervals against independent implementations, and the rules of who wins."""

from collections.abc import Sequence
from itertools import combinations, permutations
from random import Random
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from handlers.pairwise import (
    DIMENSIONS,
    Difference,
    Dimension,
    Sample,
    Scored,
    Standing,
    differences,
    leader,
    stand,
    winner,
)
from handlers.ranking import MIN_SAMPLE, Agent, Rated, Timed, rank_medians, rank_rates
from handlers.statistics import Interval
from tests.tools.oracle import median_interval

PEOPLE = [Agent(UUID(int=number), name, "human") for number, name in enumerate("abcde", start=1)]
BY_NAME = {agent.name: agent for agent in PEOPLE}
ROUNDING = 5.1e-5

rate = st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
seconds = st.lists(st.floats(0, 1e5), max_size=40).map(sorted)
scores = st.lists(st.integers(0, 20).map(lambda half: half / 2), max_size=40)


rated = st.lists(rate, min_size=2, max_size=5).map(
    lambda found: [Rated(agent, hits, n) for agent, (hits, n) in zip(PEOPLE, found, strict=False)]
)
timed = st.lists(seconds, min_size=2, max_size=5).map(
    lambda found: [Timed(agent, values, []) for agent, values in zip(PEOPLE, found, strict=False)]
)
scored = st.lists(scores, min_size=2, max_size=5).map(
    lambda found: [Scored(agent, values) for agent, values in zip(PEOPLE, found, strict=False)]
)
questions = st.one_of(
    st.tuples(st.sampled_from(["conversion_rate", "satisfaction", "resolution_rate"]), rated),
    st.tuples(st.just("response_time"), timed),
    st.tuples(st.just("quality"), scored),
)


def expected_interval(one: Sample, other: Sample, alpha: float) -> tuple[float, float]:
    match one, other:
        case Rated(), Rated():
            low, high = confint_proportions_2indep(
                one.successes, one.n, other.successes, other.n, method="newcomb", compare="diff", alpha=alpha
            )
            return max(-1, low), min(1, high)
        case Timed(), Timed():
            first, second = median_interval(one.seconds, alpha), median_interval(other.seconds, alpha)
            assert first is not None and second is not None
            return first[0] - second[1], first[1] - second[0]
        case Scored(), Scored():
            means = CompareMeans(DescrStatsW(one.scores), DescrStatsW(other.scores))
            low, high = means.tconfint_diff(alpha=alpha, usevar="unequal")
            return max(-10, low), min(10, high)
    raise AssertionError((one, other))


@given(questions)
def test_each_pairs_interval_is_what_independent_implementations_give(
    question: tuple[Dimension, Sequence[Sample]],
) -> None:
    dimension, samples = question
    enough = [sample for sample in samples if sample.n >= MIN_SAMPLE]
    pairs = list(combinations(enough, 2))

    found = differences(dimension, enough)

    assert [(difference.a, difference.b) for difference in found] == [(one.agent, other.agent) for one, other in pairs]
    for difference, (one, other) in zip(found, pairs, strict=True):
        assert difference.level == pytest.approx(1 - 0.05 / len(pairs))
        if (
            isinstance(one, Scored)
            and isinstance(other, Scored)
            and 1 in (len(set(one.scores)), len(set(other.scores)))
        ):
            continue  # tests/unit/test_means.py has scores that do not vary
        expected = expected_interval(one, other, 0.05 / len(pairs))
        assert difference.interval == pytest.approx(expected, abs=ROUNDING)
        assert difference.interval.low <= difference.value <= difference.interval.high


@given(questions)
def test_a_difference_is_significant_just_where_the_interval_shown_excludes_zero(
    question: tuple[Dimension, Sequence[Sample]],
) -> None:
    dimension, samples = question
    for difference in stand(dimension, PEOPLE, samples).differences:
        low, high = difference.interval
        assert difference.is_significant == (low > 0 or high < 0)
        assert (difference.ahead is None) == (difference.behind is None) == (not difference.is_significant)
        if difference.ahead is not None:
            is_more = difference.value > 0
            assert difference.ahead == (difference.a if is_more != (dimension == "response_time") else difference.b)
            assert {difference.ahead, difference.behind} == {difference.a, difference.b}


@given(questions, st.randoms(use_true_random=False))
def test_the_order_of_the_agents_turns_signs_and_changes_nothing_else(
    question: tuple[Dimension, Sequence[Sample]], random: Random
) -> None:
    dimension, samples = question
    shuffled = PEOPLE[:]
    random.shuffle(shuffled)
    one, other = stand(dimension, PEOPLE, samples), stand(dimension, shuffled, samples)
    mirrored = {(d.a, d.b): d for d in other.differences}

    assert (one.leader, one.estimates, one.ranks) == (other.leader, other.estimates, other.ranks)
    assert len(one.differences) == len(other.differences)
    for difference in one.differences:
        same = mirrored.get((difference.a, difference.b))
        if same is not None:
            assert same == difference
        else:
            mirror = mirrored[difference.b, difference.a]
            assert mirror.value == -difference.value
            assert mirror.interval == Interval(-difference.interval.high, -difference.interval.low)
            assert mirror.is_significant == difference.is_significant


@given(questions)
def test_who_has_few_cases_is_shown_and_takes_no_part(question: tuple[Dimension, Sequence[Sample]]) -> None:
    dimension, samples = question
    few = {sample.agent for sample in samples if sample.n < MIN_SAMPLE}
    enough = [sample for sample in samples if sample.n >= MIN_SAMPLE]

    with_few, without = stand(dimension, PEOPLE, samples), stand(dimension, PEOPLE, enough)

    assert (with_few.differences, with_few.ranks, with_few.leader) == (
        without.differences,
        without.ranks,
        without.leader,
    )
    assert not few & {agent for d in with_few.differences for agent in (d.a, d.b)}
    assert not {agent.agent_id for agent in few} & set(with_few.ranks)
    for sample in samples:
        estimate = with_few.estimates[sample.agent.agent_id]
        assert (estimate.n, estimate.value is None) == (sample.n, sample.n == 0)
    for agent in {*PEOPLE} - {sample.agent for sample in samples}:
        assert with_few.estimates[agent.agent_id].n == 0


@given(rated)
def test_rates_are_ranked_as_everywhere(samples: list[Rated]) -> None:
    places = rank_rates(samples).places

    assert stand("satisfaction", PEOPLE, samples).ranks == {place.agent.agent_id: place.rank for place in places}


@given(timed)
def test_medians_are_ranked_as_everywhere(samples: list[Timed]) -> None:
    places = rank_medians(samples).places

    assert stand("response_time", PEOPLE, samples).ranks == {place.agent.agent_id: place.rank for place in places}


def test_scores_are_ranked_by_the_lower_end_and_equals_share_a_rank() -> None:
    steady, lucky, same, few = [8.0, 8.2] * 20, [10.0, 9.0, 4.0, 10.0] * 3, [8.2, 8.0] * 20, [10.0] * 9
    samples = [Scored(agent, of) for agent, of in zip(PEOPLE, (steady, lucky, same, few), strict=False)]

    ranks = stand("quality", PEOPLE, samples).ranks

    a, b, c = (agent.agent_id for agent in PEOPLE[:3])
    assert ranks == {a: 1, c: 1, b: 3}


def test_a_difference_too_small_to_show_is_not_significant() -> None:
    """Newcombe's interval lies just above 0 here, and would be shown as beginning at 0."""
    n = 10_000_000
    (found,) = differences("satisfaction", [Rated(PEOPLE[0], 5_001_000, n), Rated(PEOPLE[1], 4_996_300, n)])
    low, _ = confint_proportions_2indep(5_001_000, n, 4_996_300, n, method="newcomb", compare="diff")

    assert 0 < low < 5e-5
    assert (found.interval.low, found.is_significant) == (0, False)


# Who wins: "a>b" a is ahead of b beyond chance, "a=b" nothing is decided between them, "a" has cases enough but
# nobody to compare with. Who is not named in a dimension has not cases enough.
RULES: list[tuple[str, dict[Dimension, str], str | None]] = [
    ("no dimension at all", {}, None),
    ("no agent has cases enough", {"conversion_rate": "", "response_time": ""}, None),
    ("one agent alone has cases enough", {"conversion_rate": "a", "satisfaction": "a"}, None),
    ("nothing is decided", {"conversion_rate": "a=b", "response_time": "a=b", "quality": "a=b"}, None),
    ("ahead in one, the rest undecided", {"conversion_rate": "a>b", "response_time": "a=b"}, "a"),
    ("ahead in one, the other missing elsewhere", {"conversion_rate": "a>b", "response_time": "b"}, "a"),
    ("ahead in two", {"conversion_rate": "a>b", "quality": "a>b"}, "a"),
    ("ahead in one and behind in another", {"conversion_rate": "a>b", "response_time": "b>a"}, None),
    ("ahead of one of two", {"conversion_rate": "a>b a=c b=c"}, None),
    ("two ahead of the third only", {"conversion_rate": "a>c b>c a=b"}, None),
    ("ahead of both", {"conversion_rate": "a>b a>c b=c"}, "a"),
    ("ahead of both, the second ahead of the third", {"conversion_rate": "a>b a>c b>c"}, "a"),
    (
        "a leader that is behind somebody where nobody leads",
        {"conversion_rate": "a>b a>c b=c", "response_time": "c>a a=b b=c"},
        None,
    ),
    (
        "behind somebody where nobody leads, and another leader that is not",
        {"conversion_rate": "a>b a>c b=c", "response_time": "c>a a=b b=c", "quality": "c>b"},
        None,
    ),
    ("two leaders that never met", {"conversion_rate": "a>c", "satisfaction": "b>c"}, None),
    ("two leaders that met undecided", {"conversion_rate": "a>c", "satisfaction": "b>c", "quality": "a=b"}, None),
    ("two leaders, one behind the other", {"conversion_rate": "a>b a>c b=c", "satisfaction": "b>c"}, "a"),
    ("each ahead of the next in a circle", {"conversion_rate": "a>b", "response_time": "b>c", "quality": "c>a"}, None),
    ("a circle within a dimension", {"conversion_rate": "a>b b>c c>a"}, None),
    ("of five, ahead of all", {"satisfaction": "a>b a>c a>d a>e b=c b=d b=e c=d c=e d=e"}, "a"),
    ("of five, ahead of all but one", {"satisfaction": "a>b a>c a>d a=e b=c b=d b=e c=d c=e d=e"}, None),
]


def standing(dimension: Dimension, facts: str) -> Standing:
    met = sorted({name for fact in facts.split() for name in fact if name.isalpha()})
    found = []
    for fact in facts.split():
        if len(fact) == 3:
            one, sign, other = list(fact)
            less = -1 if dimension == "response_time" else 1
            value = 0.0 if sign == "=" else 0.2 * less
            interval = Interval(value - 0.1, value + 0.1)
            found.append(Difference(dimension, BY_NAME[one], BY_NAME[other], value, interval, 0.95))
    return Standing(dimension, {}, {}, found, leader([BY_NAME[name] for name in met], found))


@pytest.mark.parametrize(("case", "facts", "wins"), RULES, ids=[case for case, _, _ in RULES])
def test_the_winner_leads_somewhere_is_behind_nowhere_and_is_alone_in_that(
    case: str, facts: dict[Dimension, str], wins: str | None
) -> None:
    won = winner([standing(dimension, fact) for dimension, fact in facts.items()])

    assert (won and won.name) == wins


@given(st.lists(st.tuples(st.sampled_from(DIMENSIONS), st.lists(st.sampled_from("<=>"), min_size=3, max_size=3))))
def test_winners_are_what_the_rule_says_word_by_word(drawn: list[tuple[Dimension, list[str]]]) -> None:
    turned = {"<": "{1}>{0}", "=": "{0}={1}", ">": "{0}>{1}"}
    facts = {
        dimension: " ".join(
            turned[sign].format(*pair) for sign, pair in zip(signs, combinations("abc", 2), strict=True)
        )
        for dimension, signs in drawn
    }

    def beats(one: str, other: str, dimension: Dimension) -> bool:
        return f"{one}>{other}" in facts[dimension].split()

    leads = {x: [d for d in facts if all(beats(x, y, d) for y in "abc" if y != x)] for x in "abc"}
    loses = {x: any(beats(y, x, d) for d in facts for y in "abc" if y != x) for x in "abc"}
    clean = [x for x in "abc" if leads[x] and not loses[x]]
    for order in permutations(facts):
        won = winner([standing(dimension, facts[dimension]) for dimension in order])
        assert (won and won.name) == (clean[0] if len(clean) == 1 else None)


def test_every_dimension_is_one_that_answers_may_name() -> None:
    assert get_args(Dimension) == ("conversion_rate", "response_time", "satisfaction", "resolution_rate", "quality")
