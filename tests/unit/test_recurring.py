"""What recurs in an agent's messages, and what is said of it: never more than was found."""

from uuid import UUID

import pytest

from handlers.messages.advice import advice
from handlers.messages.quality import Dimension, Finding, Language, MessageScore
from handlers.messages.recurring import recurring, worst_habit


def scored(number: int, *found: tuple[Dimension, str, str]) -> MessageScore:
    findings = tuple(Finding(dimension, kind, "words", reason) for dimension, kind, reason in found)
    return MessageScore(UUID(int=number), 5.0, 5.0, None, "neutral", findings)


def misspelled(number: int, right: str) -> MessageScore:
    return scored(number, ("grammar", "spelling", f"Escreve-se “{right}”."))


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("pt-BR", "Revisar a escrita: Escreve-se “exceção”, entre outros casos (em 3 de 4)."),
        ("en", "Review the writing: Escreve-se “exceção”, among others (in 3 of 4)."),
    ],
)
def test_a_reason_is_not_claimed_of_messages_that_have_another(language: Language, sentence: str) -> None:
    scores = [misspelled(1, "atrás"), misspelled(2, "exceção"), misspelled(3, "exceção"), scored(4)]

    assert advice(scores, language) == [sentence]
    (found,) = recurring(scores, "grammar")
    assert (found.messages, found.judged, found.message_id) == (3, 4, UUID(int=2))


def test_the_same_reason_everywhere_is_told_as_it_is() -> None:
    assert advice([misspelled(1, "atrás"), misspelled(2, "atrás")], "pt-BR") == [
        "Revisar a escrita: Escreve-se “atrás” (em 2 de 2)."
    ]


def test_several_of_a_kind_in_one_message_count_once() -> None:
    slip: tuple[Dimension, str, str] = ("grammar", "spelling", "Escreve-se “atrás”.")
    (found,) = recurring([scored(1, slip, slip), scored(2)], "grammar")

    assert (found.messages, found.is_habit) == (1, False)


def test_what_happens_in_one_message_of_twenty_five_is_no_habit() -> None:
    scores = [misspelled(1, "atrás"), misspelled(2, "atrás"), *map(scored, range(3, 51))]

    assert worst_habit(scores) is None
    assert advice(scores, "en") == ["Nothing recurs often enough in this sample to make a recommendation of."]


def test_the_worst_habit_is_what_most_messages_have() -> None:
    cold: tuple[Dimension, str, str] = ("tone", "cold", "Resposta fria.")
    habit = worst_habit([misspelled(1, "atrás"), misspelled(2, "atrás"), *(scored(n, cold) for n in (3, 4, 5))])

    assert habit is not None
    assert (habit.kind, habit.messages, habit.judged, habit.message_id) == ("cold", 3, 5, UUID(int=3))
    assert worst_habit([]) is None
