"""A Gradescope image is made, and grades, where there is no network.

As https://gradescope-autograders.readthedocs.io/en/latest/specs/ says, the zip
is unpacked into ``source``, ``setup.sh`` is run once, ``run_autograder`` is
copied beside it and run for each submission, which is in ``submission``.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import msgspec
import pytest

from hv.labs import cut
from hv.labs.exports.gradescope import pack
from hv.labs.spec import find
from tests.labs.schemas import Gradescope

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("install"),
    pytest.mark.timeout(1500),  # compilers run, and several at once
]

NUMBER = 1
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody answers


@cache
def alone() -> list[str]:
    """Return how a command runs without a network, if this system can."""
    trial = ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") is None:
        return []
    done = subprocess.run([*trial, "true"], capture_output=True, check=False)
    return [] if done.returncode else trial


def offline() -> dict[str, str]:
    """Return an environment that knows no index, and no proxy that answers."""
    return {
        "PATH": os.environ["PATH"],
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{NOWHERE}/simple",
        "http_proxy": NOWHERE,
        "https_proxy": NOWHERE,
    }


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> list[Path]:
    """Collect the wheels as docs/instructors.md says: hv and what it needs."""
    place = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet"]
    command += ["--wheel-dir", str(place), f"{wheel}[labs]"]
    subprocess.run(command, check=True)
    return sorted(place.glob("*.whl"))


@pytest.fixture(scope="module")
def image(
    tmp_path_factory: pytest.TempPathFactory, wheels: list[Path]
) -> dict[str, str]:
    """Build the image; return the environment of its scripts."""
    root = tmp_path_factory.mktemp("image") / "autograder"
    zipped = root.with_suffix(".zip")
    pack(NUMBER, zipped, wheels, key="secret")
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(root / "source")
    shutil.copy(root / "source/run_autograder", root)
    environment = offline() | {"AUTOGRADER": str(root), "HOME": str(root)}
    done = subprocess.run(
        [*alone(), "sh", root / "source/setup.sh"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return environment


def graded(environment: dict[str, str], files: dict[str, str]) -> Gradescope:
    """Hand files in, run what Gradescope runs, and read what it reads."""
    root = Path(environment["AUTOGRADER"])
    for name in ("submission", "results"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
    for name, text in files.items():
        (root / "submission" / name).write_text(text)
    subprocess.run(
        [*alone(), "sh", root / "run_autograder"],
        env=environment,
        cwd=root,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    data = (root / "results/results.json").read_bytes()
    return msgspec.json.decode(data, type=Gradescope)


def score(found: Gradescope) -> float:
    """Return the points of all tests."""
    return sum(test.score or 0 for test in found.tests or [])


def test_the_solution_has_all_points(image: dict[str, str]) -> None:
    found = graded(image, dict(cut.solution(find(NUMBER))))
    assert score(found) == 100
    assert {test.status for test in found.tests or []} == {"passed"}


def test_the_skeleton_has_its_baseline(image: dict[str, str]) -> None:
    folder = find(NUMBER)
    found = graded(image, dict(cut.skeleton(folder)))
    assert score(found) == folder.lab.baseline


def test_what_does_not_compile_is_told(image: dict[str, str]) -> None:
    files = dict(cut.skeleton(find(NUMBER)))
    found = graded(image, dict.fromkeys(files, "int x = ;\n"))
    assert "it does not compile" in found.output
    assert score(found) == 0


def test_a_file_that_is_missing_is_told(image: dict[str, str]) -> None:
    found = graded(image, {"MMU.C": "int x;\n"})
    assert found.output == "mmu.c is missing, or no ordinary file"
    assert score(found) == 0
