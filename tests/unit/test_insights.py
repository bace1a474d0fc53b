"""What a comparison says in sentences, in both languages: from its figures alone, never a cause."""

import re
from dataclasses import fields, replace
from string import Formatter
from uuid import UUID

import pytest

from handlers.case_mix import Contrast
from handlers.insights import Comparison, insights, summary
from handlers.judging import Quality
from handlers.pairwise import DIMENSIONS, Dimension, Sample, Scored, stand, winner
from handlers.ranking import Agent, Rated, Timed
from handlers.wording import WORDING, Wording

ANA, BIA, CAIO, ROBO = (
    Agent(UUID(int=number), name, type)
    for number, (name, type) in enumerate(
        [("Ana", "human"), ("Bia", "human"), ("Caio", "human"), ("Robô", "ai")], start=1
    )
)
PORTUGUESE, ENGLISH = WORDING["pt-BR"], WORDING["en"]
BOTH = pytest.mark.parametrize("wording", WORDING.values(), ids=WORDING)
CAUSE = "São diferenças, não causas: os números não dizem por que ocorrem."


def comparison(
    agents: list[Agent], samples: dict[Dimension, list[Sample]], *contrasts: Contrast, quality: Quality | None = None
) -> Comparison:
    standings = [stand(dimension, agents, found) for dimension, found in samples.items()]
    return Comparison(agents, standings, winner(standings), contrasts, quality or Quality())


def rates(dimension: Dimension, *hits_of_100: tuple[Agent, int]) -> dict[Dimension, list[Sample]]:
    return {dimension: [Rated(agent, hits, 100) for agent, hits in hits_of_100]}


def texts(wording: Wording) -> dict[str, str]:
    """Return every text of a language by its name."""
    found = {}
    for field in fields(wording):
        value = getattr(wording, field.name)
        if isinstance(value, str):
            found[field.name] = value
        elif not isinstance(value, bool):
            found |= {f"{field.name}.{key}": text for key, text in value.items()}
    return found


# The languages


def test_both_languages_say_the_same_things_of_the_same_things() -> None:
    portuguese, english = texts(PORTUGUESE), texts(ENGLISH)

    def blanks(text: str) -> list[str]:
        return sorted({name for _, name, _, _ in Formatter().parse(text) if name is not None})

    assert portuguese.keys() == english.keys()
    for name, text in portuguese.items():
        assert blanks(text) == blanks(english[name]), name
    assert {f"dimensions.{dimension}" for dimension in DIMENSIONS} <= portuguese.keys()


@BOTH
def test_no_sentence_claims_a_cause(wording: Wording) -> None:
    claims = re.compile(
        r"\b(because|due to|thanks to|caused|therefore|leads to|explains|porque|devido|graças|causad|portanto|explica)"
    )

    assert [name for name, text in texts(wording).items() if claims.search(text.lower())] == []


@pytest.mark.parametrize(
    ("value", "decimals", "portuguese", "english"),
    [
        (0, 2, "0,00", "0.00"),
        (1234.5, 1, "1.234,5", "1,234.5"),
        (-12.34, 1, "-12,3", "-12.3"),
        (1234567, 0, "1.234.567", "1,234,567"),
        (0.0012, 2, "< 0,01", "< 0.01"),
        (0.4, 0, "< 1", "< 1"),
    ],
)
def test_numbers_are_written_as_in_the_language(value: float, decimals: int, portuguese: str, english: str) -> None:
    assert (PORTUGUESE.number(value, decimals), ENGLISH.number(value, decimals)) == (portuguese, english)


@pytest.mark.parametrize(
    ("dimension", "value", "portuguese", "english"),
    [
        ("conversion_rate", 0.3214, "32,1 %", "32.1 %"),
        ("satisfaction", 1, "100,0 %", "100.0 %"),
        ("response_time", 0, "0 s", "0 s"),
        ("response_time", 0.25, "0,2 s", "0.2 s"),
        ("response_time", 3725, "1 h 2 min", "1 h 2 min"),
        ("quality", 7.25, "7,2", "7.2"),
    ],
)
def test_figures_bear_their_unit(dimension: Dimension, value: float, portuguese: str, english: str) -> None:
    assert (PORTUGUESE.value(dimension, value), ENGLISH.value(dimension, value)) == (portuguese, english)


@pytest.mark.parametrize(
    ("dimension", "value", "portuguese", "english"),
    [
        ("conversion_rate", 0.1234, "12,34 p.p.", "12.34 pp"),
        ("resolution_rate", 0.0001, "0,01 p.p.", "0.01 pp"),
        ("response_time", 90, "1 min 30 s", "1 min 30 s"),
        ("response_time", 0.01, "< 0,1 s", "< 0.1 s"),
        ("quality", 1.5, "1,50 pontos", "1.50 points"),
        ("quality", 0.0004, "< 0,01 pontos", "< 0.01 points"),
    ],
)
def test_a_gap_is_never_shown_as_none(dimension: Dimension, value: float, portuguese: str, english: str) -> None:
    assert (PORTUGUESE.gap(dimension, value), ENGLISH.gap(dimension, value)) == (portuguese, english)


@pytest.mark.parametrize(
    ("items", "portuguese", "english"),
    [([], "", ""), (["a"], "a", "a"), (["a", "b"], "a e b", "a and b"), (["a", "b", "c"], "a, b e c", "a, b and c")],
)
def test_lists_end_with_an_and(items: list[str], portuguese: str, english: str) -> None:
    assert (PORTUGUESE.listed(items), ENGLISH.listed(items)) == (portuguese, english)


# The summary

CONVERSION = rates("conversion_rate", (ANA, 60), (BIA, 20), (CAIO, 25))
SPEED: dict[Dimension, list[Sample]] = {
    "response_time": [
        Timed(ANA, [600.0 + i for i in range(50)], []),
        Timed(BIA, [60.0 + i for i in range(50)], []),
        Timed(CAIO, [300.0 + i for i in range(50)], []),
    ]
}
EVEN = rates("satisfaction", (ANA, 50), (BIA, 52), (CAIO, 51))

SUMMARIES: list[tuple[dict[Dimension, list[Sample]], str, str]] = [
    (
        CONVERSION,
        "Ana está à frente no conjunto: na frente em taxa de conversão, atrás em nenhuma dimensão.",
        "Ana is ahead on the whole: in front in conversion rate, behind in no dimension.",
    ),
    (
        {**CONVERSION, **EVEN},
        "Ana está à frente no conjunto: na frente em taxa de conversão, atrás em nenhuma dimensão. "
        "Sem decisão: satisfação.",
        "Ana is ahead on the whole: in front in conversion rate, behind in no dimension. Undecided: satisfaction.",
    ),
    (
        {**CONVERSION, **SPEED},
        "Não há vencedor no conjunto: Ana está na frente em taxa de conversão, mas atrás em tempo de resposta "
        "(mediana); Bia está na frente em tempo de resposta (mediana), mas atrás em taxa de conversão.",
        "No winner on the whole: Ana is in front in conversion rate, but behind in response time (median); "
        "Bia is in front in response time (median), but behind in conversion rate.",
    ),
    (
        EVEN,
        "Não há vencedor: em nenhuma dimensão alguém está à frente de todos os outros além do acaso.",
        "No winner: in no dimension is anybody ahead of all others beyond chance.",
    ),
    (
        {**rates("conversion_rate", (ANA, 60), (CAIO, 20)), **rates("satisfaction", (BIA, 60), (CAIO, 20))},
        "Não há vencedor no conjunto: Ana está na frente em taxa de conversão; Bia está na frente em satisfação.",
        "No winner on the whole: Ana is in front in conversion rate; Bia is in front in satisfaction.",
    ),
]


@pytest.mark.parametrize(("samples", "portuguese", "english"), SUMMARIES)
def test_the_summary_says_who_is_ahead_or_why_nobody_is(
    samples: dict[Dimension, list[Sample]], portuguese: str, english: str
) -> None:
    compared = comparison([ANA, BIA, CAIO], samples)

    assert summary(compared, PORTUGUESE) == portuguese
    assert summary(compared, ENGLISH) == english


# The insights


def test_who_is_ahead_stands_beside_the_figures_that_say_so() -> None:
    compared = comparison([ANA, BIA], rates("conversion_rate", (ANA, 60), (BIA, 20)))

    assert insights(compared, PORTUGUESE) == [
        "Taxa de conversão: Ana (60,0 %, n = 100; 95 %: 50,2 % a 69,1 %) está à frente de Bia (20,0 %, n = 100; 95 %: "
        "13,3 % a 28,9 %; diferença de 40,00 p.p., intervalo de 95 %: 26,77 p.p. a 51,25 p.p.).",
        CAUSE,
    ]
    assert insights(compared, ENGLISH)[0] == (
        "Conversion rate: Ana (60.0 %, n = 100; 95 %: 50.2 % to 69.1 %) is ahead of Bia (20.0 %, n = 100; 95 %: "
        "13.3 % to 28.9 %; a difference of 40.00 pp, 95 % interval: 26.77 pp to 51.25 pp)."
    )


def test_the_shorter_time_is_ahead_and_its_lead_is_a_positive_time() -> None:
    compared = comparison([ANA, BIA, CAIO], SPEED)

    first, second, cause = insights(compared, PORTUGUESE)

    assert first.startswith(
        "Tempo de resposta (mediana): Bia (1 min 24 s, n = 50; 95 %: 1 min 17 s a 1 min 32 s) está à"
    )
    assert "diferença de 9 min, intervalo de 98,3 %: 8 min 43 s a 9 min 17 s" in first
    assert second.startswith("Tempo de resposta (mediana): Caio")
    assert "está à frente de Ana (10 min 24 s" in second
    assert cause == CAUSE


def test_where_nobody_is_ahead_of_all_it_says_so() -> None:
    samples = rates("resolution_rate", (ANA, 60), (BIA, 58), (CAIO, 20))

    sentences = insights(comparison([ANA, BIA, CAIO], samples), ENGLISH)

    assert [sentence.split(" (")[0] for sentence in sentences[:2]] == ["Resolution rate: Ana", "Resolution rate: Bia"]
    assert sentences[2] == "Resolution rate: nobody is ahead of all others."


def test_where_nothing_is_decided_it_says_so_with_the_figures() -> None:
    sentences = insights(comparison([ANA, BIA, CAIO], EVEN), ENGLISH)

    assert sentences[0] == (
        "Satisfaction: undecided between Ana (50.0 %, n = 100; 95 %: 40.4 % to 59.6 %), Bia (52.0 %, n = 100; 95 %: "
        "42.3 % to 61.5 %) and Caio (51.0 %, n = 100; 95 %: 41.3 % to 60.6 %); chance may have made the differences."
    )


def test_scores_are_told_as_points() -> None:
    samples: dict[Dimension, list[Sample]] = {"quality": [Scored(ANA, [8.0, 9.0] * 20), Scored(BIA, [5.0, 6.0] * 20)]}

    first, _ = insights(comparison([ANA, BIA], samples), PORTUGUESE)

    assert "Qualidade das mensagens (0 a 10): Ana (8,5, n = 40; 95 %: 8,3 a 8,7) está à frente de Bia (5,5" in first
    assert "diferença de 3,00 pontos, intervalo de 95 %: 2,77 pontos a 3,23 pontos" in first


def test_few_cases_are_named_and_not_compared() -> None:
    samples: dict[Dimension, list[Sample]] = {
        "conversion_rate": [Rated(ANA, 9, 9), Rated(BIA, 50, 100)],
        "satisfaction": [Rated(ANA, 50, 100), Rated(BIA, 50, 100), Rated(CAIO, 3, 3)],
    }

    sentences = insights(comparison([ANA, BIA, CAIO], samples), PORTUGUESE)

    assert sentences[0] == "Taxa de conversão: sem comparação; menos de dois agentes têm 10 casos ou mais."
    assert sentences[2] == (
        "Com menos de 10 casos, e por isso fora das decisões: Ana em taxa de conversão (n = 9); "
        "Caio em taxa de conversão (n = 0); Caio em satisfação (n = 3)."
    )


def test_what_is_credited_to_people_only_is_no_lack_of_an_ai() -> None:
    samples: dict[Dimension, list[Sample]] = {**rates("conversion_rate", (ANA, 50), (ROBO, 50)), "satisfaction": []}

    sentences = insights(comparison([ANA, ROBO], samples), PORTUGUESE)

    assert "Com menos de 10 casos, e por isso fora das decisões: Ana em satisfação (n = 0)." in sentences
    assert "Robô não é uma pessoa: tempo de resposta, satisfação e resolução só se creditam a pessoas." in sentences


def test_another_mix_of_cases_is_a_caution() -> None:
    contrasts = Contrast("channel", ANA, 0.8, BIA, 0.2), Contrast("pipeline", BIA, 0.5, ANA, 0.125)
    compared = comparison([ANA, BIA], EVEN, *contrasts)

    assert insights(compared, PORTUGUESE)[-3:] == [
        "Os contatos diferem por canal: 80,0 % dos de Ana e 20,0 % dos de Bia são de um mesmo canal; "
        "parte das diferenças pode vir daí.",
        "Os contatos diferem por funil: 50,0 % dos de Bia e 12,5 % dos de Ana são de um mesmo funil; "
        "parte das diferenças pode vir daí.",
        CAUSE,
    ]
    assert "The contacts differ by pipeline: 50.0 % of those of Bia" in insights(compared, ENGLISH)[-2]


@pytest.mark.parametrize(
    ("quality", "portuguese", "english"),
    [
        (
            Quality(left_out="unscored", unscored=[ANA, BIA]),
            "Qualidade fora da comparação: nenhuma mensagem de Ana e Bia foi avaliada.",
            "Quality is left out: no message of Ana and Bia was scored.",
        ),
        (
            Quality(left_out="methods"),
            "Qualidade fora da comparação: nem todas as mensagens foram avaliadas pelo mesmo método.",
            "Quality is left out: not all messages were scored by the same method.",
        ),
    ],
)
def test_quality_left_out_is_said(quality: Quality, portuguese: str, english: str) -> None:
    compared = comparison([ANA, BIA], EVEN, quality=quality)

    assert insights(compared, PORTUGUESE)[-2] == portuguese
    assert insights(compared, ENGLISH)[-2] == english


@BOTH
def test_a_name_with_braces_is_only_a_name(wording: Wording) -> None:
    odd = replace(ANA, name="{winner} {0} %s")
    compared = comparison([odd, BIA], rates("conversion_rate", (odd, 60), (BIA, 20)))

    assert "{winner} {0} %s" in summary(compared, wording)
    assert "{winner} {0} %s" in insights(compared, wording)[0]
