"""What a benchmark finds, as data: the JSON of ``hv bench``, and its lists.

A report holds raw times, the figures made of them, and exact counts. Times
depend on the computer; most figures are ratios of times taken in the same
run, which depend on it far less; counts do not depend on it at all.
"""

from statistics import median
from typing import Literal

import msgspec

SCHEMA = 1

Unit = Literal["x", "ns", "/s", "KiB"]


class Skip(msgspec.Struct, frozen=True):
    """A machine that was not measured, and why."""

    machine: str
    why: str


class Computer(msgspec.Struct, frozen=True):
    """Where times were taken.

    :param clock: ``processor time`` or ``wall time``.
    """

    cpu: str
    cores: int
    system: str
    python: str
    clock: str


class Speed(msgspec.Struct, frozen=True):
    """One program on one machine.

    :param place: ``fast bare``, ``ref emulate`` ..., ``qemu``, ``unicorn``.
    :param rounds: how often it did its work in each run.
    :param insns: instructions of one run, where the machine counts them.
    :param seconds: of each run, in the order of the report's rounds.
    """

    program: str
    place: str
    rounds: int
    insns: int | None
    seconds: list[float]

    @property
    def per_round(self) -> float:
        """Seconds for the program's work done once: the median."""
        return median(self.seconds) / self.rounds

    @property
    def mips(self) -> float | None:
        """Millions of instructions per second, where they are counted."""
        if self.insns is None:
            return None
        return self.insns / median(self.seconds) / 1e6


class Figure(msgspec.Struct, frozen=True):
    """One figure with what was aimed at.

    :param value: the median; ``low`` and ``high`` are the extremes.
    :param unit: ``x`` for a ratio.
    :param better: whether more or less of it is better.
    :param aim: what it should reach; None if it is only reported.
    :param stretch: what would be better still.
    """

    name: str
    what: str
    value: float
    unit: Unit
    low: float
    high: float
    better: Literal["more", "less"] = "more"
    aim: float | None = None
    stretch: float | None = None
    why: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim was reached; None if there is none."""
        if self.aim is None:
            return None
        if self.better == "more":
            return self.value >= self.aim
        return self.value <= self.aim

    @property
    def margin(self) -> float | None:
        """How much better than the aim, as a fraction of it; below 0: worse.

        Twice the aim is 1.0 if more is better, half of it 1.0 if less is.
        """
        if self.aim is None:
            return None
        if self.better == "more":
            return self.value / self.aim - 1
        return self.aim / self.value - 1

    @property
    def verdict(self) -> str:
        """The margin in words."""
        if self.margin is None:
            return ""
        word = "met" if self.met else "missed"
        return f"{word} by {abs(self.margin):.0%}"


class Count(msgspec.Struct, frozen=True):
    """What a guest kernel's work costs in a style: exact, the same anywhere.

    :param costs: what every cost but an instruction's was multiplied by.
    """

    style: str
    image: str
    costs: float
    insns: int
    cycles: int
    exits: int
    to_bare: float


class Report(msgspec.Struct, frozen=True):
    """All that one ``hv bench`` finds.

    :param commit: of the checkout, empty if it is none; ``date`` is its date.
    """

    schema: int
    version: str
    commit: str
    date: str
    quick: bool
    rounds: int
    computer: Computer
    skipped: list[Skip]
    figures: list[Figure]
    speeds: list[Speed]
    counts: list[Count]

    def figure(self, name: str) -> Figure | None:
        """Return a figure by name, if it was measured."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        return None


def to_json(report: Report) -> bytes:
    """Return a report as indented JSON, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def from_json(data: bytes) -> Report:
    """Return the report that JSON holds.

    :raises msgspec.ValidationError: if it is none, or of another schema.
    """
    report = msgspec.json.decode(data, type=Report)
    if report.schema != SCHEMA:
        raise msgspec.ValidationError(
            f"a report of schema {report.schema}; this hv reads {SCHEMA}"
        )
    return report
