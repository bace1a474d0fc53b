"""Who talks how: the phrases of every style, with chat slang, lost accents and typos worked in.

A voice is a table from what is meant to the phrases that may say it; their slots are open
still. Voices are the same for every plan.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from handlers.demo import phrases_en, phrases_pt
from handlers.demo.chance import Draw, stream

Voice = Mapping[str, tuple[str, ...]]

PHRASES = {"pt": phrases_pt, "en": phrases_en}
SLOT = re.compile(r"(\{\w+\})")
WORD = re.compile(r"\b[a-zà-ÿ]{5,}\b")
PLAIN = str.maketrans("áàâãéêíóôõúçÁÀÂÃÉÊÍÓÔÕÚÇ", "aaaaeeioooucAAAAEEIOOOUC")

SLANG_PT = {
    "você": "vc",
    "vocês": "vcs",
    "não": "n",
    "também": "tb",
    "beleza": "blz",
    "tudo bem": "td bem",
    "tudo bom": "td bom",
    "hoje": "hj",
    "quando": "qdo",
    "quanto": "qto",
    "por favor": "pfv",
    "está": "tá",
    "estou": "tô",
    "estava": "tava",
    "para": "pra",
    "para o": "pro",
    "para a": "pra",
    "depois": "dps",
    "muito": "mt",
    "agora": "agr",
    "mesmo": "msm",
    "qualquer": "qq",
    "mensagem": "msg",
    "valeu": "vlw",
    "quero": "qro",
    "que": "q",
    "porque": "pq",
    "comigo": "cmg",
    "alguém": "alg",
}
SLANG_EN = {
    "you": "u",
    "your": "ur",
    "please": "pls",
    "thanks": "thx",
    "thank you": "ty",
    "are": "r",
    "I'm": "im",
    "it's": "its",
    "don't": "dont",
    "what's": "whats",
    "because": "cuz",
    "tomorrow": "tmrw",
    "message": "msg",
    "really": "rly",
    "got it": "gotcha",
    "going to": "gonna",
}
LAUGHS = {"pt": (" kkk", " rsrs", " kkkk", " 😅", " haha"), "en": (" lol", " haha", " 😅", " hehe", " :)")}
SMILES = (" 😊", " 🙂", " 👍", " 🙏", " 😉")


def _slang_words(slang: Mapping[str, str]) -> re.Pattern[str]:
    words = sorted(slang, key=lambda word: (-len(word), word))
    return re.compile(rf"\b({'|'.join(map(re.escape, words))})\b", re.IGNORECASE)


SLANG = {
    language: (_slang_words(slang), {word.lower(): short for word, short in slang.items()})
    for language, slang in (("pt", SLANG_PT), ("en", SLANG_EN))
}


def lines(text: str) -> list[tuple[str, str]]:
    """Read a block of phrases: the style that stands before the bar, and the phrase."""
    read = (line.strip() for line in text.strip().splitlines())
    return [(style, phrase) for style, _, phrase in (line.rpartition("|") for line in read) if phrase]


def outside_slots(phrase: str, change: Callable[[str], str]) -> str:
    """Change the words of a phrase and leave its slots alone."""
    parts = SLOT.split(phrase)
    parts[::2] = map(change, parts[::2])
    return "".join(parts)


def mistyped(phrase: str, draw: Draw) -> str:
    """Swap, double or lose a letter inside one of the longer words."""
    words = [found for found in WORD.finditer(phrase) if phrase[found.start() - 1 : found.start()] != "{"]
    if not words:
        return phrase
    found = words[int(draw() * len(words))]
    at = found.start() + 1 + int(draw() * (found.end() - found.start() - 3))
    kind = int(draw() * 3)
    if kind == 0:
        return phrase[:at] + phrase[at + 1] + phrase[at] + phrase[at + 2 :]
    return phrase[:at] + (phrase[at] * 2 if kind == 1 else "") + phrase[at + 1 :]


def chatty(phrase: str, language: str, draw: Draw) -> str:
    """Say it as people type it on the phone: slang, fewer accents and signs, now and then a typo."""
    pattern, slang = SLANG[language]

    def shortened(match: re.Match[str]) -> str:
        return slang[match[0].lower()] if draw() < 0.6 else match[0]

    said = outside_slots(phrase, lambda words: pattern.sub(shortened, words))
    if draw() < 0.5:
        said = said.replace("{grat}", "obg").replace("{Grat}", "Obg")
    if draw() < 0.6:
        said = outside_slots(said, lambda words: words.translate(PLAIN))
    if draw() < 0.2:
        said = mistyped(said, draw)
    if draw() < 0.75:
        said = _low(said)
    if said.endswith((".", "!")) and draw() < 0.8:
        said = said[:-1]
    elif said.endswith("?") and draw() < 0.3:
        said = said[:-1] + ("??" if draw() < 0.5 else "")
    return said


def _every(phrases: Iterable[str], *changes: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(change(phrase) for phrase in phrases for change in changes))


def _as_is(phrase: str) -> str:
    return phrase


def _team_phrases(text: str, style: str, language: str, draw: Draw) -> tuple[str, ...]:
    read = lines(text)
    anybody = [phrase for of, phrase in read if not of]
    own = [phrase for of, phrase in read if of == style]

    def chat(phrase: str) -> str:
        return chatty(phrase, language, draw)

    def smiling(phrase: str) -> str:
        return phrase + SMILES[int(draw() * len(SMILES))]

    if style == "formal":
        return _every(anybody + own * 2, _as_is)
    if style == "warm":
        return _every(own, _as_is) * 2 + _every(anybody, _as_is, smiling)
    if style == "curt":
        return _every(own, _as_is, chat) * 2 + _every(anybody, _as_is)
    return _every(own, _as_is) * 2 + _every(anybody, _as_is, chat, chat)


def _customer_phrases(text: str, casual: bool, language: str, draw: Draw) -> tuple[str, ...]:
    phrases = [phrase for _, phrase in lines(text)]
    if not casual:
        return _every(phrases, _as_is)

    def chat(phrase: str) -> str:
        return chatty(phrase, language, draw)

    def laughing(phrase: str) -> str:
        return chat(phrase).rstrip(".") + LAUGHS[language][int(draw() * 5)]

    return _every(phrases, _as_is, chat, chat, chat) + _every(phrases[::3], laughing)


@cache
def team_voice(style: str, language: str) -> Voice:
    """Give what a person of the team writes; `style` is formal, warm, sloppy or curt."""
    draw = stream("voice", style, language).random
    return {meant: _team_phrases(text, style, language, draw) for meant, text in PHRASES[language].TEAM.items()}


@cache
def customer_voice(casual: bool, language: str) -> Voice:
    """Give what a customer writes, carefully or as it comes."""
    draw = stream("customer", casual, language).random
    voice = {
        meant: _customer_phrases(text, casual, language, draw) for meant, text in PHRASES[language].CUSTOMER.items()
    }
    hellos = voice["hello"]
    openings = {
        meant.replace("ask_", "open_"): tuple(_after(hello, asked) for asked in phrases for hello in hellos)
        for meant, phrases in voice.items()
        if meant.startswith("ask_")
    }
    return voice | openings


def _after(hello: str, asked: str) -> str:
    """Put a question behind a greeting, in one message."""
    return f"{hello} {asked}" if hello[-1] in "!?👍" else f"{hello}, {_low(asked)}"


def _low(phrase: str) -> str:
    """Begin with a small letter, unless with an abbreviation."""
    if phrase[:2].isalpha() and phrase[:2].isupper():
        return phrase
    return re.sub(r"^\{([HTG])(i|he|his|rat)\}", _low_slot, phrase[:1].lower() + phrase[1:])


def _low_slot(match: re.Match[str]) -> str:
    return f"{{{match[1].lower()}{match[2]}}}"


@cache
def machine_voice(language: str) -> Voice:
    """Give what the bot, the AI agent, campaigns and the system write."""
    return {meant: _every((p for _, p in lines(text)), _as_is) for meant, text in PHRASES[language].MACHINE.items()}


@cache
def reasons(language: str, status: str) -> tuple[str, ...]:
    """Give why a lead was found qualified or unqualified."""
    return tuple(phrase for _, phrase in lines(PHRASES[language].REASONS[status]))


@cache
def notes(language: str) -> tuple[str, ...]:
    """Give what the team writes down about a contact."""
    return tuple(phrase for _, phrase in lines(PHRASES[language].NOTES))
