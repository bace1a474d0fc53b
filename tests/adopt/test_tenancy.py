"""Tenants of an adopted database are kept apart, by the tests that hold it on our own tables."""

from tests.adopt.repeated import database_tests
from tests.tenancy import test_changes, test_predicates
from tests.tenancy.test_hostile_statements import (
    test_no_error_tells_of_a_foreign_row,
    test_no_row_of_another_tenant_is_named_by_an_insert_or_in_its_way,
    test_the_reader_has_no_right_to_write_whatever_the_transaction,
)

__all__ = [
    "test_no_error_tells_of_a_foreign_row",
    "test_no_row_of_another_tenant_is_named_by_an_insert_or_in_its_way",
    "test_the_reader_has_no_right_to_write_whatever_the_transaction",
]
for module in (test_predicates, test_changes):
    globals().update(database_tests(module))
