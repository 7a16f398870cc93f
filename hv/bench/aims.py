"""What hv aims at: every figure that is reported, and what it should be.

The aims are for one computer with nothing else to do, in one run. A figure
that misses its aim is reported as such, with the reason as far as it is known:
``why``, which is shown only then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from hv.bench.report import Figure, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A figure to be measured, as :class:`~hv.bench.report.Figure` has it."""

    name: str
    what: str
    unit: Unit = "x"
    better: Literal["more", "less"] = "more"
    aim: float | None = None
    stretch: float | None = None
    why: str = ""

    def figure(self, values: Sequence[float]) -> Figure:
        """Return the figure that these measurements make."""
        return Figure(
            name=self.name,
            what=self.what,
            value=median(values),
            unit=self.unit,
            low=min(values),
            high=max(values),
            better=self.better,
            aim=self.aim,
            stretch=self.stretch,
            why=self.why,
        )


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure that is the time on one machine by the time on another.

    :param above: program and machine whose time is divided,
    :param below: ... by the time of this one.
    """

    aim: Aim
    above: tuple[str, str]
    below: tuple[str, str]


def _times(
    work: str,
    other: str,
    aim: float | None = None,
    stretch: float | None = None,
    why: str = "",
) -> Ratio:
    """Return how many times faster than another the fast engine is, bare."""
    place = "ref bare" if other == "the reference" else other.lower()
    fact = Aim(
        name=f"{work}-{place.split()[0]}",
        what=f"fast engine to {other}, {work}",
        aim=aim,
        stretch=stretch,
        why=why,
    )
    return Ratio(fact, (work, place), (work, "fast bare"))


def _share(work: str, style: str, aim: float | None) -> Ratio:
    """Return which share of the bare machine's speed a style leaves."""
    fact = Aim(
        name=f"{work}-{style}",
        what=f"speed under {style} to bare: {work}",
        aim=aim,
        why="what a short run spends on filling shadow tables and on giving "
        "the guest its memory weighs more, the less it computes",
    )
    return Ratio(fact, (work, "fast bare"), (work, f"fast {style}"))


def _fault(style: str) -> Ratio:
    fact = Aim(
        name=f"fault-{style}",
        what=f"time of a page fault, {style} to bare",
        better="less",
        aim=2.5,
        why="a fault of the guest's own is several exits: the fault itself, "
        "what the handler does with privileged instructions or calls, the "
        "return, and the shadow entry that is missing then",
    )
    return Ratio(fact, ("fault", f"fast {style}"), ("fault", "fast bare"))


_TRANSLATED = (
    "a translator makes machine code of the loop; an interpreter has several "
    "instructions of the host for each of the guest's, and a jump"
)
_WALK = (
    "each visit is a TLB miss and its walk, counted and paid for: the code "
    "that the reference engine uses, too"
)
_AROUND = (
    "a trap leaves the loop and enters it again, and a dozen of the kernel's "
    "instructions belong to the round trip"
)

RATIOS = (
    _times("mix", "Unicorn", 2, 2.3, _TRANSLATED),
    _times("copy", "Unicorn", 8, None, _TRANSLATED),
    _times("copy", "QEMU", 1.2, None, _TRANSLATED),
    _times("chase", "QEMU", 7, None, _WALK),
    _times("trap", "QEMU", 10, None, _AROUND),
    *(_times(work, "QEMU") for work in ("mix", "alu", "calls", "fault")),
    *(_times(work, "the reference") for work in ("mix", "chase", "trap")),
)

# Computation that the hypervisor should leave alone.
COMPUTE = ("mix", "alu", "calls")


def ratios(styles: Sequence[str]) -> list[Ratio]:
    """Return all ratios, given the styles that there are beside bare."""
    shares = [_share(work, style, 0.95) for work in COMPUTE for style in styles]
    return [*RATIOS, *shares, *map(_fault, styles)]


def _cost(
    name: str, what: str, unit: Unit = "ns", aim: float | None = None,
    why: str = "",
) -> Aim:  # fmt: skip
    better: Literal["more", "less"] = "more" if unit == "/s" else "less"
    return Aim(name=name, what=what, unit=unit, better=better, aim=aim, why=why)


_EXIT = (
    "an exit settles the engine's account, accounts the guest's cycles and "
    "its instructions, asks the scheduler and the timer, and arms the latter"
)
HYPERCALL = _cost("hypercall", "hypercall round trip, pv", aim=100, why=_EXIT)
FIRMWARE = _cost("call-bare", "an SBI call of the firmware, bare")
MISS = _cost("refill-bare", "a TLB miss, bare")


def sbi_call(style: str) -> Aim:
    """Return the figure of a call of the hypervisor as of a firmware."""
    what = f"SBI call round trip, {style}"
    return _cost(f"call-{style}", what, aim=100, why=_EXIT)


def privileged(style: str) -> Aim:
    """Return the figure of an instruction that only a kernel may execute."""
    return _cost(f"csr-{style}", f"a swap of sscratch, {style}")


def refill(style: str) -> Aim:
    """Return the figure of a translation that is missing everywhere."""
    return _cost(f"refill-{style}", f"a missing translation, {style}")


SWITCH = _cost("vm-switch", "a switch of VMs, by yield")
SWITCHES = _cost(
    "vm-switches", "switches of VMs in a second", "/s", 1_000_000, why=_EXIT
)
CROWD = _cost(
    "vm-crowd",
    "memory of 500 running kernels in one host",
    "KiB",
    1024 * 1024,
    why="each has pages of its own, and its code is decoded for itself",
)
TRACED = Aim(
    name="traced",
    what="switches of VMs with every event noted, to none",
    better="less",
    aim=10,
    why="each switch is a dozen events, which Python fetches as they are",
)
CREATE = _cost("vm-create", "a VM from create() to its first instruction")
LIVES = _cost(
    "vm-lives", "1 MiB VMs created, run, destroyed", "/s", 10_000,
    why="most of it is Python's part of making a guest",
)  # fmt: skip
MEMORY = _cost("vm-memory", "memory of a VM beside its pages", "KiB", 128)
RESET = _cost("reset", "back to a mark: two VMs, nothing written since")
RESET_PAGE = _cost("reset-page", "the same, for each page written since")
RESETS = Aim(
    name="reset-even",
    what="a page of 512 to a page of 32, put back",
    better="less",
)
_OPERATION = (
    "an operation sets registers, enters a guest through the API and leaves it "
    "by an exit, and then its end is hashed and its world put back: some "
    "microseconds each, where this aim has ten of them for all 64"
)
PROGRAMS = _cost(
    "programs",
    "hypervisor programs of 64 operations, no oracle",
    unit="/s",
    aim=100_000,
    why=_OPERATION,
)
PROGRAMS_LOOKED_AT = _cost(
    "programs-all", "the same with every oracle but `each`", unit="/s"
)
PAIRS = _cost(
    "program-pairs",
    "pairs of runs of 64 operations, compared",
    unit="/s",
    aim=20_000,
    why=f"two runs each, and what each VM saw is compared: {_OPERATION}",
)
EXIT = _cost(
    "python-exit",
    "exit to Python and back",
    aim=1_000,
    why="most of it is Python's: a lock, a method, and cffi's call",
)
EXIT_API = _cost("python-run", "the same through VM.run()")
