"""Who writes to the company: one made-up person at a time."""

from dataclasses import dataclass
from random import Random
from uuid import UUID

from handlers.demo.chance import new_id, weighted
from handlers.demo.names import CITIES, FIRST_EN, FIRST_PT, LAST_EN, LAST_PT, MAIL_DOMAINS

PLAIN = str.maketrans("áàâãäéêíóôõöúçñ", "aaaaaeeiooooucn", "'’")


def plain(name: str) -> str:
    """Write a name as it stands in an address: no capitals, no accents."""
    return name.lower().translate(PLAIN)


PLAIN_NAMES = {name: plain(name) for name in (*(n for n, _ in (*FIRST_PT, *FIRST_EN)), *LAST_PT, *LAST_EN)}
SOURCE_OF = weighted((("whatsapp", 54), ("instagram", 18), ("site", 12), ("indicação", 8), ("ads", 8)))
CHANNEL_OF = {"instagram": "instagram", "site": "webchat"}


@dataclass(slots=True, eq=False)
class Person:
    """A contact as the conversation needs it; `created` (seconds since 1970) is set when it arrives."""

    id: UUID
    name: str
    shown_name: str | None
    first_name: str
    gender: str
    email: str | None
    phone: str
    language: str
    casual: bool
    source: str
    channel: str
    created: int = 0


def make_person(rng: Random) -> Person:
    """Draw a person; the phone numbers lie in a range that no mobile network gives out."""
    draw = rng.random
    person_id = new_id(rng.getrandbits)
    english = draw() < 0.15
    if draw() < (0.7 if english else 0.02):
        firsts, lasts = FIRST_EN, LAST_EN
    else:
        firsts, lasts = FIRST_PT, LAST_PT
    first, gender = firsts[int(draw() * len(firsts))]
    last = lasts[int(draw() * len(lasts))]
    name = f"{first} {last}"
    if lasts is LAST_PT and draw() < 0.45:
        name = f"{first} {lasts[int(draw() * len(lasts))]} {last}"
    source = SOURCE_OF[int(draw() * len(SOURCE_OF))]
    number = int(draw() * 10_000_000)
    return Person(
        id=person_id,
        name=name,
        shown_name=_shown(name, first, gender, draw()),
        first_name=first,
        gender=gender,
        email=_mail(first, last, number, draw()) if draw() < 0.62 else None,
        phone=f"+55{CITIES[int(draw() * len(CITIES))][0]}90{number:07}",
        language="en" if english else "pt",
        casual=draw() < 0.6,
        source=source,
        channel=CHANNEL_OF.get(source, "waha") if draw() < 0.8 else "waha",
    )


def _shown(name: str, first: str, gender: str, chance: float) -> str | None:
    """Give the name as the CRM has it: mostly whole, sometimes as the person typed it, rarely none."""
    if chance < 0.82:
        return name
    if chance < 0.90:
        return first
    if chance < 0.94:
        return name.lower()
    if chance < 0.96:
        return name.upper()
    if chance < 0.97:
        return f"{first} 🌻"
    if chance < 0.99:
        return f"{name} Júnior" if gender == "m" else f"Dra. {name}"
    return None


def _mail(first: str, last: str, number: int, chance: float) -> str:
    domain = MAIL_DOMAINS[number % len(MAIL_DOMAINS)]
    between = "." if chance < 0.6 else "_" if chance < 0.7 else ""
    return f"{PLAIN_NAMES[first]}{between}{PLAIN_NAMES[last]}{number % 100 if chance < 0.5 else ''}@{domain}"
