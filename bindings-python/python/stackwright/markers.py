"""What `Annotated` may say of an attribute: `name: Annotated[str, ForceNew]`."""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["UNKNOWN", "Computed", "ForceNew", "Marker", "Sensitive", "Tags", "UnknownType", "WriteOnly"]


class Marker(Enum):
    """A property of an attribute beyond its type."""

    SENSITIVE = "sensitive"
    FORCE_NEW = "forces_replacement"
    COMPUTED = "computed"
    WRITE_ONLY = "write_only"
    TAGS = "takes_tags"

    def __repr__(self) -> str:
        return self.value


Sensitive: Final = Marker.SENSITIVE
"""The value is never shown, and sealed before it is stored."""
ForceNew: Final = Marker.FORCE_NEW
"""It cannot be changed in place: another value means another object."""
Computed: Final = Marker.COMPUTED
"""The template may set it; the resource decides it otherwise."""
WriteOnly: Final = Marker.WRITE_ONLY
"""The value reaches the resource and is never stored, neither in plans nor in state."""
Tags: Final = Marker.TAGS
"""Of a `dict[str, str]`: the object bears its tags there, and the engine puts the locked ones among them."""


class UnknownType(Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = UnknownType.UNKNOWN
"""Stands where a value is only known after something else was applied; `plan` and `validate` see it, no other verb."""
