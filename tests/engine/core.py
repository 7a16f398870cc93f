"""Both engines and the driver that compares them, as one shared library.

``diff.c`` makes and runs the random programs; Python only chooses seeds, and
builds the library: as it is, with the portable loop, or with a bug in it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cffi

from hv.zoo import builder
from hv.zoo.builder import CFLAGS

HERE = Path(__file__).parent
FLOORS = ("machine/", "dev/")
DRIVER = "machine/diff.c"  # as if it were there

# A C value, whose type only cffi knows.
CData: TypeAlias = Any


def declarations() -> str:
    """Return what cffi may parse of diff.h."""
    lines = (HERE / "diff.h").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


@dataclass(frozen=True)
class Outcome:
    """What a comparison came to.

    :ivar seed: of the scenario that differed, or of the next one.
    :ivar why: what differed first; empty if nothing did.
    """

    seed: int
    why: str
    scenarios: int
    executed: int
    traps: int
    interrupts: int
    accesses: int
    guest_runs: int
    guest_traps: int
    exits: tuple[int, ...]  # by enum hart_exit

    @property
    def equal(self) -> bool:
        """Whether the engines did the same."""
        return not self.why


class Engines:
    """The loaded library."""

    def __init__(self, library: Path) -> None:
        self.ffi: CData = cffi.FFI()
        self.ffi.cdef(declarations())
        self.lib: CData = self.ffi.dlopen(str(library))

    def compare(self, seed: int, insns: int) -> Outcome:
        """Run scenarios from this seed on, for so many instructions."""
        result = self.ffi.new("struct diff_result *")
        self.lib.diff_run(seed, insns, result)
        why = self.ffi.string(result.why).decode()
        return Outcome(
            seed=result.seed,
            why=why or ("?" if result.differs else ""),
            scenarios=result.scenarios,
            executed=result.executed,
            traps=result.traps,
            interrupts=result.interrupts,
            accesses=result.accesses,
            guest_runs=result.guest_runs,
            guest_traps=result.guest_traps,
            exits=tuple(result.exits),
        )


def build(
    instead: Mapping[str, str] | None = None, flags: tuple[str, ...] = ()
) -> Path:
    """Compile both engines and the driver.

    :param instead: texts that replace files, by name below csrc.
    """
    instead = instead or {}
    files = builder.sources() | {DRIVER: (HERE / "diff.c").read_text()}
    files = {n: t for n, t in files.items() if n.startswith(FLOORS)}
    headers = {n: t for n, t in instead.items() if n not in files}
    files |= {n: t for n, t in instead.items() if n in files}
    # Named by its content, so that it is compiled again if that changes.
    headers |= {"diff.h": (HERE / "diff.h").read_text()}
    place = builder.headers_instead(headers)
    changes = any(n.startswith("machine/") for n in headers)
    extra = {n: (place,) for n in files if changes or n == DRIVER}
    flags = (*CFLAGS, *os.environ.get("HV_CORE_CFLAGS", "").split(), *flags)
    return builder.build(files, flags=flags, extra=extra)
