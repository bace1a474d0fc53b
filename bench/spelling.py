"""How well slips of spelling are found: `python -m bench.spelling FILE`, with and without the extra `grammar`.

FILE holds a JSON object a line: `tokens`, `edits` (each with the index `i` of a token that is wrong) and `slang`
(likewise; such tokens do not count). Half of the lines, chosen by a hash of their `id`, may be looked at while working
on the rules (--show-errors lists what goes wrong there); the other half is only measured.

A token counts as found when a slip of spelling, accent or confused word touches it. Messages are taken to be
Portuguese; a last line says for how many the vote of the stop words agrees.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from handlers.messages.rules.grammar import find_slips
from handlers.messages.rules.language import detect
from handlers.messages.rules.plain_text import PlainText
from handlers.messages.rules.spelling import Spelling, load_spelling

OF_WORDS = frozenset({"accent", "spelling", "confusion"})


@dataclass
class Tally:
    """What was found of what is wrong, in tokens that are no slang."""

    tokens: int = 0
    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        found, missed, false = self.found.total(), self.missed.total(), self.false.total()
        precision, recall = found / max(1, found + false), found / max(1, found + missed)
        alarms = 1000 * false / max(1, self.tokens)
        rates = f"precision {precision:.3f}  recall {recall:.3f}  false alarms/1,000 tokens {alarms:.2f}"
        return f"{rates}  ({self.tokens} tokens)"


def is_for_looking(line: dict[str, Any]) -> bool:
    """Tell whether a line belongs to the half that may be looked at."""
    return sha256(str(line["id"]).encode()).digest()[0] % 2 == 0


def flagged(tokens: list[str], spelling: Spelling | None) -> Iterator[int]:
    """Yield the indexes of the tokens that a slip touches."""
    text = PlainText.of(" ".join(tokens))
    slips = [slip for slip in find_slips(text, "pt-BR", spelling) if slip.kind in OF_WORDS]
    start = 0
    for index, token in enumerate(tokens):
        end = start + len(token)
        if any(slip.start < end and start < slip.end for slip in slips):
            yield index
        start = end + 1


def measure(lines: list[dict[str, Any]], spelling: Spelling | None) -> Tally:
    """Compare what is found in *lines* with what is wrong in them."""
    tally = Tally()
    for line in lines:
        wrong, slang = ({entry["i"] for entry in line[key]} for key in ("edits", "slang"))
        found = set(flagged(line["tokens"], spelling))
        for index, token in enumerate(line["tokens"]):
            if index in slang:
                continue
            tally.tokens += 1
            if index in found:
                (tally.found if index in wrong else tally.false)[token] += 1
            elif index in wrong:
                tally.missed[token] += 1
    return tally


def main(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Sentences with what is wrong in them.")],
    show_errors: Annotated[bool, typer.Option(help="List what goes wrong in the half for looking.")] = False,
) -> None:
    """Print precision, recall and false alarms of each half, with and without dictionaries."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    halves = {
        "looked at": [*filter(is_for_looking, lines)],
        "held out": [line for line in lines if not is_for_looking(line)],
    }
    spelling = load_spelling()
    for label, used in (("rules alone", None), ("with the extra", spelling)):
        if label != "rules alone" and used is None:
            print("with the extra  not installed: pip install chunspell harper-py")
            continue
        for half, chosen in halves.items():
            tally = measure(chosen, used)
            print(f"{label:15} {half:10} {tally}")
            if show_errors and half == "looked at":
                print(f"  false alarms: {dict(tally.false.most_common(60))}")
                print(f"  missed: {dict(tally.missed.most_common(60))}")
    agreed = sum(detect(PlainText.of(" ".join(line["tokens"]))) == "pt-BR" for line in lines)
    print(f"taken for Portuguese by their stop words: {agreed} of {len(lines)}")


if __name__ == "__main__":
    typer.run(main)
