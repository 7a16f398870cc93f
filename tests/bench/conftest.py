"""Machines that are not there, for tests of what is made of their times."""

from dataclasses import dataclass, field

import pytest

from hv import images
from hv.bench.machines import Run
from hv.bench.report import (
    SCHEMA,
    Computer,
    Count,
    Figure,
    Report,
    Skip,
    Speed,
)


@dataclass
class Fake:
    """A machine whose runs take what they are told to."""

    name: str
    seconds: list[float] = field(default_factory=lambda: [1.0])
    result: str = "00000001"
    engine: str = ""
    style: str = ""
    why: str = ""

    def missing(self) -> str:
        return self.why

    def run(self, work: str, rounds: int) -> Run:
        assert work
        assert rounds
        return Run(self.result, self.seconds.pop(0))


def figure(value: float, **facts: object) -> Figure:
    """Make a figure; ``facts`` replace what does not matter."""
    plain: dict[str, object] = {
        "name": "a-b",
        "what": "a to b",
        "unit": "x",
        "low": value,
        "high": value,
    }
    return Figure(value=value, **(plain | facts))  # type: ignore[arg-type]


def a_report(*figures: Figure) -> Report:
    """Make a report with these figures and a little of everything else."""
    return Report(
        schema=SCHEMA,
        version="0",
        commit="abc1234",
        date="2026-01-01",
        quick=True,
        rounds=3,
        computer=Computer("a cpu", 2, "Linux", "3.11", "processor time"),
        skipped=[Skip("qemu", "no qemu here")],
        figures=list(figures),
        speeds=[
            Speed("mix", "fast bare", 2, 1000, [1.0, 3.0, 2.0]),
            Speed("mix", "ref bare", 1, 500, [4.0, 8.0, 6.0]),
            Speed("mix", "qemu", 2, None, [1.0, 1.0, 1.0]),
        ],
        counts=[Count("bare", "kernel", 1.0, 10, 20, 0, 1.0)],
    )


@pytest.fixture(scope="session")
def shipped() -> dict[str, images.Image]:
    """The images that come with hv."""
    found = images.available()
    if "bench-mix" not in found:
        pytest.skip(f"no guest images: {images.missing()}")
    return found
