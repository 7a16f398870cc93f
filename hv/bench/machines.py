"""What the programs run on: hv in each engine and style, QEMU, Unicorn.

Every machine runs the same file, with its page tables on, and is timed from
the moment when the program is entered to the end. The kernel prints "go" then,
and the result of the work at the end.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import hv
from hv import images
from hv.bench import clock
from hv.bench.programs import MEMORY, image_of, patched, program
from hv.environment import plain
from hv.errors import HvError

QEMU = "qemu-system-riscv32"
# What the harness prints when the program is entered.
GO = b"go\n"
# A VM's machine has room for its shadow tables.
HEADROOM = 16 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program: its result, and what it took."""

    result: str
    seconds: float
    insns: int | None = None


class Place(Protocol):
    """A machine in one configuration."""

    @property
    def name(self) -> str:
        """What the report calls it."""

    @property
    def engine(self) -> str:
        """Which of hv's engines it is, or empty."""

    @property
    def style(self) -> str:
        """Which of hv's styles it is, or empty."""

    def missing(self) -> str:
        """Return why it cannot be used here; empty if it can."""

    def run(self, work: str, rounds: int) -> Run:
        """Run a program once.

        :raises HvError: if it does not come to its end.
        """


@dataclass(frozen=True, slots=True)
class OnHv:
    """hv with one engine, bare or in a style."""

    engine: str
    style: str

    @property
    def name(self) -> str:
        """Engine and style."""
        return f"{self.engine} {self.style}"

    def missing(self) -> str:
        """Never."""
        return ""

    def run(self, work: str, rounds: int) -> Run:
        """Run on a machine, or in a VM, that is made for it."""
        image = image_of(work, self.style)
        with guest_for(self.engine, self.style) as guest:
            prepare(guest, image, rounds)
            began = clock.mine()
            guest.run_until("halt")
            spent = clock.mine() - began
            return Run(
                result_of(image.name, guest.console.text),
                spent / 1e9,
                guest.info.insns,
            )


@contextmanager
def guest_for(engine: str, style: str) -> Iterator[hv.Guest]:
    """Make a bare machine, or a VM on one, large enough for a program."""
    if style == "bare":
        with hv.Machine(ram=MEMORY, engine=engine) as machine:
            yield machine
    else:
        with hv.Hypervisor(ram=MEMORY + HEADROOM, engine=engine) as host:
            yield host.create(style=style, mem=MEMORY)


def prepare(guest: hv.Guest, image: images.Image, rounds: int) -> None:
    """Load and boot a benchmark that works so often."""
    guest.load(image)
    guest.mem.write32(program(image)[1], rounds)
    guest.boot()


def result_of(name: str, text: str) -> str:
    """Return what a program printed after "go".

    :raises HvError: if it printed anything else.
    """
    lines = text.split()
    if len(lines) != 2 or lines[0] != "go":
        raise HvError(f"{name} went wrong: it printed {text!r}")
    return lines[1]


@dataclass(frozen=True, slots=True)
class OnQemu:
    """QEMU's board ``virt``, with hv's firmware."""

    name: str = "qemu"
    engine: str = ""
    style: str = ""

    def missing(self) -> str:
        """Where there is no such program."""
        if shutil.which(QEMU):
            return ""
        return f"no {QEMU} here (apt install qemu-system-misc)"

    def run(self, work: str, rounds: int) -> Run:
        """Run a copy of the file, timed from what it prints."""
        image = image_of(work, "bare")
        with patched(image, rounds) as path:
            command = [QEMU, "-M", "virt", "-nographic", "-m", "64M"]
            command += ["-bios", str(images.find("firmware").path)]
            command += ["-kernel", str(path)]
            with subprocess.Popen(  # noqa: S603 -- QEMU, with our arguments
                command,
                env=plain(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ) as process:
                try:
                    return self._timed(work, process)
                finally:
                    process.kill()

    @staticmethod
    def _timed(work: str, process: "subprocess.Popen[bytes]") -> Run:
        assert process.stdout is not None  # noqa: S101 -- PIPE was asked for
        pipe = process.stdout.fileno()
        text = b""
        times: list[int] = []
        while text.count(b"\n") < 2 and (part := os.read(pipe, 4096)):
            before, text = text, text + part
            # At the end of "go", and when the result begins.
            if text.startswith(GO) and len(times) < 2:
                times.append(clock.of(process.pid))
            if not before.startswith(GO) and len(text) > len(GO):
                times.append(times[-1])
        result = result_of(work, text.decode())
        return Run(result, (times[1] - times[0]) / 1e9)


@dataclass(frozen=True, slots=True)
class OnUnicorn:
    """Unicorn: QEMU's translator of 2020 in a library.

    It delivers no trap to a guest, so programs about traps do not run there;
    the kernel's calls of the firmware are answered here.
    """

    name: str = "unicorn"
    engine: str = ""
    style: str = ""

    def missing(self) -> str:
        """Where the package is not installed."""
        if find_spec("unicorn"):
            return ""
        return "no unicorn here (pip install unicorn)"

    def run(self, work: str, rounds: int) -> Run:
        """Start in S-mode, as a firmware would; the kernel does the rest."""
        api: Any = import_module("unicorn")
        reg: Any = import_module("unicorn.riscv_const")
        loads, at = program(image_of(work, "bare"))
        machine = api.Uc(api.UC_ARCH_RISCV, api.UC_MODE_RISCV32)
        machine.mem_map(loads.entry & ~0x3F_FFFF, MEMORY)
        for segment in loads.segments:
            machine.mem_write(segment.base, segment.data)
        machine.mem_write(at, rounds.to_bytes(4, "little"))
        said: list[str] = []
        times: list[int] = []

        def trapped(uc: Any, number: int, _: object) -> None:  # noqa: ANN401
            """Answer an ecall; anything else is the end."""
            a0 = uc.reg_read(reg.UC_RISCV_REG_A0)
            a7 = uc.reg_read(reg.UC_RISCV_REG_A7)
            times.append(clock.mine())
            if number == 8 and uc.reg_read(reg.UC_RISCV_REG_PRIV) == 0:
                said.append(f"{a0:08x}")  # from user mode: the program's end
                uc.emu_stop()
            elif number == 8 and a7 == 1:
                said.append(chr(a0))
            else:
                said.append(f"trap {number}")
                uc.emu_stop()

        machine.hook_add(api.UC_HOOK_INTR, trapped)
        machine.reg_write(reg.UC_RISCV_REG_PRIV, 1)
        try:
            machine.emu_start(loads.entry, 0xFFFF_FFFF)
        except api.UcError as error:
            raise HvError(f"{work} under Unicorn: {error}") from None
        result = result_of(work, "".join(said))
        return Run(result, (times[-1] - times[-2]) / 1e9)


def places(styles: list[str], *, traps: bool) -> list[Place]:
    """Return the machines for a program that can run in these styles.

    :param traps: whether it needs traps delivered.
    """
    on_hv: list[Place] = [
        OnHv(engine, style) for engine in hv.Engine for style in styles
    ]
    others: list[Place] = [OnQemu()] if "bare" in styles else []
    if others and not traps:
        others.append(OnUnicorn())
    return [*on_hv, *others]
