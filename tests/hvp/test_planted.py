"""Short programs find bugs that were planted for other tests."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from hv import zoo
from tests.equivalence import core
from tests.equivalence.core import Core, build, good_core, planted
from tests.hvp.programs import Programs

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Found:
    """One record of found.toml."""

    record: str
    bug: str
    property: str
    program: str

    def data(self) -> bytes:
        """The program's bytes."""
        return bytes.fromhex(self.program)

    def core(self) -> Core:
        """Build the core that has the bug."""
        if self.record == "zoo":
            return Core(zoo.build(self.bug))
        for bug in records(self.record):
            if bug["name"] == self.bug:
                return Core(
                    build(
                        planted(
                            self.bug, bug["file"], bug["text"], bug["instead"]
                        )
                    )
                )
        raise AssertionError(f"{self.record} has no bug {self.bug}")


@cache
def records(name: str) -> list[dict[str, str]]:
    """Return the bugs of another folder's tests."""
    return core.records(HERE.parent / name)


FOUND = [
    Found(**row)
    for row in tomllib.loads((HERE / "found.toml").read_text())["found"]
]


@cache
def good() -> Programs:
    """The core without a bug."""
    return Programs(good_core())


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.bug)
def test_a_program_finds(found: Found) -> None:
    assert good().execute(found.data()).property == ""

    verdict = Programs(found.core()).execute(found.data())

    assert verdict.property == found.property, verdict
