"""How a message sounds to the customer who wrote before it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from handlers.messages.quality import SCALE, TONES, Finding, Language, Tone
from handlers.messages.rules.plain_text import PlainText
from handlers.messages.rules.slang import is_chat
from handlers.messages.rules.slips import Sentence
from handlers.messages.rules.tone_cues import COMPLAINTS, CUES

# Neutral and businesslike; rude goes towards 0, warm, empathetic and helpful towards 10.
_NEUTRAL = 5.0
# What answers a complaint counts more than the same words elsewhere.
_COMPLAINT_FACTOR = 1.5
_ANSWERS_COMPLAINT = frozenset({"empathy", "apology", "help"})
_STRENGTHS = frozenset({"empathy", "apology", "help", "warmth"})
_CURT_WORDS = 3
# Whoever writes more explains something.
_EXPLAINING_WORDS = 12
_SHOUTED_RUN = 3
# Below it no tone is heard.
_AUDIBLE = 0.5

_KIND_EMOJI = re.compile("[😀-😄😆😊😉😍🥰😘🤗🙂😇🙏💚💛💙💜🧡🎉🥳👏🙌🤝✨💪🤩🥂🎁🌟❤]")
_ANGRY_EMOJI = re.compile("[😠😡🤬🙄😤]")
_EXCLAIMED = re.compile(r"!{3,}")
_INSISTENT = re.compile(r"\?{2,}")
_ASKS = re.compile(
    r"\?|(?<!\w)(?:quanto|qual|quais|quando|onde|como|tem|teria|pode|poderia|aceita|consegue|faz"
    r"|how|what|when|where|which|who|why|can|could|do you|does|is|are)(?!\w)"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Sound:
    """Something heard in a message."""

    kind: str
    tone: Tone | None
    weight: float
    start: int
    end: int
    reason: Sentence | None = None


def judge(
    text: PlainText, question: PlainText | None, spoken: Language | None, language: Language
) -> tuple[float | None, Tone | None, list[Finding]]:
    """Return 0 to 10, the predominant tone and what was found; None where there are no words to judge.

    *spoken* is the language of *text* (None: both are tried), *language* that of the findings.
    """
    if not text.words:
        return None, None, []
    is_complaint = question is not None and any(pattern.search(question.folded) for pattern in COMPLAINTS.values())
    sounds = list(_listen(text, spoken))
    if question is not None:
        sounds += _answered(text, question, sounds, is_complaint=is_complaint)
    if "?" in text.masked and not any(sound.weight < 0 for sound in sounds):
        sounds.append(Sound("asks_back", None, 0.3, 0, 0))
    score = _NEUTRAL + sum(_weighed(sounds, is_complaint).values())
    return min(max(score, 0.0), float(SCALE)), _predominant(sounds), _findings(text, sounds, language)


def _listen(text: PlainText, spoken: Language | None) -> Iterator[Sound]:
    for cue in CUES:
        for language, pattern in cue.patterns.items():
            if spoken in (None, language):
                for found in pattern.finditer(text.folded):
                    yield Sound(cue.kind, cue.tone, cue.weight, *found.span(), cue.reason)
    yield from _shouted(text)
    for found in _INSISTENT.finditer(text.masked):
        reason = Sentence("Pontos de interrogação em série soam a cobrança.", "Rows of question marks sound impatient.")
        yield Sound("insistent", "impatient", -0.8, *found.span(), reason)
    for found in _EXCLAIMED.finditer(text.masked):
        reason = Sentence("Exclamações demais.", "Too many exclamation marks.")
        yield Sound("exclaimed", "pushy", -0.4, *found.span(), reason)
    for found in _ANGRY_EMOJI.finditer(text.quoted):
        yield Sound("angry_emoji", "impatient", -2.0, *found.span(), Sentence("Emoji de irritação.", "An angry emoji."))
    for found in _KIND_EMOJI.finditer(text.quoted):
        yield Sound("kind_emoji", "friendly", 0.6, *found.span())


def _shouted(text: PlainText) -> Iterator[Sound]:
    """Find runs of words in capitals; abbreviations do not shout."""
    run: list[int] = []
    for place, word in enumerate((*text.words, None)):
        if word is not None and len(word.text) > 1 and word.text.isupper() and not is_chat(word.lower):
            run.append(place)
            continue
        if len(run) >= _SHOUTED_RUN:
            reason = Sentence(
                "Escrever tudo em maiúsculas soa como grito.", "Writing in capitals sounds like shouting."
            )
            yield Sound("shouting", "impatient", -1.5, text.words[run[0]].start, text.words[run[-1]].end, reason)
        if word is None or len(word.text) > 1:
            run = []


def _answered(text: PlainText, question: PlainText, sounds: list[Sound], *, is_complaint: bool) -> Iterator[Sound]:
    """Tell whether the answer to *question* is curt or passes over a complaint."""
    is_kind = any(sound.weight > 0 for sound in sounds)
    length = len(text.words) + len(_NUMBER.findall(text.masked))
    whole = (0, len(text.quoted))
    if length <= _CURT_WORDS and not is_kind and (is_complaint or _ASKS.search(question.folded)):
        tone: Tone | None = "impatient" if is_complaint else None
        yield Sound("curt", tone, -1.5, *whole, Sentence("Resposta seca.", "A curt answer."))
    asks_back = "?" in text.masked and length > _CURT_WORDS
    answers = asks_back or any(sound.kind in _ANSWERS_COMPLAINT for sound in sounds)
    if is_complaint and length < _EXPLAINING_WORDS and not answers:
        reason = Sentence("Não acolhe a reclamação do cliente.", "Passes over the customer's complaint.")
        yield Sound("ignored_complaint", None, -1.5, *whole, reason)


def _weighed(sounds: list[Sound], is_complaint: bool) -> dict[str, float]:
    """Return what each kind of sound adds to the score; a kind counts once, however often it is heard."""
    return {
        sound.kind: sound.weight * (_COMPLAINT_FACTOR if is_complaint and sound.kind in _ANSWERS_COMPLAINT else 1)
        for sound in sounds
    }


def _predominant(sounds: list[Sound]) -> Tone:
    volume = dict.fromkeys(TONES, 0.0)
    for sound in sounds:
        if sound.tone is not None:
            volume[sound.tone] += abs(sound.weight)
    if volume["rude"]:
        return "rude"
    # Of equals the later one in TONES is heard: a fault sounds louder than a courtesy.
    loudest = max(reversed(TONES), key=lambda tone: volume[tone])
    return loudest if volume[loudest] >= _AUDIBLE else "neutral"


def _findings(text: PlainText, sounds: list[Sound], language: Language) -> list[Finding]:
    first: dict[str, Sound] = {}
    for sound in sounds:
        if sound.reason is not None and (sound.weight < 0 or sound.kind in _STRENGTHS):
            first.setdefault(sound.kind, sound)
    return [
        Finding("tone", kind, text.excerpt(sound.start, sound.end), sound.reason.within(language), sound.weight > 0)
        for kind, sound in sorted(first.items(), key=lambda item: item[1].weight > 0)
        if sound.reason is not None
    ]
