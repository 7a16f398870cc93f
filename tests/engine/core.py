"""Both engines and the driver that compares them, as one shared library.

``diff.c`` makes and runs the random programs; Python only chooses seeds, and
builds the library: as it is, with the portable loop, or with a bug in it.
"""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cffi

from hv.environment import plain

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
SOURCES = ("machine/*.c", "dev/*.c")
CFLAGS = ("-std=c11", "-O1", "-g", "-fPIC", f"-I{HERE}")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

# A C value, whose type only cffi knows.
CData: TypeAlias = Any


def compiler() -> list[str]:
    """Return the command that compiles, flags included."""
    command = [os.environ.get("CC", "gcc"), *CFLAGS]
    command += os.environ.get("HV_CORE_CFLAGS", "").split()
    if os.environ.get("HV_SANITIZED"):
        command += SANITIZE
    return command


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


class Workshop:
    """A folder with the sources and their objects, to build libraries in."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        self.flags = flags
        self.csrc = folder / "csrc"
        if not self.csrc.exists():
            shutil.copytree(CSRC, self.csrc)

    def sources(self) -> list[Path]:
        found = [p for pattern in SOURCES for p in self.csrc.glob(pattern)]
        return [*sorted(found), HERE / "diff.c"]

    def compile(self, source: Path) -> None:
        subprocess.run(
            [
                *(*compiler(), *self.flags, f"-I{self.csrc}", "-c"),
                *(str(source), "-o", str(self.object(source))),
            ],
            env=plain(),
            check=True,
        )

    def object(self, source: Path) -> Path:
        return self.folder / f"{source.stem}.o"

    def build(self, changed: list[Path] | None = None) -> Path:
        """Compile what has changed (default: all) and link."""
        sources = self.sources()
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(self.compile, changed or sources))
        library = self.folder / "engines.so"
        library.unlink(missing_ok=True)  # one that is loaded stays as it is
        subprocess.run(
            [
                *(*compiler(), "-shared", "-o", str(library)),
                *(str(self.object(source)) for source in sources),
            ],
            env=plain(),
            check=True,
        )
        return library
