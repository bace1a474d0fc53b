"""Judge messages by rules and word lists: no model, no network, the same answer every time."""

from handlers.messages.quality import Brand, Finding, Language, MessageScore, SampledMessage
from handlers.messages.rules import brand as brand_words
from handlers.messages.rules import grammar, tone
from handlers.messages.rules.language import detect
from handlers.messages.rules.plain_text import PlainText
from handlers.messages.rules.slips import Slip
from handlers.messages.rules.spelling import Spelling

# Ten findings a message at most, of each dimension the first ones.
_GRAMMAR_FINDINGS, _TONE_FINDINGS, _BRAND_FINDINGS = 4, 3, 3


class Heuristic:
    """A judge that needs nothing; with the dictionaries of the extra `grammar` it finds more slips.

    It holds no state but caches and may be used from several threads.
    """

    def __init__(self, spelling: Spelling | None = None) -> None:
        """Take what `load_spelling` returned, None to do without dictionaries."""
        self._spelling = spelling

    def score(self, message: SampledMessage, brand: Brand, language: Language) -> MessageScore:
        """Judge *message*; sentences in the findings are in *language*, whatever the message's own is."""
        text = PlainText.of(message.text)
        question = PlainText.of(message.question) if message.question else None
        spoken = detect(text)
        grammar_score, slips = None, []
        if spoken is not None:
            slips = grammar.find_slips(text, spoken, self._spelling, brand_words.vocabulary(brand))
            grammar_score = grammar.grade(text, slips)
        tone_score, predominant, tone_findings = tone.judge(text, question, spoken, language)
        brand_score, brand_findings = brand_words.judge(text, brand, language)
        findings = (
            *_slip_findings(text, slips, language)[:_GRAMMAR_FINDINGS],
            *tone_findings[:_TONE_FINDINGS],
            *brand_findings[:_BRAND_FINDINGS],
        )
        return MessageScore(message.message_id, grammar_score, tone_score, brand_score, predominant, findings)


def _slip_findings(text: PlainText, slips: list[Slip], language: Language) -> list[Finding]:
    """Return each slip once, the weightier first."""
    distinct = {(slip.kind, text.masked[slip.start : slip.end].lower()): slip for slip in reversed(slips)}
    ordered = sorted(distinct.values(), key=lambda slip: (-slip.weight, slip.start))
    return [
        Finding("grammar", slip.kind, text.excerpt(slip.start, slip.end), slip.reason.within(language))
        for slip in ordered
    ]
