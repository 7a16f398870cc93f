"""The hostile kernels: what each declares in its opening comment."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import hv
from hv import images

SOURCES = Path(__file__).parents[2] / "guestkernel" / "hostile"
VIRTUAL = tuple(style.value for style in hv.Style)
STYLES = ("bare", *VIRTUAL)
# Beside a good kernel: all, but where each line is to run once is enough.
BESIDE = (
    VIRTUAL if not os.environ.get("HV_SANITIZED") else ("emulate", "direct")
)

# Not a multiple of 4 MiB: the last megapage reaches beyond it.
MEM = "6MiB"
# More than any of them needs to be refused, and enough of an endless one.
BUDGET = {"refused": 6_000_000, "killed": 1_000_000, "contained": 1_000_000}

_REFUSED = re.compile(r"refused: ([0-9a-f]{8})$", re.MULTILINE)


@dataclass(frozen=True)
class Hostile:
    """A hostile kernel and how it must end."""

    name: str
    styles: tuple[str, ...]
    end: str  # killed, refused or contained
    reason: str  # words that the reason for killing it has

    @property
    def budget(self) -> int:
        """How many instructions it may run."""
        return BUDGET[self.end]

    def check(self, guest: hv.Guest, result: hv.RunResult) -> None:
        """Assert that it ended as it declares."""
        text = guest.console.text
        story = f"{guest.state}, {guest.reason!r}: ...{text[-200:]}"
        assert "BREACH" not in text, story
        if self.end == "killed":
            assert guest.state is hv.State.KILLED, story
            assert self.reason in guest.reason, story
        elif self.end == "refused":
            # It powers off, and got as far as counting what was refused: an
            # attack may be one that switches the machine off.
            assert guest.exit_code == 0, story
            count = _REFUSED.search(text)
            assert count, story
            assert int(count[1], 16) > 0, story
        else:
            idle = result.reason is hv.RunReason.IDLE
            asleep = idle and not guest.state.ended
            spent = result.reason is hv.RunReason.BUDGET
            assert guest.state is hv.State.BUDGET or asleep or spent, story


def declared(path: Path) -> Hostile:
    """Read the opening comment."""
    comment = path.read_text().partition("*/")[0]
    told = dict(re.findall(r"^ \* (\w+): +(.+)$", comment, re.MULTILINE))
    end, _, words = told["expect"].partition(" ")
    return Hostile(
        name=path.stem,
        styles=tuple(told["styles"].split(", ")),
        end=end,
        reason=words.strip('"'),
    )


ALL = [declared(path) for path in sorted(SOURCES.glob("hostile-*.c"))]
BY_NAME = {hostile.name: hostile for hostile in ALL}


def in_styles(*styles: str, only: list[Hostile] = ALL) -> list[object]:
    """Return every hostile kernel in each of these styles that it has."""
    return [
        pytest.param(hostile, style, id=f"{hostile.name}-{style}")
        for hostile in only
        for style in styles
        if style in hostile.styles
    ]


@pytest.fixture(scope="session", autouse=True)
def _images() -> None:
    found = images.available()
    if "kernel-native" not in found:
        pytest.skip(f"no guest images: {images.missing()}")


def add(
    hypervisor: hv.Hypervisor,
    hostile: Hostile,
    style: str,
    *,
    max_insns: int | None = None,
) -> hv.VM:
    """Boot a hostile kernel in a VM of its own."""
    vm = hypervisor.create(
        style=style,
        mem=MEM,
        max_insns=hostile.budget if max_insns is None else max_insns,
    )
    vm.load(images.find(hostile.name).path)
    vm.boot()
    return vm
