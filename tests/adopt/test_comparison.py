"""compare_agents on an adopted database, by the tests that hold it on our own tables."""

from datetime import datetime

import pytest

from tests.adopt.repeated import database_tests
from tests.conftest import Crm
from tests.tools import test_comparison, test_figures

AWKWARD = test_comparison.test_every_figure_of_an_awkward_world_is_what_plain_counting_finds
globals().update(
    {
        name: test
        for name, test in database_tests(test_comparison, AWKWARD.__name__).items()
        if "case_mix" in name or "channels" in name
    }
)


@pytest.mark.parametrize("world", test_figures.WORLDS[:2], ids=lambda world: str(world[0]))
async def test_every_figure_of_an_awkward_world_is_what_plain_counting_finds(
    crm: Crm, world: tuple[int, str, datetime]
) -> None:
    """The worlds lose their ratings here, so that satisfaction is the share of positive sentiments."""
    await AWKWARD(crm, *world)
