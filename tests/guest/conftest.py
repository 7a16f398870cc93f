"""Fixtures: the shipped images, and one way to run any of them."""

import os
import re
from collections import defaultdict
from dataclasses import dataclass

import pytest

import hv
from hv import images

Checksums = dict[str, str]

LINE = re.compile(r"^\[(\d+ \w+)\] (.*?)\r?$", re.MULTILINE)

# Two programs that compute and one that mostly waits: a good mixture, quickly.
WORK = "run=sieve,forks,ping"


@dataclass(frozen=True)
class Outcome:
    """What a run ended with."""

    text: str
    exit_code: int | None
    state_hash: int

    @property
    def checksums(self) -> Checksums:
        """The checksum that each program printed."""
        return checksums(self.text)

    @property
    def programs(self) -> dict[str, list[str]]:
        """Each program's own lines, in order."""
        return lines_by_program(self.text)


def checksums(text: str) -> Checksums:
    """Return each program's checksum."""
    return dict(re.findall(r"\] (\w+): checksum ([0-9a-f]{8})\b", text))


def lines_by_program(text: str) -> dict[str, list[str]]:
    """Return the lines of each process, by pid and name.

    The kernel's own lines count ticks, and those depend on time.
    """
    lines = defaultdict(list)
    for name, line in LINE.findall(text):
        lines[name].append(line)
    return dict(lines)


def run(style: str, append: str = WORK, **options: object) -> Outcome:
    """Boot the kernel made for a style and run it to its end."""
    image = images.kernel(style)
    shadow_frames = int(str(options.pop("shadow_frames", 0)))
    if style == "bare":
        with hv.Machine(**options) as machine:  # type: ignore[arg-type]
            machine.load(image, append=append)
            machine.boot()
            machine.run(500_000_000)
            return Outcome(
                machine.console.text, machine.exit_code, machine.hash()
            )
    options.setdefault("ram", "32MiB")
    with hv.Hypervisor(**options) as hypervisor:  # type: ignore[arg-type]
        vm = hypervisor.create(style=style, shadow_frames=shadow_frames)
        vm.load(image, append=append)
        vm.boot()
        hypervisor.run(500_000_000)
        hypervisor.audit()
        return Outcome(vm.console.text, vm.exit_code, hypervisor.hash())


@pytest.fixture(scope="session", autouse=True)
def _images() -> None:
    if "kernel-native" in images.available():
        return
    why = f"no guest images: {images.missing()}"
    if os.environ.get("HV_NO_SKIP"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def bare() -> Outcome:
    """The reference that everything is compared with."""
    return run("bare")
