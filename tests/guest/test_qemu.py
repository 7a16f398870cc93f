"""The same firmware and kernel on somebody else's machine: QEMU."""

import os
import shutil
import subprocess

import pytest

from hv import images
from hv.workloads import PARALLEL, WORKLOADS
from tests.guest.conftest import WORK, Outcome, run

QEMU = "qemu-system-riscv32"

pytestmark = [pytest.mark.qemu, pytest.mark.images]


@pytest.fixture(scope="module")
def qemu() -> str:
    """Where QEMU is; without it there is nothing to compare with."""
    found = shutil.which(QEMU)
    if found is None:
        why = f"no {QEMU}: apt-get install qemu-system-misc"
        if os.environ.get("HV_NO_SKIP"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def on_qemu(qemu: str, append: str, harts: int = 1) -> Outcome:
    """Run the native kernel on QEMU, to its end."""
    firmware = images.find("firmware").path
    kernel = images.find("kernel-native").path
    board = ["-M", "virt", "-nographic", "-smp", str(harts), "-m", "64M"]
    software = ["-bios", str(firmware), "-kernel", str(kernel)]
    done = subprocess.run(
        [qemu, *board, *software, "-append", append],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Outcome(done.stdout, 0, 0)


@pytest.mark.parametrize("harts", [1, 2, 4])
def test_qemu_prints_the_same(qemu: str, harts: int, bare: Outcome) -> None:
    assert on_qemu(qemu, WORK, harts).programs == bare.programs


def test_qemu_does_the_workloads_of_hv_compare(qemu: str) -> None:
    append = f"run={','.join(WORKLOADS)}"
    assert on_qemu(qemu, append).programs == run("bare", append).programs


@pytest.mark.parametrize("harts", [2, 4])
def test_qemu_does_the_workloads_for_several_harts(
    qemu: str, harts: int
) -> None:
    append = f"run={','.join(PARALLEL)}"
    outcome = on_qemu(qemu, append, harts)
    assert f"{harts} harts" in outcome.text
    assert outcome.programs == run("bare", append).programs
