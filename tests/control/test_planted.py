"""The tests of books and traces find mistakes in both."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.equivalence.core import ROOT, Planted, build
from tests.guest import bugged

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted.toml."""

    reason: str
    test: str
    shows: str

    def build(self) -> Path:
        """Build the core that has this bug."""
        return build(self.files() | {bugged.FILE: bugged.constants_c()})


BUGS = Bug.read(FOLDER / "planted.toml")
# A bug found is a bug found: sanitizers have little to add.
if os.environ.get("HV_SANITIZED"):
    BUGS = BUGS[:1]


def run_on(core: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Run a test on a core that was built apart."""
    command = [sys.executable, "-m", "tests.guest.bugged", str(core)]
    return subprocess.run(
        [*command, "-m", "tests.control.on_core"],
        cwd=ROOT,
        env=bugged.environment() | {"HV_PLANTED_TEST": f"{FOLDER}/{test}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_is_found(bug: Bug) -> None:
    done = run_on(bug.build(), bug.test)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    failed = [line for line in done.stdout.splitlines() if line[:1] in ">E"]
    assert any(bug.shows in line for line in failed), done.stdout
