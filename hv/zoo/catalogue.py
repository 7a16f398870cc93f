"""The records of the zoo, as data.

One file in ``records/`` for each class of bugs. Each ``[[bug]]`` has:

``id``
    a letter and two digits; a number is never used again
``title``
    what is wrong, in a line
``precedent``, ``basis``
    who made the mistake before, and what kind of evidence that is: see Basis
``violates``
    letters: C confidentiality, I integrity, U the state of a processor,
    F fairness, A availability, X the host fails, R resources
``property``, ``also``
    the property that it breaks by what it does, and a second one that may see
    it
``alone``
    why only one property sees it, where a search with that one silenced found
    no other; docs/data/generator.json has which ones were seen
``difficulty``
    for automatic generation, as expected or measured: easy, medium, hard
``story``
    the mistake, why it was tempting, what an attacker gains
``edit``
    one or more: a file below csrc, a text that occurs once in it, and what
    the bug has instead
``trigger``
    the smallest program known that shows it, in the text form of hypervisor
    programs; empty if none was found yet
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from hv.errors import HvError, UsageError
from hv.zoo.builder import Edit

RECORDS = Path(__file__).with_name("records")
WHEATS = "wheats"


class Basis(StrEnum):
    """What kind of evidence stands behind a precedent."""

    ADVISORY = "advisory"  # a public advisory describes this mistake
    COMMIT = "commit"  # a public commit repairs it
    PAPER = "paper"  # a published paper describes it
    ANALOGUE = "analogue"  # the named one is alike, not the same
    CLASS = "class"  # a mistake often made; no single case is named
    MEMORY = "memory"  # named from memory, its record was not looked up

    @property
    def real(self) -> bool:
        """Whether somebody is known to have made just this mistake."""
        return self in (Basis.ADVISORY, Basis.COMMIT, Basis.PAPER)


class Difficulty(StrEnum):
    """How long a generator looks for it."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bug:
    """One record."""

    id: str
    title: str
    precedent: str
    basis: Basis
    violates: str
    property: str
    also: str
    difficulty: Difficulty
    story: str
    edits: tuple[Edit, ...]
    trigger: str = ""
    alone: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheat:
    """A correct core that is not the one we ship: no property may complain.

    :ivar flags: more flags for the compiler.
    :ivar compiler: a name of `builder.compilers()`.
    """

    id: str
    title: str
    story: str
    edits: tuple[Edit, ...] = ()
    flags: tuple[str, ...] = ()
    compiler: str = "cc"


def _edits(record: Mapping[str, Any]) -> tuple[Edit, ...]:
    return tuple(Edit(**edit) for edit in record.get("edit", ()))


def _bug(record: Mapping[str, Any]) -> Bug:
    rest = {key: value for key, value in record.items() if key != "edit"}
    rest |= {
        "basis": Basis(record["basis"]),
        "difficulty": Difficulty(record["difficulty"]),
        "story": " ".join(record["story"].split()),
        "alone": " ".join(record.get("alone", "").split()),
    }
    return Bug(**rest, edits=_edits(record))


def _wheat(record: Mapping[str, Any]) -> Wheat:
    rest = {key: value for key, value in record.items() if key != "edit"}
    rest |= {
        "flags": tuple(record.get("flags", ())),
        "story": " ".join(record["story"].split()),
    }
    return Wheat(**rest, edits=_edits(record))


def _file(name: str) -> Mapping[str, Any]:
    path = RECORDS / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise HvError(f"{path}: {error}") from None


@cache
def classes() -> dict[str, str]:
    """Return the letters of the classes, and what each is about."""
    names = [path.stem for path in RECORDS.glob("*.toml")]
    return {n: _file(n)["title"] for n in sorted(names) if n != WHEATS}


@cache
def records() -> tuple[Bug, ...]:
    """Return all bugs, in the order of their ids."""
    found = [_bug(r) for name in classes() for r in _file(name)["bug"]]
    return tuple(sorted(found, key=lambda bug: bug.id))


@cache
def wheats() -> tuple[Wheat, ...]:
    """Return all legal variants of the core."""
    return tuple(_wheat(record) for record in _file(WHEATS)["wheat"])


def record(name: str) -> Bug:
    """Return the bug of this id.

    :raises UsageError: there is none.
    """
    for bug in records():
        if bug.id == name.upper():
            return bug
    raise UsageError(f"no bug {name!r} in the zoo: see `hv zoo list`")


def core(name: str) -> Bug | Wheat:
    """Return the bug of this id, or the variant.

    :raises UsageError: there is neither.
    """
    for wheat in wheats():
        if wheat.id == name.upper():
            return wheat
    return record(name)
