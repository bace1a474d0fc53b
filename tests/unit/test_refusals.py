"""Refused tokens in the log: told, counted, and never a flood."""

from typing import Any

from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from rpc_server.transport.refusals import LINES, SECONDS, Refusals


class Desk:
    """Refusals by a clock, with what they counted."""

    def __init__(self) -> None:
        self.now = 0.0
        self.counted: list[str] = []
        self._refusals = Refusals(count=self.counted.append, clock=lambda: self.now)

    def refuse(self, times: int) -> list[Any]:
        request = make_mocked_request("GET", "/")
        with capture_logs() as lines:
            for _ in range(times):
                self._refusals.note(request, "abc", "The token has expired.", "expired")
        return lines


def test_each_is_counted_and_the_first_of_a_minute_are_told() -> None:
    desk = Desk()

    assert len(desk.refuse(500)) == LINES
    desk.now = SECONDS - 0.01
    assert desk.refuse(1) == []
    assert desk.counted == ["expired"] * 501


def test_the_next_line_says_how_many_were_left_out() -> None:
    desk = Desk()
    desk.refuse(LINES + 7)
    desk.now = SECONDS

    first, second = desk.refuse(2)

    assert first["left_out"] == 7
    assert "left_out" not in second
