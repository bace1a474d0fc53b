"""What compare_agents must say, counted and compared in the plainest way over the rows of a World."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import Any
from uuid import UUID

from statsmodels.stats.proportion import confint_proportions_2indep

from tests.tools import oracle
from tests.tools.oracle import MIN_SAMPLE, Books, Days, Seconds

RATES = ("conversion_rate", "satisfaction", "resolution_rate")
COUNTED = ("conversion_rate", "response_time", "satisfaction", "resolution_rate")
# Answers round to four decimals, and call significant what still is so then.
ROUNDING = 5.1e-5


def cases_of(books: Books, days: Days, dimension: str, agent_ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """Return each agent's cases: seconds of waits, else whether each was a success."""
    cases: dict[UUID, list[Any]] = {agent_id: [] for agent_id in agent_ids}
    if dimension == "response_time":
        found: list[tuple[UUID | None, Any]] = [
            (wait.agent_id, wait.seconds) for wait in oracle.waits(books, days) if wait.seconds is not None
        ]
    else:
        found = [*oracle.verdicts(books, days, dimension)]
    for agent_id, case in found:
        if agent_id in cases:
            cases[agent_id].append(case)
    return cases


def figure(dimension: str, cases: Sequence[Any]) -> dict[str, Any]:
    """Return value, n and 95 % interval of one agent's cases."""
    if not cases:
        return {"value": None, "n": 0, "ci95": None}
    if dimension == "response_time":
        interval = oracle.median_interval(cases, 0.05)
        ci95 = None if interval is None else {"low": Seconds(interval[0]), "high": Seconds(interval[1])}
        return {"value": Seconds(median(cases)), "n": len(cases), "ci95": ci95}
    return {"value": sum(cases) / len(cases), "n": len(cases), "ci95": oracle.wilson(sum(cases), len(cases))}


def difference_interval(dimension: str, one: Sequence[Any], other: Sequence[Any], alpha: float) -> tuple[float, float]:
    """Return the interval of the difference of two agents' figures."""
    if dimension == "response_time":
        first, second = oracle.median_interval(one, alpha), oracle.median_interval(other, alpha)
        assert first is not None and second is not None
        return first[0] - second[1], first[1] - second[0]
    low, high = confint_proportions_2indep(
        sum(one), len(one), sum(other), len(other), method="newcomb", compare="diff", alpha=alpha
    )
    return max(-1.0, float(low)), min(1.0, float(high))


def pairs_of(dimension: str, cases: dict[UUID, list[Any]]) -> list[dict[str, Any]]:
    """Return the differences of all pairs with cases enough."""
    enough = [agent_id for agent_id in cases if len(cases[agent_id]) >= MIN_SAMPLE]
    pairs = list(combinations(enough, 2))
    found = []
    for a, b in pairs:
        low, high = difference_interval(dimension, cases[a], cases[b], 0.05 / len(pairs))
        shown = round(low, 4), round(high, 4)
        one, other = figure(dimension, cases[a])["value"], figure(dimension, cases[b])["value"]
        found.append(
            {
                "a": a,
                "b": b,
                "dimension": dimension,
                "difference": one - other,
                "ci": {"low": low, "high": high},
                "level": 1 - 0.05 / len(pairs),
                "significant": shown[0] > 0 or shown[1] < 0,
            }
        )
    return found


def leader_of(dimension: str, cases: dict[UUID, list[Any]], pairs: Sequence[dict[str, Any]]) -> UUID | None:
    """Return who is significantly ahead of every other with cases enough."""
    enough = [agent_id for agent_id in cases if len(cases[agent_id]) >= MIN_SAMPLE]
    ahead = [
        agent_id
        for agent_id in enough
        if all((agent_id, other) in set(victories(dimension, pairs)) for other in enough if other != agent_id)
    ]
    return ahead[0] if len(enough) > 1 and ahead else None


def victories(dimension: str, pairs: Sequence[dict[str, Any]]) -> list[tuple[UUID, UUID]]:
    """Return (better, worse) for each significant pair."""
    found = []
    for pair in pairs:
        if pair["significant"]:
            a_has_more = pair["difference"] > 0
            a_is_better = a_has_more if dimension != "response_time" else not a_has_more
            found.append((pair["a"], pair["b"]) if a_is_better else (pair["b"], pair["a"]))
    return found


def case_mix(books: Books, days: Days, agent_ids: Sequence[UUID], pipelines: dict[UUID, str]) -> list[dict[str, Any]]:
    """Return each agent's contacts by channel and by pipeline, ten of each apart."""
    met: dict[UUID, list[tuple[str | None, UUID | None]]] = {}
    for agent_id in agent_ids:
        met[agent_id] = []
        for contact in books.contacts:
            talks = [
                talk
                for talk in books.talks[contact.id]
                if days.holds(talk.started_at) and talk.started_at <= books.now and agent_id in books.present[talk.id]
            ]
            if talks:
                first = min(talks, key=lambda talk: (talk.started_at, talk.id))
                channel = (contact.source_channel or "").strip().lower() or None
                met[agent_id].append((channel, first.pipeline_id if first.pipeline_id in pipelines else None))
    top_channels = _top(str(channel) for found in met.values() for channel, _ in found if channel is not None)
    top_pipelines = _top(str(pipeline) for found in met.values() for _, pipeline in found if pipeline is not None)
    return [
        {
            "agent_id": agent_id,
            "contacts": len(found),
            "channels": _shares([channel for channel, _ in found], top_channels),
            "pipelines": _shares([None if pipeline is None else str(pipeline) for _, pipeline in found], top_pipelines),
        }
        for agent_id, found in met.items()
    ]


def _top(values: Any) -> set[str]:
    counts = Counter(values)
    return set(sorted(counts, key=lambda value: (-counts[value], value))[:10])


def _shares(values: Sequence[str | None], top: set[str]) -> set[tuple[str | None, bool, int]]:
    """Return (name, whether it is the others, contacts)."""
    shown = Counter((value, False) if value is None or value in top else (None, True) for value in values)
    return {(name, is_other, n) for (name, is_other), n in shown.items()}


def comparison(books: Books, days: Days, agent_ids: Sequence[UUID]) -> dict[str, Any]:
    """Return what compare_agents must say, without its sentences and its case mix."""
    by_dimension = {dimension: cases_of(books, days, dimension, agent_ids) for dimension in COUNTED}
    pairs = {dimension: pairs_of(dimension, cases) for dimension, cases in by_dimension.items()}
    leaders = {dimension: leader_of(dimension, cases, pairs[dimension]) for dimension, cases in by_dimension.items()}
    losers = {worse for dimension in COUNTED for _, worse in victories(dimension, pairs[dimension])}
    unbeaten = {leader for leader in leaders.values() if leader is not None} - losers
    winner = unbeaten.pop() if len(unbeaten) == 1 else None
    people = {agent.id: agent for agent in books.agents}
    return {
        "agents": [
            {
                "agent_id": agent_id,
                "agent_name": people[agent_id].name,
                "agent_type": people[agent_id].type,
                "metrics": {dimension: figure(dimension, by_dimension[dimension][agent_id]) for dimension in COUNTED},
            }
            for agent_id in agent_ids
        ],
        "pairwise": [pair for dimension in COUNTED for pair in pairs[dimension]],
        "winners": leaders,
        "winner": winner,
        "decisive": winner is not None,
    }
