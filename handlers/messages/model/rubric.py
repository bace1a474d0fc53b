"""The rubric: what a model is asked to judge, by which anchors, and what it may find."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.messages.quality import DIMENSIONS, TONES, Dimension, Finding, Language

RUBRIC_FILE = Path(__file__).with_name("rubric_v1.toml")


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that a model may find: what the word means to it, and what a reader is told."""

    means: str
    reasons: dict[Language, str]
    is_strength: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """One dimension: what it asks, what the scores 0, 5 and 10 mean, and when it does not apply."""

    asks: str
    at_0: str
    at_5: str
    at_10: str
    not_applicable: str
    kinds: dict[str, Kind]


@dataclass(frozen=True, slots=True)
class Rubric:
    """A version of the rubric."""

    version: str
    rules: tuple[str, ...]
    scales: dict[Dimension, Scale]
    tones: dict[str, str]

    def finding(self, dimension: Dimension, kind: str, excerpt: str, language: Language) -> Finding | None:
        """Return a finding in our own words, or None where the rubric knows no such kind."""
        known = self.scales[dimension].kinds.get(kind)
        if known is None:
            return None
        return Finding(dimension, kind, excerpt, known.reasons[language], known.is_strength)


def _kind(raw: dict[str, Any]) -> Kind:
    return Kind(raw["means"], {"pt-BR": raw["pt-BR"], "en": raw["en"]}, raw.get("is_strength", False))


def _scale(raw: dict[str, Any]) -> Scale:
    return Scale(**{**raw, "kinds": {name: _kind(kind) for name, kind in raw["kinds"].items()}})


def read_rubric(path: Path) -> Rubric:
    """Read a rubric from its file; one that does not cover every dimension and tone is a ValueError."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    if set(raw["dimensions"]) != set(DIMENSIONS) or set(raw["tones"]) != set(TONES):
        raise ValueError(f"{path} must describe the dimensions {DIMENSIONS} and the tones {TONES}")
    scales = {dimension: _scale(raw["dimensions"][dimension]) for dimension in DIMENSIONS}
    return Rubric(raw["version"], tuple(raw["rules"]), scales, raw["tones"])


RUBRIC = read_rubric(RUBRIC_FILE)
