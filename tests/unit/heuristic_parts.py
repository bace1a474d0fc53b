"""What the tests of the rules share: a judge with dictionaries, one without, and the demo's phrases as messages."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

from handlers.demo import phrases_en, phrases_pt
from handlers.messages.quality import Brand, Finding, Language, MessageScore, SampledMessage
from handlers.messages.rules.heuristic import Heuristic
from handlers.messages.rules.spelling import load_spelling

NOBODY = UUID(int=0)
NO_BRAND = Brand()
STYLES = frozenset({"formal", "warm", "curt", "sloppy"})

_SLOTS = {
    "name": "Marina", "agent": "Rafael", "company": "Aurora Móveis", "price": "R$ 1.290,00", "cash": "R$ 1.190,00",
    "part": "R$ 129,00", "times": "10", "off": "8", "city": "Campinas", "days": "5", "people": "3", "cep": "<CEP_1>",
    "freight": "R$ 49,90", "district": "Cambuí", "month": "12", "bid": "R$ 1.000,00", "order": "#48213",
    "plan": "R$ 199,00", "mail": "<EMAIL_1>",
}  # fmt: skip
_PORTUGUESE = _SLOTS | {
    "hi": "Bom dia", "hi_low": "bom dia", "The": "A cadeira Nuvem", "the": "a cadeira Nuvem", "of": "da cadeira Nuvem",
    "day": "sexta-feira", "hour": "14h", "colour": "cinza", "thanks": "Obrigado",
}  # fmt: skip
_ENGLISH = _SLOTS | {
    "hi": "Good morning", "hi_low": "good morning", "The": "The Cloud chair", "the": "the Cloud chair", "day": "Friday",
    "hour": "2 pm", "colour": "grey", "thanks": "Thank you", "freight": "R$ 49.90",
}  # fmt: skip


@cache
def judge(name: str) -> Heuristic:
    """Return the judge by rules alone or the one with dictionaries."""
    if name == "rules":
        return Heuristic()
    spelling = load_spelling()
    assert spelling is not None, "the extra `grammar` belongs to the dev group"
    return Heuristic(spelling)


def score(
    text: str, question: str | None = None, brand: Brand = NO_BRAND, language: Language = "en", by: str = "rules"
) -> MessageScore:
    """Judge one message."""
    message = SampledMessage(NOBODY, text, question, datetime(2026, 1, 5, tzinfo=UTC))
    return judge(by).score(message, brand, language)


def about(scored: MessageScore, dimension: str) -> list[Finding]:
    """Return what was found in one dimension."""
    return [finding for finding in scored.findings if finding.dimension == dimension]


def demo_messages() -> Iterator[tuple[str, str]]:
    """Yield the style (or "plain") and the text of all that the demo's teams write."""
    slots: tuple[tuple[Mapping[str, str], Mapping[str, str]], ...] = (
        (phrases_pt.TEAM, _PORTUGUESE),
        (phrases_en.TEAM, _ENGLISH),
    )
    for team, filling in slots:
        for line in (line.strip() for block in team.values() for line in block.strip().splitlines()):
            style, bar, phrase = line.partition("|")
            known = bar and style in STYLES
            yield (style if known else "plain", (phrase if known else line).format_map(filling))
