"""Chaff: cores with a bug planted in them, to test the tests.

``planted.toml`` has one record for each bug: a file, a piece of its text that
occurs once, what to put instead, who made such a mistake before, which
property it breaks, and as what it must show. Those that real hypervisors had
are in the zoo (hv/zoo) and only named here. The reference sources know
nothing of them.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.equivalence.core import Planted, records

RECORDS = Path(__file__).with_name("planted.toml")


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted.toml."""

    precedent: str
    property: str
    shows: tuple[str, ...]  # what may differ first
    first: int = 0  # a program not far before one that finds it
    flags: int = 0
    style: str = "EMULATE"  # as hv.h has it
    sync: str = "DEFAULT"
    config: dict[str, int] = field(default_factory=dict)


@cache
def bugs(path: Path = RECORDS) -> tuple[Bug, ...]:
    """Return all records of a file, by default those of this folder."""
    found = tuple(
        Bug(**{**record, "shows": tuple(record["shows"])})
        for record in records(path)
    )
    assert len({bug.name for bug in found}) == len(found)
    return found
