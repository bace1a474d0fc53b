"""Spelling by dictionaries, when the extra `grammar` is installed: VERO for Portuguese, Harper for English.

Loading takes a second of work and 50 MB, the first English text two seconds and 190 MB more: call `load_spelling`
once, and what it returns, in threads. They take turns, because the libraries do not allow two at a time.
"""

import threading
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import cached_property, lru_cache
from itertools import combinations, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlers.messages.quality import Language
from handlers.messages.rules import accents, misspellings
from handlers.messages.rules.plain_text import PlainText, Word, fold
from handlers.messages.rules.slang import is_chat
from handlers.messages.rules.slips import PLAIN, Sentence, Slip, SlipKind

if TYPE_CHECKING:
    from harper import Lint, Linter

_DICTIONARIES = Path(__file__).parent / "dictionaries"
# Shorter ones are abbreviations more often than slips, longer ones are no words.
_SHORTEST, _LONGEST = 4, 40
_REMEMBERED_WORDS = 20_000
# Looking for what an unknown word resembles is slow (20 ms); a text full of them is in another language.
_MOST_UNKNOWN = 10
_ACCENTED = {"a": "áàâã", "e": "éê", "i": "í", "o": "óôõ", "u": "ú", "c": "ç"}
# Of a longer word only the last letters are tried in pairs.
_LETTERS_IN_PAIRS = 6
# An unknown English word that resembles no known one is a name or jargon.
_RESEMBLANCE = 0.8

# Harper's rules that hardly ever err on chats.
_HARPER_RULES = frozenset(
    """
    AnA AnAnother AwaitFor DidPast Discuss DoubleModal HelpedPast IAmAgreement InterestedIn IsBeenAuxSequence
    ItsContraction LookingForwardTo ModalOf PronounInflectionBe PronounVerbAgreement RepeatedWords
    ResponsibleFor SimplePastToPastParticiple SupposedTo TheirToThere TheirToTheyre ThenThan ThereOwn TheyreToTheir ToTo
    UseToUsedTo WillNonLemma WorseOrWorst
    """.split()  # noqa: SIM905 - a list of names is read as one
)
_HARPER_KINDS: dict[str, SlipKind] = {"Agreement": "agreement", "Grammar": "verb_form", "Repetition": "repetition"}


class Spelling:
    """Dictionaries, loaded."""

    def __init__(self, portuguese: Any, english: Any) -> None:
        """Take two `hunspell.Hunspell`."""
        self._portuguese = portuguese
        self._english = english
        self._one_at_a_time = threading.Lock()
        self._accented = lru_cache(_REMEMBERED_WORDS)(self._find_accented)
        self._is_misspelled = lru_cache(_REMEMBERED_WORDS)(self._resembles_a_word)

    def find(self, text: PlainText, language: Language, known: Collection[str] = ()) -> list[Slip]:
        """Find words of *text* that are in no dictionary and not among the *known* (in lower case)."""
        find = self._find_portuguese if language == "pt-BR" else self._find_english
        with self._one_at_a_time:
            return list(find(text, known))

    @cached_property
    def _grammar(self) -> "Linter":
        from harper import Linter

        linter = Linter()
        linter.set_lint_config({name: name in _HARPER_RULES for name in linter.get_lint_config()})
        return linter

    @cached_property
    def _dialects(self) -> tuple["Linter", ...]:
        """Linters of the words of each dialect."""
        from harper import Dialect, Linter

        dialects = Linter(Dialect.AMERICAN), Linter(Dialect.BRITISH)
        for dialect in dialects:
            dialect.set_lint_config({name: name == "SpellCheck" for name in dialect.get_lint_config()})
        return dialects

    def _find_portuguese(self, text: PlainText, known: Collection[str]) -> Iterator[Slip]:
        unknown = (word for word in _to_check(text, known) if not self._is_portuguese(word.lower))
        for word in islice(unknown, _MOST_UNKNOWN):
            right = self._accented(word.lower)
            if right is not None:
                yield accents.missing(word, right)
            elif len(word.text) >= _SHORTEST and not all(map(self._is_loan, word.lower.split("-"))):
                yield misspellings.misspelled(word)

    def _is_portuguese(self, word: str) -> bool:
        return bool(self._portuguese.spell(word) or self._portuguese.spell(word.capitalize()))

    def _is_loan(self, part: str) -> bool:
        return len(part) < _SHORTEST or is_chat(part) or self._is_portuguese(part) or self._is_english(part)

    def _is_english(self, word: str) -> bool:
        # The English dictionary is not in UTF-8.
        return word.isascii() and bool(self._english.spell(word) or self._english.spell(word.capitalize()))

    def _find_accented(self, word: str) -> str | None:
        return next((form for form in _forms(word) if self._portuguese.spell(form)), None)

    def _find_english(self, text: PlainText, known: Collection[str]) -> Iterator[Slip]:
        # Harper reads digits as a number, which disturbs no rule.
        for lint in self._grammar.lint(text.masked.replace("¤", "0"), language="plaintext"):
            yield from _slip(lint)
        words = (word for word in _to_check(text, known) if len(word.text) >= _SHORTEST)
        candidates = (word for word in words if word.text.isascii() and word.text.isalpha() and word.text.islower())
        # What is right in Portuguese is a loan word here ("brigadeiro").
        unknown = (word for word in candidates if not (self._is_english(word.text) or self._is_portuguese(word.text)))
        for word in islice(unknown, _MOST_UNKNOWN):
            if self._is_misspelled(word.text):
                yield misspellings.misspelled(word)

    def _resembles_a_word(self, word: str) -> bool:
        """Tell whether *word* is wrong in each dialect and resembles a word of one, as names and jargon do not."""
        found = [dialect.lint(word, language="plaintext") for dialect in self._dialects]
        if not all(found):
            return False
        suggestions = [suggestion.replacement_text.lower() for lints in found for suggestion in lints[0].suggestions]
        return bool(get_close_matches(word, suggestions, 1, _RESEMBLANCE))


_loading = threading.Lock()


def load_spelling() -> Spelling | None:
    """Return the dictionaries, loaded at the first call; None when the extra `grammar` is not installed."""
    with _loading:
        return _load()


@lru_cache(1)
def _load() -> Spelling | None:
    try:
        import harper  # noqa: F401 - it is loaded when it is needed, and missed now
        from hunspell import Hunspell
    except ImportError:
        return None
    # The encoding is that of the path, which must not depend on the locale.
    portuguese = Hunspell("pt_BR", hunspell_data_dir=str(_DICTIONARIES), system_encoding="UTF-8")
    return Spelling(portuguese, Hunspell("en_US", system_encoding="UTF-8"))


def _to_check(text: PlainText, known: Collection[str]) -> Iterator[Word]:
    is_shouted = text.masked.isupper()
    for place, word in enumerate(text.words):
        if word.lower in known or is_chat(word.lower) or len(word.text) > _LONGEST or not fold(word.text).isascii():
            continue
        if is_shouted or not _may_be_name(text, place):
            yield word


def _forms(word: str) -> Iterator[str]:
    """Yield *word* with other accents than its own: none or one, then a cedilla and the tilde that follows it."""
    word = fold(word)
    yield word
    places = [place for place, letter in enumerate(word) if letter in _ACCENTED]
    for place in places:
        for accented in _ACCENTED[word[place]]:
            yield word[:place] + accented + word[place + 1 :]
    for first, second in combinations(places[-_LETTERS_IN_PAIRS:], 2):
        if word[first] == "c" and word[second] in "ao":
            nasal = "ã" if word[second] == "a" else "õ"
            yield word[:first] + "ç" + word[first + 1 : second] + nasal + word[second + 1 :]


def _may_be_name(text: PlainText, place: int) -> bool:
    """Tell whether a word is capitalised where no sentence begins, or set apart as in "Jhenifer, …"."""
    word = text.words[place]
    if not word.text[0].isupper():
        return False
    between = text.masked[text.words[place - 1].end : word.start] if place else ""
    begins = place == 0 or any(mark in ".!?…\n:" for mark in between)
    return not begins or not word.text[1:].islower() or text.masked[word.end : word.end + 1] in (",", "!")


def _slip(lint: "Lint") -> Iterator[Slip]:
    # "You guys" is no verb; capitals are names.
    if lint.problem_text.islower() and lint.problem_text != "guys" and lint.suggestions:
        right = lint.suggestions[0].replacement_text
        reason = Sentence(f"Aqui deveria estar “{right}”.", f"It should be “{right}”.")
        yield Slip(lint.span.start, lint.span.end, _HARPER_KINDS.get(lint.lint_kind, "word_choice"), PLAIN, reason)
