"""The SBI firmware as native M-mode: boot, calls, timer, a second hart."""

import pytest

from . import asm
from .asm import A0, A1, A2, A6, A7, S0, ZERO
from .core import SOURCES, CData, Core, Machine, abi

ENTRY = abi.KERNEL_BASE
SECOND = ENTRY + 0x400
DTB = 0x80700000


class FirmwareCore(Core):
    headers = (*Core.headers, "port/firmware.h", "port/firmware_native.h")
    sources = (*SOURCES, "port/firmware.c", "port/firmware_native.c")


@pytest.fixture(scope="module")
def fwcore(tmp_path_factory: pytest.TempPathFactory) -> Core:
    return FirmwareCore(tmp_path_factory.mktemp("firmware"))


class Bare:
    """A kernel on the firmware: the loop that a caller has to write."""

    def __init__(self, core: Core, *words: int, harts: int = 1) -> None:
        self.machine = Machine(
            core, ram=8 << 20, harts=harts, native_m=True, time_div=10
        )
        self.machine.poke(ENTRY, *words)
        self.fw: CData = core.ffi.new("struct firmware *")
        core.lib.firmware_power_on(self.fw, self.machine.raw, ENTRY, DTB)

    def run(self, cycles: int, quantum: int = 100) -> str:
        """Run all harts by turns; the last exit of the last running hart."""
        why = "UNTIL"
        for now in range(0, cycles, quantum):
            for hart in self.machine.harts:
                why = self._run_hart(hart, now + quantum)
                if why == "OFF":
                    return why
        return why

    def _run_hart(self, hart: CData, until: int) -> str:
        while True:
            why = self.machine.run_until(until, hart)
            if why != "TRAP_M":
                return why
            self.machine.lib.firmware_serve(self.fw, hart)


def call(extension: int, function: int = 0) -> list[int]:
    return asm.program(asm.li(A7, extension), asm.li(A6, function), asm.ECALL)


SHUTDOWN = asm.program(
    asm.li(A0, 0), asm.li(A1, 0), call(abi.SBI_EXT_SRST, 0), asm.j(0)
)


def test_boot_state(fwcore: Core) -> None:
    machine = Bare(fwcore, harts=2).machine
    first, second = machine.harts
    assert (first.priv, first.regs.pc) == (abi.PRIV_S, ENTRY)
    assert (first.regs.x[A0], first.regs.x[A1]) == (0, DTB)
    assert machine.csr.satp == 0
    assert second.stopped
    assert machine.run(100, second) == "IDLE"


def test_shutdown(fwcore: Core) -> None:
    bare = Bare(fwcore, *SHUTDOWN)
    assert bare.run(1000) == "OFF"
    assert fwcore.lib.machine_power(bare.machine.raw).code == 0


def test_console(fwcore: Core) -> None:
    text = b"hello, firmware\n"
    words = asm.program(
        asm.li(A0, len(text)),
        asm.li(A1, ENTRY + 0x1000),
        asm.li(A2, 0),
        call(abi.SBI_EXT_DBCN, abi.SBI_DBCN_WRITE),
        SHUTDOWN,
    )
    bare = Bare(fwcore, *words)
    bare.machine.write(ENTRY + 0x1000, text)
    assert bare.run(1000) == "OFF"
    assert bare.machine.output() == text


def test_calls_return_behind_the_ecall(fwcore: Core) -> None:
    words = [*call(0x12345678), asm.j(0)]
    bare = Bare(fwcore, *words)
    bare.run(200)
    assert bare.machine.x[A0] == abi.SBI_ERR_NOT_SUPPORTED & 0xFFFFFFFF
    assert bare.machine.regs.pc == ENTRY + 4 * (len(words) - 1)
    assert bare.machine.hart.priv == abi.PRIV_S


def test_timer_interrupts_the_supervisor(fwcore: Core) -> None:
    words = asm.program(
        asm.li(A0, ENTRY + 0x800),
        asm.csrw(abi.CSR_STVEC, A0),
        asm.li(A0, 50),
        asm.li(A1, 0),
        call(abi.SBI_EXT_TIME, 0),
        asm.li(A0, abi.MIP_STIP),
        asm.csrw(abi.CSR_SIE, A0),
        asm.csrrsi(ZERO, abi.CSR_SSTATUS, abi.MSTATUS_SIE),
        asm.WFI,
        asm.j(0),
    )
    bare = Bare(fwcore, *words)
    bare.machine.poke(ENTRY + 0x800, asm.csrr(A2, abi.CSR_SCAUSE), *SHUTDOWN)
    assert bare.run(5000) == "OFF"
    assert bare.machine.x[A2] == abi.CAUSE_INTERRUPT | 5
    assert bare.machine.hart.cycle > 500


def test_a_second_hart_is_started_and_stops(fwcore: Core) -> None:
    words = asm.program(
        asm.li(A0, 1),
        asm.li(A1, SECOND),
        asm.li(A2, 4711),
        call(abi.SBI_EXT_HSM, abi.SBI_HSM_START),
        asm.j(0),
    )
    bare = Bare(fwcore, *words, harts=2)
    machine = bare.machine
    machine.poke(
        SECOND,
        *asm.program(asm.mv(S0, A1), call(abi.SBI_EXT_HSM, abi.SBI_HSM_STOP)),
    )
    bare.run(1000)
    first, second = machine.harts
    assert first.regs.x[A0] == 0
    assert (second.regs.x[S0], second.stopped) == (4711, True)
    assert second.cycle > 5  # it began at the caller's time
    assert bare.fw.hart[1].status == abi.SBI_HSM_STOPPED
