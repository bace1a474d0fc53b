"""Who calls, and what their token grants."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a verified token; the tenant comes from there and from nowhere else."""

    tenant_id: str
    user_id: str
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        """Tell whether the token grants *permission*, by itself, by its family (`analytics.*`) or by `*`."""
        family, _, _ = permission.partition(".")
        return not self.permissions.isdisjoint((permission, f"{family}.*", "*"))

    def lacks(self, permissions: Iterable[str]) -> list[str]:
        """Return those of *permissions* that the token does not grant, sorted."""
        if self.permissions.issuperset(permissions):  # as most are granted, and it is asked at each call
            return []
        return sorted(permission for permission in permissions if not self.may(permission))
