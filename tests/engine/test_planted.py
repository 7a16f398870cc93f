"""The comparison is worth something: it finds the mistakes one makes."""

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from .core import HERE, Engines, Workshop

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


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    shop = Workshop(tmp_path_factory.mktemp("shop"))
    shop.build()
    return shop


def depends(source: Path, name: str) -> bool:
    """Whether this C file has to be compiled again when that one changes."""
    if name.endswith(".c"):
        return source.name == name
    return "fast" in source.stem or source.name == "diff.c"


def test_the_list_is_in_order() -> None:
    names = [bug.name for bug in BUGS]
    assert len(set(names)) == len(names) >= 8
    assert all(bug.reason for bug in BUGS)


def test_every_bug_applies_once(tmp_path: Path) -> None:
    machine = Workshop(tmp_path).csrc / "machine"
    counts = {
        b.name: (machine / b.file).read_text().count(b.text) for b in BUGS
    }
    assert set(counts.values()) == {1}, counts


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_planted(shop: Workshop, bug: Bug, tmp_path: Path) -> None:
    shutil.copytree(shop.folder, tmp_path, dirs_exist_ok=True)
    bad = Workshop(tmp_path)
    file = bad.csrc / "machine" / bug.file
    file.write_text(file.read_text().replace(bug.text, bug.bug))
    changed = [s for s in bad.sources() if depends(s, bug.file)]
    outcome = Engines(bad.build(changed)).compare(1, INSNS)
    assert not outcome.equal, f"not noticed: {bug.reason}"
