"""What a client must have seen, step by step."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from handlers import CATALOG
from tests.clients.pins import Client
from tests.clients.stage import Facts

STEPS = ("connect", "list", "read", "write", "progress", "bad argument", "unknown tool", "refusal", "stranger")

Seen = dict[str, Any]

# What the server says of each error, and what some clients show in its place.
_SAID = {
    "bad argument": ["period: is 'fortnight'; allowed: today, yesterday"],
    "unknown tool": ["There is no tool called 'get_everything'"],
    "refusal": ["members.view"],
    "stranger": ["The token is not a valid JWT"],
}
_SHOWN_INSTEAD = ("401 Unauthorized", "403 Forbidden", "HTTP 401", "error response", "not found on server")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a step: its mark, and what was wrong or what the client showed.

    ✓ as it should be; ○ the client shows less of an error than the server says; – the client cannot do it; ✗ wrong.
    """

    mark: str
    seconds: float = 0.0
    why: str = ""


def judged(client: Client, facts: Facts, seen: Mapping[str, Seen]) -> dict[str, Verdict]:
    """Judge each step of a run; what was not printed was not reached."""
    return {step: _judged(step, client, facts, seen.get(step)) for step in STEPS}


def _judged(step: str, client: Client, facts: Facts, seen: Seen | None) -> Verdict:
    if seen is None:
        return Verdict("✗", why="not reached")
    seconds = seen["seconds"]
    if seen.get("hung"):
        return Verdict("✗", seconds, "hung")
    if bool(seen.get("cannot")) != (step in client.cannot):
        return Verdict("✗", seconds, f"pins.py says that it {'cannot' if step in client.cannot else 'can'}")
    if step in client.cannot:
        return Verdict("–")
    try:
        why = _JUDGES[step](seen, client, facts)
    except AssertionError as error:
        return Verdict("✗", seconds, f"{error}: {json.dumps(seen, ensure_ascii=False)[:1000]}")
    mark = "○" if why is not None and not any(words in why for words in _SAID.get(step, [])) else "✓"
    return Verdict(mark, seconds, why or "")


def _connected(seen: Seen, client: Client, facts: Facts) -> None:
    assert "version" in seen, "did not connect"
    assert seen["version"] in (None, client.version), f"expected version {client.version}"


def _listed(seen: Seen, client: Client, facts: Facts) -> None:
    assert sorted(seen.get("tools", [])) == sorted(CATALOG), "other tools"


def _read(seen: Seen, client: Client, facts: Facts) -> None:
    _succeeded(seen)
    assert f"{facts.leads}" in seen["text"].replace(",", ""), f"the text lacks the {facts.leads} leads"
    if _has_fields(seen, client):
        assert seen["fields"]["total_leads"] == facts.leads, f"expected {facts.leads} leads"


def _written(seen: Seen, client: Client, facts: Facts) -> None:
    answers = seen.get("answers", [])
    assert len(answers) == 2, "did not write twice"
    for answer in answers:
        _succeeded(answer)
    if not _has_fields(answers[1], client):
        assert "earlier call" in answers[1]["text"], "the text of the second does not tell that it was replayed"
        return
    first, second = (answer["fields"] for answer in answers)
    assert first["changed"] and not first["idempotency"]["replayed"], "the first did not change anything"
    assert second["idempotency"]["replayed"], "the second was not replayed"
    assert second["audit_id"] == first["audit_id"], "the second is another change"


def _followed(seen: Seen, client: Client, facts: Facts) -> None:
    _succeeded(seen)
    steps = [progress for progress, _, _ in seen["said"]]
    assert len(steps) >= 3, "heard of no progress"
    assert steps == sorted(set(steps)) and steps[-1] == 1, "progress must rise to 1"
    assert all(message for _, _, message in seen["said"]), "steps without a message"


def _succeeded(seen: Seen) -> None:
    assert "raised" not in seen and not seen["is_error"], "failed"


def _has_fields(seen: Seen, client: Client) -> bool:
    """Tell whether the version has structured content; the client must show it then, and only then."""
    expected = client.version != "2025-03-26"
    assert (seen["fields"] is not None) == expected, f"structured content is {'missing' if expected else 'there'}"
    return expected


def _failed(seen: Seen, client: Client, facts: Facts) -> str:
    """Return what the client shows of an error: the server's words, or at least that it is one, and which."""
    assert "raised" in seen or seen["is_error"], "did not fail"
    shown = str(seen.get("raised") or seen["text"])
    assert any(words in shown for words in (*_SAID[seen["step"]], *_SHOWN_INSTEAD)), "shows neither reason nor status"
    return shown


_JUDGES: dict[str, Callable[[Seen, Client, Facts], str | None]] = {
    "connect": _connected,
    "list": _listed,
    "read": _read,
    "write": _written,
    "progress": _followed,
    **dict.fromkeys(_SAID, _failed),
}
