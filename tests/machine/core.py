"""The machine's C code as a Python object: the only place that loads it.

The declarations are not typed again: they are machine.h and the device
headers, as the C preprocessor sees them. ``HV_CORE_CFLAGS`` adds compiler
flags; ``HV_SANITIZED``, which `make sanitize` sets, adds the sanitizers.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import cffi
import pytest

from hv.environment import plain
from hv.zoo import builder
from hv.zoo.builder import CFLAGS

CSRC = Path(__file__).parents[2] / "csrc"
HEADERS = ["machine/machine.h", "dev/clint.h", "dev/plic.h", "dev/uart.h"]
HEADERS += ["dev/testdev.h"]
SOURCES = ["machine/*.c", "dev/*.c"]
COVERAGE = CSRC.parent / "build" / "coverage" / "machine"
CC = builder.compilers()["cc"]

# A C value, whose type only cffi knows.
CData: TypeAlias = Any


def declarations(headers: Iterable[str], workdir: Path) -> str:
    """Return what cffi may parse of some headers: no macros, no asserts."""
    stubs = workdir / "stubs"
    stubs.mkdir(exist_ok=True)
    for name in ("stdint.h", "stddef.h"):
        (stubs / name).write_text("")
    (stubs / "stdbool.h").write_text("#define bool _Bool\n")
    source = "".join(f'#include "{name}"\n' for name in headers)
    text = subprocess.run(
        [
            *(*CC, "-E", "-P", "-nostdinc", f"-I{stubs}", f"-I{CSRC}"),
            *(*CFLAGS, "-xc", "-"),
        ],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return re.sub(r"_Static_assert\([^;]*;", "", text)


def build(sources: Iterable[str]) -> Path:
    """Compile sources (patterns below csrc) into one shared library."""
    files = [p for pattern in sources for p in sorted(CSRC.glob(pattern))]
    flags = (*CFLAGS, *os.environ.get("HV_CORE_CFLAGS", "").split())
    if os.environ.get("HV_COVERAGE"):
        return counted([*CC, *flags, f"-I{CSRC}"], files)
    texts = {str(p.relative_to(CSRC)): p.read_text() for p in files}
    return builder.build(texts, flags=flags)


def counted(cc: list[str], files: list[Path]) -> Path:
    """Compile files one by one, where tools/coverage.py finds what they ran."""
    COVERAGE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=COVERAGE))
    objects = []
    for i, file in enumerate(files):
        objects.append(str(folder / f"{i}.o"))
        subprocess.run(
            [*cc, "-c", "-o", objects[-1], str(file)], env=plain(), check=True
        )
    out = folder / "core.so"
    subprocess.run(
        [*cc, "-shared", "-o", str(out), *objects], env=plain(), check=True
    )
    return out


def constants() -> dict[str, int]:
    """Read every ``#define NAME value`` of csrc/abi that is a number."""
    found: dict[str, int] = {}
    for header in sorted((CSRC / "abi").glob("*.h")):
        text = header.read_text().replace("\\\n", " ")
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        for name, value in re.findall(r"#define (\w+)[ \t]+([^\n]+)", text):
            try:
                # C's integer expressions are Python's; the text is our own.
                found[name] = eval(value, {}, found)  # noqa: S307
            except (NameError, SyntaxError):
                continue  # not a number: a macro with arguments, say
    return found


class Abi:
    """The constants of csrc/abi as attributes: ``abi.CSR_MSTATUS``."""

    def __init__(self) -> None:
        self.__dict__.update(constants())

    def __getattr__(self, name: str) -> int:
        raise AttributeError(f"csrc/abi does not define {name}")


abi = Abi()


class Core:
    """The loaded library: ``ffi`` and ``lib``, and the default costs.

    A subclass may load more than the machine.
    """

    headers: tuple[str, ...] = tuple(HEADERS)
    sources: tuple[str, ...] = tuple(SOURCES)

    def __init__(self, workdir: Path, library: Path | None = None) -> None:
        self.ffi: CData = cffi.FFI()
        self.ffi.cdef(declarations(self.headers, workdir))
        if library is None:
            library = build(self.sources)
        self.lib: CData = self.ffi.dlopen(str(library))
        text = (CSRC / "abi" / "costs.def").read_text()
        self.costs = {
            name: int(value)
            for name, value in re.findall(
                r"^COST\((\w+), (\d+)", text, re.MULTILINE
            )
        }

    def machine(self, **options: CData) -> "Machine":
        return Machine(self, **options)


class Machine:
    """One machine of one or more harts; keyword options as machine_config."""

    def __init__(
        self,
        core: Core,
        *,
        ram: int = 1 << 20,
        harts: int = 1,
        time_div: int = 10,
        costs: dict[str, int] | None = None,
        **options: CData,
    ) -> None:
        self.core, self.ffi, self.lib = core, core.ffi, core.lib
        self.costs = core.costs | (costs or {})
        config = self.ffi.new("struct machine_config *")
        config.ram_size = ram
        config.nr_harts = harts
        config.time_div = time_div
        config.cost = list(self.costs.values())
        for name, value in options.items():
            setattr(config, name, value)
        raw = self.lib.machine_new(config)
        if raw == self.ffi.NULL:
            raise ValueError("machine_new refused the configuration")
        self.raw = self.ffi.gc(raw, self.lib.machine_free)
        self.harts = [self.lib.machine_hart(raw, i) for i in range(harts)]
        self.hart = self.harts[0]
        self.regs = self.hart.regs
        self.x = self.hart.regs.x
        self.csr = self.hart.csr
        self.count = self.hart.count

    # memory

    def write(self, pa: int, data: bytes) -> None:
        if not self.lib.machine_ram_write(self.raw, pa, data, len(data)):
            raise ValueError(f"no RAM at {pa:#x}")

    def read(self, pa: int, size: int) -> bytes:
        buffer = self.ffi.new("uint8_t[]", size)
        if not self.lib.machine_ram_read(self.raw, pa, buffer, size):
            raise ValueError(f"no RAM at {pa:#x}")
        return bytes(buffer)

    def poke(self, pa: int, *words: int) -> None:
        """Write 32-bit words."""
        self.write(pa, b"".join(w.to_bytes(4, "little") for w in words))

    def peek(self, pa: int) -> int:
        """Read one 32-bit word."""
        return int.from_bytes(self.read(pa, 4), "little")

    # registers

    def get(self, csr: int) -> int:
        value = self.ffi.new("uint32_t *")
        if not self.lib.hart_csr_read(self.hart, csr, value):
            raise ValueError(f"no CSR {csr:#x}")
        return int(value[0])

    def set(self, csr: int, value: int) -> None:
        if not self.lib.hart_csr_write(self.hart, csr, value & 0xFFFFFFFF):
            raise ValueError(f"cannot write CSR {csr:#x}")

    def priv(self, priv: int) -> None:
        self.lib.hart_set_priv(self.hart, priv)

    # running

    def run(self, cycles: int, hart: CData = None) -> str:
        """Run for so many cycles more; return the exit without HART_."""
        hart = self.hart if hart is None else hart
        return self.run_until(hart.cycle + cycles, hart)

    def run_until(self, cycle: int, hart: CData = None) -> str:
        hart = self.hart if hart is None else hart
        why = self.lib.hart_run(hart, cycle)
        names = self.ffi.typeof("enum hart_exit").elements
        return str(names[why]).removeprefix("HART_")

    def step(self) -> str:
        """Execute one instruction, or take one trap."""
        return self.run(1)

    def execute(self, *words: int, priv: int | None = None) -> "Machine":
        """Put words at the present pc (physical) and step through them."""
        if priv is not None:
            self.priv(priv)
        self.poke(self.regs.pc, *words)
        for _ in words:
            self.step()
        return self

    def hash(self, seed: int = 0) -> int:
        return int(self.lib.machine_hash(self.raw, seed))

    # the serial line

    def output(self) -> bytes:
        size = self.lib.machine_uart_pending(self.raw)
        buffer = self.ffi.new("uint8_t[]", size or 1)
        taken = self.lib.machine_uart_take(self.raw, buffer, size)
        return bytes(buffer)[:taken]

    def input(self, data: bytes) -> int:
        """Offer bytes; return how many were taken."""
        for i, byte in enumerate(data):
            if not self.lib.machine_uart_give(self.raw, byte):
                return i
        return len(data)


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> Core:
    """Compile the machine's C code, once per session."""
    return Core(tmp_path_factory.mktemp("core"))
