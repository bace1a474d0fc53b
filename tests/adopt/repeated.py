"""Tests of other folders, to be run again on an adopted database."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any


def database_tests(module: ModuleType, *left_out: str) -> dict[str, Callable[..., Any]]:
    """Return the tests of a module that use a database, by name; those *left_out* must be there."""
    tests = {
        name: test
        for name, test in vars(module).items()
        if name.startswith("test_")
        and {"crm", "both", "server", "sales", "office"} & set(inspect.signature(test).parameters)
    }
    for name in left_out:
        del tests[name]
    return tests
