"""Changing a lead on an adopted database, by the tests that hold it on our own tables."""

from datetime import UTC, datetime

import pytest

from handlers.demo import DemoPlan
from tests.adopt.loading import load
from tests.adopt.repeated import database_tests
from tests.conftest import Crm
from tests.tools import test_assign, test_empty_tenant, test_operations, test_qualify, test_stage

for module in (test_operations, test_empty_tenant, test_qualify, test_stage, test_assign):
    globals().update(database_tests(module))


@pytest.fixture
async def sales(crm: Crm) -> Crm:
    """Give an adopted CRM with a tenant of 30 contacts."""
    now = datetime.now(UTC).replace(microsecond=0)
    await load(crm.owner, DemoPlan(test_operations.TENANT, 30, seed=3, until=now))
    return crm
