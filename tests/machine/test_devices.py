"""The devices: as plain state, and behind the machine's bus."""

import pytest

from . import asm
from .asm import A0, A1
from .core import CData, Core, Machine, abi

CONTEXTS = 16


class Device:
    """A device of csrc/dev by itself: registers at offsets, no machine."""

    def __init__(self, core: Core, kind: str, *reset: int) -> None:
        self.ffi, self.lib, self.kind = core.ffi, core.lib, kind
        self.state = core.ffi.new(f"struct {kind} *")
        self.call("reset", *reset)
        self.sent = bytearray()

    def call(self, name: str, *args: int) -> CData:
        return getattr(self.lib, f"{self.kind}_{name}")(self.state, *args)

    def load(self, offset: int, size: int = 4, *now: int) -> int | None:
        value = self.ffi.new("uint32_t *")
        ok = self.call("load", offset, size, *now, value)
        return int(value[0]) if ok else None

    def store(self, offset: int, value: int, size: int = 4) -> bool:
        if self.kind != "uart":
            return bool(self.call("store", offset, size, value))
        sent: CData = self.ffi.new("struct uart_sent *")
        ok = self.call("store", offset, size, value, sent)
        if sent.any:
            self.sent.append(sent.byte)
        return bool(ok)

    def get(self, offset: int) -> int | None:
        return self.load(offset, 1)

    def put(self, offset: int, value: int) -> bool:
        return self.store(offset, value, 1)


# CLINT.


@pytest.fixture
def clint(core: Core) -> Device:
    return Device(core, "clint", 2)


def test_clint_registers(clint: Device) -> None:
    assert clint.load(0x4000, 4, 0) == clint.load(0x4004, 4, 0) == 0xFFFFFFFF
    clint.store(0x4008, 0x11223344)
    clint.store(0x400C, 0x55667788)
    assert clint.load(0x4008, 4, 0) == 0x11223344
    assert clint.load(0x400C, 4, 0) == 0x55667788
    assert clint.load(0xBFF8, 4, 0x0123456789ABCDEF) == 0x89ABCDEF
    assert clint.load(0xBFFC, 4, 0x0123456789ABCDEF) == 0x01234567
    clint.store(0xBFF8, 0)
    assert clint.load(0xBFF8, 4, 42) == 42
    clint.store(4, 0xFFFFFFFF)
    assert clint.load(4, 4, 0) == 1
    clint.store(4, 2)
    assert clint.load(4, 4, 0) == 0


def test_clint_lines(clint: Device) -> None:
    clint.store(0, 1)
    assert [clint.call("software", h) for h in (0, 1, 2)] == [1, 0, 0]


def test_clint_where_there_is_nothing(clint: Device) -> None:
    for offset in (8, 0x4010, 0x8000, 0xFFFC, 0x3FFC, 0xBFF4):
        assert clint.store(offset, 0xFFFFFFFF)
        assert clint.load(offset, 4, 7) == 0
    for size in (1, 2):
        assert clint.load(0, size, 7) is None
        assert not clint.store(0, 1, size)
    assert clint.load(2, 4, 7) is None
    assert not clint.call("software", 0)


# PLIC.


@pytest.fixture
def plic(core: Core) -> Device:
    device = Device(core, "plic", 4)
    for source in range(1, 32):
        device.store(4 * source, 1)
    device.store(0x2080, 0xFFFFFFFF)  # context 1
    return device


CLAIM = 0x201004  # of context 1


def test_plic_claims_the_highest_priority_then_the_lowest_number(
    plic: Device,
) -> None:
    for source in (3, 9, 20, 31):
        plic.call("set_line", source, 1)
    plic.store(4 * 20, 6)
    plic.store(4 * 31, 6)
    assert plic.load(0x1000) == 1 << 3 | 1 << 9 | 1 << 20 | 1 << 31
    assert [plic.load(CLAIM) for _ in range(5)] == [20, 31, 3, 9, 0]
    assert plic.load(0x1000) == 0


def test_plic_thresholds_and_priority_zero(plic: Device) -> None:
    plic.call("set_line", 5, 1)
    assert plic.call("pending", 1)
    plic.store(0x201000, 1)
    assert not plic.call("pending", 1)
    plic.store(4 * 5, 2)
    assert plic.call("pending", 1)
    plic.store(4 * 5, 0)
    plic.store(0x201000, 0)
    assert not plic.call("pending", 1)
    assert plic.load(CLAIM) == 0


def test_plic_contexts_are_enabled_one_by_one(plic: Device) -> None:
    plic.call("set_line", 5, 1)
    assert [plic.call("pending", c) for c in range(5)] == [0, 1, 0, 0, 0]
    plic.store(0x2180, 1 << 5)
    assert plic.call("pending", 3)
    assert plic.load(CLAIM) == 5  # who comes first serves it
    assert not plic.call("pending", 3)


def test_plic_lines_are_levels(plic: Device) -> None:
    plic.call("set_line", 7, 1)
    plic.call("set_line", 7, 0)
    assert plic.load(CLAIM) == 7  # the request was latched
    plic.call("set_line", 7, 1)
    assert not plic.call("pending", 1)  # it is being served
    plic.store(CLAIM, 8)  # completing another changes nothing
    assert not plic.call("pending", 1)
    plic.store(CLAIM, 7)
    assert plic.call("pending", 1)  # still up
    assert plic.load(CLAIM) == 7
    plic.call("set_line", 7, 0)
    plic.store(CLAIM, 7)
    assert not plic.call("pending", 1)


def test_plic_completion_needs_an_enabled_source(plic: Device) -> None:
    plic.call("set_line", 7, 1)
    assert plic.load(CLAIM) == 7
    plic.store(0x200004, 7)  # context 0 has not enabled it
    assert not plic.call("pending", 1)


def test_plic_where_there_is_nothing(plic: Device) -> None:
    for offset in (0, 0x80, 0xFFC, 0x1004, 0x2004, 0x2200, 0x1FFFFC, 0x204000):
        assert plic.store(offset, 0xFFFFFFFF)
        assert plic.load(offset) == 0
    plic.store(0x1000, 0xFFFFFFFF)  # pending is read-only
    assert plic.load(0x1000) == 0
    assert plic.load(0x2080) == 0xFFFFFFFE  # there is no source 0
    plic.store(4, 0xFF)
    assert plic.load(4) == 7
    for size in (1, 2):
        assert plic.load(4, size) is None
        assert not plic.store(4, 1, size)
    for source in (0, 32, 1000):
        plic.call("set_line", source, 1)
    for junk in (0, 32, 0xFFFFFFFF):
        plic.store(CLAIM, junk)
    assert not plic.call("pending", 1)
    assert not plic.call("pending", 99)


# UART.

IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR = 1, 2, 2, 3, 4, 5, 6, 7


@pytest.fixture
def uart(core: Core) -> Device:
    return Device(core, "uart")


def test_uart_sends_at_once_and_everything(uart: Device) -> None:
    text = bytes(range(256)) * 3
    for byte in text:
        assert uart.get(LSR) == 0x60
        uart.put(0, byte)
    assert uart.sent == text


def test_uart_receives_sixteen_bytes_and_refuses_the_next(
    uart: Device,
) -> None:
    uart.put(FCR, 1)
    taken = [uart.call("receive", i) for i in range(20)]
    assert taken == [True] * 16 + [False] * 4
    for i in range(16):
        assert uart.get(LSR) == 0x61
        assert uart.get(0) == i
    assert uart.get(LSR) == 0x60
    assert uart.get(0) == 0
    assert uart.call("receive", 99)
    assert uart.get(0) == 99


def test_uart_without_fifo_holds_one_byte(uart: Device) -> None:
    assert uart.call("receive", 1)
    assert not uart.call("receive", 2)
    assert uart.get(0) == 1
    assert uart.call("receive", 2)
    uart.put(FCR, 1)  # turning FIFOs on empties them
    assert uart.get(LSR) == 0x60
    uart.call("receive", 3)
    uart.put(FCR, 3)
    assert uart.get(LSR) == 0x60


def test_uart_interrupts(uart: Device) -> None:
    assert uart.get(IIR) == 1
    uart.call("receive", 65)
    assert not uart.call("line")
    uart.put(IER, 3)
    assert uart.call("line")
    assert uart.get(IIR) == 4  # received data first
    uart.get(0)
    assert uart.get(IIR) == 2  # then "ready to send", acknowledged by this
    assert uart.get(IIR) == 1
    assert not uart.call("line")
    uart.put(0, 66)
    assert uart.call("line")
    assert uart.get(IIR) == 2
    uart.put(FCR, 1)
    assert uart.get(IIR) == 0xC1


def test_uart_divisor_latch(uart: Device) -> None:
    uart.put(LCR, 0x83)
    uart.put(0, 12)
    uart.put(1, 34)
    assert (uart.get(0), uart.get(1)) == (12, 34)
    uart.put(LCR, 0x03)
    assert (uart.get(LCR), uart.get(IER)) == (3, 0)
    assert uart.sent == b""


def test_uart_other_registers(uart: Device) -> None:
    uart.put(SCR, 0x5A)
    assert uart.get(SCR) == 0x5A
    assert uart.get(MSR) == 0xB0
    uart.put(LSR, 0)
    uart.put(MSR, 0)
    assert (uart.get(LSR), uart.get(MSR)) == (0x60, 0xB0)
    uart.put(MCR, 0xFF)
    assert uart.get(MCR) == 0x1F
    assert uart.get(MSR) == 0xF0  # loopback: the outputs come back
    uart.put(0, 77)
    assert uart.sent == b""
    assert uart.get(0) == 77


def test_uart_where_there_is_nothing(uart: Device) -> None:
    for offset in range(8, 256):
        assert uart.put(offset, 0xFF)
        assert uart.get(offset) == 0
    for size in (2, 4):
        assert uart.load(0, size) is None
        assert not uart.store(0, 65, size)
    assert uart.sent == b""


# Behind the bus.


@pytest.mark.parametrize(
    ("value", "off", "reset", "code"),
    [
        (0x5555, True, False, 0),
        (0x3333 | 7 << 16, True, False, 7),
        (0x3333, True, False, 1),
        (0x7777, True, True, 0),
        (0x1234, False, False, 0),
    ],
)
def test_power_off(
    core: Core, value: int, code: int, *, off: bool, reset: bool
) -> None:
    machine = core.machine()
    machine.x[A0], machine.x[A1] = abi.TEST_BASE, value
    machine.poke(abi.RAM_BASE, asm.sw(A1, 0, A0), asm.j(0))
    assert machine.run(100) == ("OFF" if off else "UNTIL")
    power = core.lib.machine_power(machine.raw)
    assert (power.off, power.reset, power.code) == (off, reset, code)
    if off:
        assert machine.hart.instret == 1
        state = machine.hash()
        assert machine.run(100) == "OFF"
        assert machine.hash() == state


def test_console_output_waits_until_it_is_fetched(core: Core) -> None:
    machine = core.machine()
    machine.x[A0] = abi.UART_BASE
    words = [asm.sb(A1, 0, A0), asm.addi(A1, A1, 1), asm.j(-8)]
    machine.poke(abi.RAM_BASE, *words)
    machine.run(3 * 5000)
    assert machine.lib.machine_uart_pending(machine.raw) == 5000
    state = machine.hash()
    buffer = machine.ffi.new("uint8_t[]", 10)
    assert machine.lib.machine_uart_take(machine.raw, buffer, 10) == 10
    assert bytes(buffer) == bytes(range(10))
    rest = machine.output()
    assert rest == bytes(i % 256 for i in range(10, 5000))
    assert machine.output() == b""
    assert machine.hash() == state  # a reader changes nothing


def test_input_interrupts_through_the_plic(core: Core) -> None:
    machine = core.machine()
    store, raw, hart = machine.lib.machine_store, machine.raw, machine.hart
    store(raw, hart, abi.PLIC_BASE + 4 * abi.UART_IRQ, 4, 1)
    store(raw, hart, abi.PLIC_BASE + 0x2080, 4, 1 << abi.UART_IRQ)
    store(raw, hart, abi.UART_BASE + 1, 1, 1)
    machine.set(abi.CSR_MIDELEG, abi.MIP_SEIP)
    machine.set(abi.CSR_MIE, abi.MIP_SEIP)
    machine.set(abi.CSR_STVEC, abi.RAM_BASE + 0x100)
    machine.poke(abi.RAM_BASE, asm.WFI, asm.j(0))
    machine.set(abi.CSR_MSTATUS, abi.MSTATUS_SIE)
    machine.priv(abi.PRIV_S)
    assert machine.run(1000) == "IDLE"
    assert machine.input(b"!") == 1
    machine.run(13)
    assert machine.csr.scause == abi.CAUSE_INTERRUPT | 9
    assert machine.csr.sepc == abi.RAM_BASE + 4
    # Serve it: claim, read, complete.
    value = machine.ffi.new("uint32_t *")
    load = machine.lib.machine_load
    assert load(raw, hart, abi.PLIC_BASE + CLAIM, 4, value)
    assert value[0] == abi.UART_IRQ
    assert load(raw, hart, abi.UART_BASE, 1, value)
    assert value[0] == ord("!")
    assert store(raw, hart, abi.PLIC_BASE + CLAIM, 4, abi.UART_IRQ)
    assert machine.get(abi.CSR_MIP) == 0


def test_the_bus(core: Core) -> None:
    machine = core.machine(ram=8192)
    lib, raw = machine.lib, machine.raw
    value = machine.ffi.new("uint32_t *")
    null = machine.ffi.NULL

    def load(pa: int, size: int) -> bool:
        return bool(lib.machine_load(raw, null, pa, size, value))

    end = abi.RAM_BASE + 8192
    machine.poke(end - 4, 0x80818283)
    assert load(end - 4, 4)
    assert value[0] == 0x80818283
    assert load(end - 2, 2)
    assert value[0] == 0x8081
    assert load(end - 1, 1)
    assert value[0] == 0x80
    for pa, size in [
        (end, 4),
        (abi.RAM_BASE - 4, 4),
        (end - 2, 4),
        (end - 3, 2),
        (end - 8, 3),
        (end - 8, 8),
        (end - 8, 0),
        (0, 4),
        (0xFFFFFFFC, 4),
        (abi.TEST_BASE - 4, 4),
        (abi.TEST_BASE + abi.TEST_SIZE, 4),
        (abi.UART_BASE + abi.UART_SIZE, 1),
    ]:
        assert not load(pa, size), (hex(pa), size)
        assert not lib.machine_store(raw, null, pa, size, 0)
    assert load(abi.TEST_BASE, 4)


def test_ram_from_outside(core: Core) -> None:
    machine = core.machine(ram=8192)
    lib, raw = machine.lib, machine.raw
    end = abi.RAM_BASE + 8192
    machine.write(end - 3, b"xyz")
    assert machine.read(end - 3, 3) == b"xyz"
    before = machine.hash()
    for pa, size in [(end - 3, 4), (end, 1), (abi.RAM_BASE - 1, 2), (0, 1)]:
        with pytest.raises(ValueError, match="no RAM"):
            machine.write(pa, b"?" * size)
        with pytest.raises(ValueError, match="no RAM"):
            machine.read(pa, size)
        assert not lib.machine_ram_zero(raw, pa, size)
    assert not lib.machine_ram_zero(raw, abi.RAM_BASE, 0xFFFFFFFF)
    assert machine.hash() == before
    assert lib.machine_ram(raw, end) == core.ffi.NULL
    assert lib.machine_ram(raw, end - 1)[0] == ord("z")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ram": 0},
        {"ram": 4097},
        {"ram": 0x80001000},
        {"harts": 0},
        {"harts": 9},
        {"asid_bits": 8},
        {"time_div": 0},
        {"costs": {"insn": 0}},
        {"engine": 99},
    ],
    ids=str,
)
def test_configurations_that_are_refused(
    core: Core, wrong: dict[str, CData]
) -> None:
    with pytest.raises(ValueError, match="refused"):
        Machine(core, **wrong)
