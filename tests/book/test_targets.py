"""What a computer lacks is said in a line, and the night goes on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.check_floors import ROOT

MAKE = shutil.which("make")
STAMPS = [f".venv/{name}.stamp" for name in ("core", "images", "test", "docs")]

pytestmark = pytest.mark.skipif(MAKE is None, reason="there is no make")


def make(target: str, *settings: str, path: str) -> tuple[int, str]:
    """Make a target, all that it needs being there; return what it printed."""
    old = [part for name in (*STAMPS, "docs") for part in ("-o", name)]
    done = subprocess.run(
        [str(MAKE), "-s", *old, target, *settings],
        cwd=ROOT,
        # Not as a part of the make that may run the tests.
        env=os.environ | {"PATH": path, "MAKEFLAGS": "", "MAKELEVEL": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.strip()


def test_without_latex_there_is_no_pdf(tmp_path: Path) -> None:
    assert make("docs-pdf", path=str(tmp_path)) == (
        0,
        "docs-pdf: no PDF is made, there is no latexmk or no xelatex here",
    )


def test_without_a_network_no_link_to_elsewhere_is_looked_at() -> None:
    nobody = "http://127.0.0.1:9/"  # the discard port
    status, said = make(
        "check-links", f"OUTSIDE={nobody}", path=os.environ["PATH"]
    )
    assert status == 0
    assert said == (
        f"check-links: nothing outside was looked at, {nobody} is not reached"
    )
