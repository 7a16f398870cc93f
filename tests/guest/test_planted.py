"""A bug of the hypervisor shows in the output of a workload."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import ROOT, Planted, build, sources
from tests.guest import bugged

RECORDS = Path(__file__).with_name("planted.toml")

pytestmark = pytest.mark.images


def library(files: dict[str, str]) -> Path:
    """Build a core that can take the place of the extension module."""
    return build(files | {bugged.FILE: bugged.constants_c()})


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted.toml."""

    precedent: str
    property: str
    args: list[str]
    shows: str

    def build(self) -> Path:
        """Build the core that has this bug."""
        return library(self.files())


BUGS = Bug.read(RECORDS)


def compare(core: Path, args: list[str]) -> subprocess.CompletedProcess[str]:
    """Run `hv compare` on a core that was built apart."""
    command = [sys.executable, "-m", "tests.guest.bugged", str(core)]
    return subprocess.run(
        [*command, "compare", "--engine", "fast", *args],
        cwd=ROOT,
        env=bugged.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_hv_compare_finds(bug: Bug) -> None:
    done = compare(bug.build(), bug.args)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith(f"hv: {bug.shows}"), done.stderr


def test_hv_compare_finds_nothing_in_the_core_as_it_is() -> None:
    done = compare(library(sources()), BUGS[0].args)
    assert (done.returncode, done.stderr) == (0, "")
