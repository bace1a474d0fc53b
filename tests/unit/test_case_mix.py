"""When agents had other kinds of contacts: surely, and by enough to say so."""

from itertools import permutations
from math import comb
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from handlers.case_mix import CaseMix, ChannelShare, Contrast, PipelineShare, contrasts
from handlers.judging import QualitySample, comparable
from handlers.ranking import Agent

PEOPLE = [Agent(UUID(int=number), name, "human") for number, name in enumerate("abcde", start=1)]
A, B, C = PEOPLE[:3]
PIPELINES = [UUID(int=100 + number) for number in range(3)]


def mix(agent: Agent, channels: dict[str | None, int], pipelines: dict[UUID | None, int] | None = None) -> CaseMix:
    contacts = sum(channels.values())
    pipelines = pipelines if pipelines is not None else {PIPELINES[0]: contacts}
    return CaseMix(
        agent_id=agent.agent_id,
        contacts=contacts,
        channels=[
            ChannelShare(channel=channel, is_other=False, n=n, share=n / contacts) for channel, n in channels.items()
        ],
        pipelines=[
            PipelineShare(pipeline_id=id, pipeline_name=None, is_other=False, n=n, share=n / contacts)
            for id, n in pipelines.items()
        ],
    )


CASES: list[tuple[str, list[CaseMix], list[Contrast]]] = [
    ("the same", [mix(A, {"site": 50, "ads": 50}), mix(B, {"site": 5, "ads": 5})], []),
    (
        "quite another",
        [mix(A, {"site": 80, "ads": 20}), mix(B, {"site": 20, "ads": 80})],
        [Contrast("channel", A, 0.8, B, 0.2)],
    ),
    ("wide apart, but few", [mix(A, {"site": 6, "ads": 4}), mix(B, {"site": 3, "ads": 7})], []),
    (
        "sure, had one looked at this channel only",
        [mix(A, {"site": 60, "ads": 20, "loja": 20}), mix(B, {"site": 45, "ads": 27, "loja": 28})],
        [],
    ),
    ("too few to look at", [mix(A, {"site": 9}), mix(B, {"ads": 900})], []),
    ("sure, but narrow", [mix(A, {"site": 50_000, "ads": 50_000}), mix(B, {"site": 45_100, "ads": 54_900})], []),
    (
        "another pipeline",
        [mix(A, {"site": 99}, {PIPELINES[0]: 99}), mix(B, {"site": 99}, {PIPELINES[0]: 33, PIPELINES[1]: 66})],
        [Contrast("pipeline", A, 1.0, B, 1 / 3)],
    ),
    (
        "the widest of three",
        [mix(A, {"site": 60, "ads": 40}), mix(B, {"site": 90, "ads": 10}), mix(C, {"site": 10, "ads": 90})],
        [Contrast("channel", B, 0.9, C, 0.1)],
    ),
    ("of what nobody knows nothing is said", [mix(A, {None: 91, "0": 9}), mix(B, {str(i): 9 for i in range(11)})], []),
]


@pytest.mark.parametrize(("case", "mixes", "expected"), CASES, ids=[case for case, _, _ in CASES])
def test_a_contrast_is_sure_and_wide(case: str, mixes: list[CaseMix], expected: list[Contrast]) -> None:
    assert contrasts(PEOPLE[: len(mixes)], mixes) == expected


counts = st.fixed_dictionaries({"site": st.integers(0, 200), "ads": st.integers(0, 200), "loja": st.integers(0, 200)})


@given(st.lists(counts.filter(lambda found: sum(found.values()) > 0), min_size=2, max_size=5))
def test_contrasts_are_found_where_an_independent_interval_finds_them(found: list[dict[str, int]]) -> None:
    agents = PEOPLE[: len(found)]
    mixes = [mix(agent, dict(each.items())) for agent, each in zip(agents, found, strict=True)]
    looked_at = [(a, each) for a, each in zip(agents, found, strict=True) if sum(each.values()) >= 10]
    alpha = 0.05 / max(1, comb(len(looked_at), 2) * 3)
    gaps = [0.0]
    for (_, more), (_, less) in permutations(looked_at, 2):
        n, m = sum(more.values()), sum(less.values())
        for channel in more:
            low, _ = confint_proportions_2indep(
                more[channel], n, less[channel], m, method="newcomb", compare="diff", alpha=alpha
            )
            gap = more[channel] / n - less[channel] / m
            if low > 1e-12 and gap >= 0.1:
                gaps.append(gap)

    answer = contrasts(agents, mixes)

    assert [contrast.kind for contrast in answer] == ["channel"] * (max(gaps) > 0)
    assert sum(contrast.gap for contrast in answer) == pytest.approx(max(gaps))


# Quality, another thing that compares only where it was made alike


def test_scores_of_one_method_compare() -> None:
    found = {A.agent_id: QualitySample([8.0, 7.0], "vertex"), B.agent_id: QualitySample([5.0], "vertex")}

    quality = comparable([A, B], found)

    assert [(sample.agent, sample.scores) for sample in quality.samples] == [(A, [8.0, 7.0]), (B, [5.0])]
    assert (quality.method, quality.left_out, quality.warnings) == ("vertex", None, [])


def test_scores_of_two_methods_do_not() -> None:
    found = {A.agent_id: QualitySample([8.0], "vertex"), B.agent_id: QualitySample([5.0], "heuristic")}

    quality = comparable([A, B], found)

    assert (quality.samples, quality.left_out) == ((), "methods")
    assert "same method" in quality.warnings[0]


@pytest.mark.parametrize("of_b", [{}, {B.agent_id: QualitySample([], "vertex")}])
def test_scores_of_some_only_do_not(of_b: dict[UUID, QualitySample]) -> None:
    quality = comparable([A, B], {A.agent_id: QualitySample([8.0], "vertex"), **of_b})

    assert (quality.samples, quality.left_out, quality.unscored) == ((), "unscored", [B])
    assert quality.warnings == ["Quality is left out: no message of b was scored."]


def test_why_nothing_compares_is_told_too() -> None:
    found = {A.agent_id: QualitySample([8.0], "vertex"), B.agent_id: QualitySample([], "vertex", ["Time was short."])}

    assert comparable([A, B], found).warnings[0] == "Time was short."
