"""What an agent could work on: one sentence for each frequent kind of finding, in the tenant's language."""

from collections.abc import Mapping, Sequence
from math import ceil

from handlers.messages.quality import Dimension, Language

_MOST = 5
# What happens in fewer messages than this share of the judged ones is no habit.
_HABIT = 0.05

_PORTUGUESE: Mapping[Dimension, str] = {
    "grammar": "Revisar a escrita: {kinds}.",
    "tone": "Cuidar do tom: {kinds}.",
    "brand": "Seguir o guia da marca: {kinds}.",
}
_ENGLISH: Mapping[Dimension, str] = {
    "grammar": "Review the writing: {kinds}.",
    "tone": "Mind the tone: {kinds}.",
    "brand": "Follow the brand guide: {kinds}.",
}
_IN_MESSAGES = {"pt-BR": "{reason} (em {messages} de {n})", "en": "{reason} (in {messages} of {n})"}
_NOTHING = {
    "pt-BR": "Nada se repete o bastante nesta amostra para virar recomendação.",
    "en": "Nothing recurs often enough in this sample to make a recommendation of.",
}


def advice(found: Mapping[Dimension, Sequence[tuple[str, int]]], judged: int, language: Language) -> list[str]:
    """Return a sentence for each dimension in which something recurs.

    *found* has, by dimension, what was noticed (a sentence about it) and in how many of the *judged*
    messages; strengths are not among it.
    """
    sentences = _PORTUGUESE if language == "pt-BR" else _ENGLISH
    least = max(2, ceil(judged * _HABIT))
    told = []
    for dimension, kinds in found.items():
        habits = [
            _IN_MESSAGES[language].format(reason=reason.rstrip("."), messages=messages, n=judged)
            for reason, messages in kinds
            if messages >= least
        ]
        if habits:
            told.append(sentences[dimension].format(kinds="; ".join(habits[:_MOST])))
    return told or ([_NOTHING[language]] if judged else [])
