"""A wheel of this checkout, built once: it takes a minute."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hv import images
from tools.check_floors import ROOT

# What the wheel is made of. The images are those that are built: pip's own
# environment for building has no cross-compiler.
PARTS = ("csrc", "guestkernel", "hv", "labs")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build hv's wheel from a copy of the sources."""
    assert images.available(), images.missing()
    copy = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        shutil.copytree(
            ROOT / part,
            copy / part,
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(out), str(copy)),
        ],
        env=os.environ | {"HV_LTO": "0"},
        check=True,
    )
    (found,) = out.glob("*.whl")
    return found
