"""What an agent could work on: one sentence for each frequent kind of finding, in the tenant's language."""

from collections.abc import Mapping, Sequence

from handlers.messages.quality import DIMENSIONS, Dimension, Language, MessageScore
from handlers.messages.recurring import recurring

_MOST = 5

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


def advice(scores: Sequence[MessageScore], language: Language) -> list[str]:
    """Return a sentence for each dimension in which something recurs that should not."""
    sentences = _PORTUGUESE if language == "pt-BR" else _ENGLISH
    told = []
    for dimension in DIMENSIONS:
        habits = [
            _IN_MESSAGES[language].format(reason=found.told(language), messages=found.messages, n=found.judged)
            for found in recurring(scores, dimension)
            if found.is_habit
        ]
        if habits:
            told.append(sentences[dimension].format(kinds="; ".join(habits[:_MOST])))
    return told or ([_NOTHING[language]] if scores else [])
