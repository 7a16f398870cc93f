"""The comparison is worth something: it finds the mistakes one makes."""

import tomllib
from dataclasses import dataclass

import pytest

from hv.zoo import builder

from .core import HERE, Engines, build

INSNS = 3_000_000


@dataclass(frozen=True)
class Bug:
    """A mistake: a text that occurs once in a file, and what is put there."""

    name: str
    file: str
    text: str
    bug: str
    reason: str


BUGS = [
    Bug(**record)
    for record in tomllib.loads((HERE / "planted.toml").read_text())["bug"]
]


def test_the_list_is_in_order() -> None:
    names = [bug.name for bug in BUGS]
    assert len(set(names)) == len(names) >= 8
    assert all(bug.reason for bug in BUGS)


def text_of(bug: Bug) -> str:
    return (builder.source_folder() / "machine" / bug.file).read_text()


def test_every_bug_applies_once() -> None:
    counts = {bug.name: text_of(bug).count(bug.text) for bug in BUGS}
    assert set(counts.values()) == {1}, counts


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_planted(bug: Bug) -> None:
    text = text_of(bug).replace(bug.text, bug.bug)
    bad = build({f"machine/{bug.file}": text})
    outcome = Engines(bad).compare(1, INSNS)
    assert not outcome.equal, f"not noticed: {bug.reason}"
