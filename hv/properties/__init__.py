"""The properties of isolation: what must hold, and what looks at it.

The table is data (``table.toml``), read by the book, by the zoo of planted
bugs and by the tests: every message of the audit must name one of these.
"""

from functools import cache
from pathlib import Path

import msgspec

from hv.errors import UsageError

TABLE = Path(__file__).with_name("table.toml")


class Property(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One property.

    :ivar id: ``P1`` to ``P40``.
    :ivar says: the property, in words.
    :ivar seen_by: what looks at it: see the table's head.
    :ivar tests: folders of ``tests/``.
    """

    id: str
    name: str
    group: str
    says: str
    seen_by: list[str]
    tests: list[str]

    @property
    def checked(self) -> bool:
        """Whether its subject is there, and something looks at it."""
        return self.seen_by != ["none"]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    property: list[Property]


@cache
def properties() -> tuple[Property, ...]:
    """Return all of them, in the order of their numbers.

    >>> len(properties()), properties()[0].name
    (40, 'authority')
    """
    table = msgspec.toml.decode(TABLE.read_bytes(), type=_Table)
    return tuple(table.property)


def named(name: str) -> Property:
    """Return the property of this id.

    :raises UsageError: if there is none.
    """
    for one in properties():
        if one.id == name.upper():
            return one
    raise UsageError(f"no property {name!r}: there are P1 to P40")
