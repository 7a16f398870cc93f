"""Fixtures of the control plane's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hv
from hv import images
from tests.control import elfs

Kernel = Callable[[list[int]], Path]
Boot = Callable[..., hv.Guest]

STYLES = ("bare", "emulate", "pv")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """Write instructions as an image that boots."""

    def write(code: list[int]) -> Path:
        path = tmp_path / "kernel.elf"
        path.write_bytes(elfs.kernel(code))
        return path

    return write


@pytest.fixture
def boot(kernel: Kernel) -> Iterator[Boot]:
    """Boot instructions in a style; what is not closed yet is closed later."""
    hosts: list[hv.Machine | hv.Hypervisor] = []

    def start(
        code: list[int], style: str = "bare", *, max_insns: int = 0
    ) -> hv.Guest:
        guest: hv.Guest
        if style == "bare":
            machine = hv.Machine()
            hosts.append(machine)
            guest = machine
        else:
            hypervisor = hv.Hypervisor()
            hosts.append(hypervisor)
            guest = hypervisor.create(style=style, max_insns=max_insns)
        guest.load(kernel(code))
        guest.boot()
        return guest

    yield start
    for host in hosts:
        host.close()


@pytest.fixture(scope="session")
def shipped() -> dict[str, images.Image]:
    """The images that come with hv, built now if they were not."""
    found = images.available()
    if "kernel-native" not in found:
        pytest.skip(f"no guest images: {images.missing()}")
    return found
