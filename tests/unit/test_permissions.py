"""What a token grants: one permission, a family of them, or all."""

import pytest

from handlers import CATALOG
from rpc_server.contract.caller import Caller


def caller(*permissions: str) -> Caller:
    return Caller("tenant", "user", frozenset(permissions))


@pytest.mark.parametrize("granted", ["analytics.view", "analytics.*", "*"])
def test_a_permission_is_granted_by_itself_by_its_family_or_by_all(granted: str) -> None:
    assert caller("members.view", granted).may("analytics.view")


@pytest.mark.parametrize(
    "granted",
    [
        "",
        "analytics",
        "analytics.",
        "analytics.v*",
        "analytics.view.*",
        "analytics*",
        "analytic.*",
        "analytics.manage",
        "Analytics.View",
        "ANALYTICS.*",
        " analytics.view",
        ".*",
        "**",
        "*.view",
        "*.*",
        "members.*",
    ],
)
def test_nothing_else_grants_it(granted: str) -> None:
    assert not caller(granted).may("analytics.view")


def test_a_caller_without_permissions_may_nothing() -> None:
    assert not any(caller().may(permission) for tool in CATALOG.values() for permission in tool.permissions)


def test_what_is_lacking_is_named_in_order_and_what_is_granted_is_not() -> None:
    needed = ("messages.view", "analytics.view", "contacts.view")

    assert caller("contacts.*").lacks(needed) == ["analytics.view", "messages.view"]
    assert caller("*").lacks(needed) == []
    assert caller().lacks([]) == []
