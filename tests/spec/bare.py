"""The bare machine and its specification, side by side, step by step."""

from hv.spec.access import view
from hv.spec.csr import WRITABLE, Csr
from hv.spec.firmware import Sbi
from hv.spec.hart import Computer, Off
from hv.spec.mmu import Access, Translated, translate
from hv.spec.p2m import GuestMemory
from hv.spec.trv32 import step
from tests.equivalence.core import CData, Core
from tests.spec.registers import CSR, PC, PRIV, put_register

RAM = 0x8000_0000
TEST = range(0x10_0000, 0x10_1000)
CLINT = range(0x200_0000, 0x201_0000)
PLIC = range(0xC00_0000, 0xC60_0000)
UART = range(0x1000_0000, 0x1000_0100)
SIP, SEIP = CSR + Csr.SIP, 1 << 9
# Every register that the two must agree on; of sip, what is no wire.
REGISTERS = (
    *range(32),
    PC,
    PRIV,
    *(CSR + n for n in (*WRITABLE, *range(0xC00, 0xC03), *range(0xC80, 0xC83))),
)


class Observed:
    """Devices: what they answered on the machine is what they answer."""

    def __init__(self) -> None:
        self.ranges: tuple[range, ...] = (TEST, CLINT, PLIC, UART)
        self.value: int | None = None
        self.accepted = False

    def load(self, _pa: int, _size: int, /) -> int | None:
        return self.value

    def store(self, _pa: int, _size: int, _value: int, /) -> bool:
        return self.accepted


class Pair:
    """One program on both. What differs raises AssertionError."""

    def __init__(self, core: Core, image: bytes, **options: int) -> None:
        self.core, self.lib, self.ffi = core, core.lib, core.ffi
        config = core.config(
            m_mode=self.lib.HV_M_FIRMWARE, ram_size=len(image), **options
        )
        out = self.ffi.new("hv_host **")
        status = self.lib.hv_host_new(config, out, self.ffi.NULL, 0)
        assert status == self.lib.HV_OK
        self.raw = self.ffi.gc(out[0], self.lib.hv_host_free)
        self.word: CData = self.ffi.new("uint32_t *")
        self.page: CData = self.ffi.new("uint8_t[]", len(image))
        self.devices = Observed()
        pages = len(image) >> 12
        self.computer = Computer(
            memory=GuestMemory(first=RAM >> 12, pages=pages),
            devices=self.devices,
        )
        self.hart = self.computer.harts[0]
        self.beneath = Sbi()
        self.write(RAM, image)
        assert self.lib.hv_vm_boot(self.raw, 0, RAM, 0, 0) == self.lib.HV_OK
        self.hart.pc = RAM
        self.trail: list[str] = []
        self.causes: set[int] = set()  # of the traps that were taken
        self.retired: set[int] = set()  # opcodes

    # -- the machine ---------------------------------------------------------

    def get(self, register: int) -> int:
        self.lib.hv_reg_get(self.raw, 0, 0, register, self.word)
        return int(self.word[0])

    def set(self, register: int, value: int) -> None:
        status = self.lib.hv_reg_set(self.raw, 0, 0, register, value)
        assert status == self.lib.HV_OK, hex(register)

    def machine_memory(self) -> bytes:
        size = len(self.page)
        self.lib.hv_mem_read(self.raw, 0, RAM, self.page, size)
        return bytes(self.ffi.buffer(self.page))

    # -- both ----------------------------------------------------------------

    def write(self, pa: int, data: bytes) -> None:
        """Write RAM from outside."""
        status = self.lib.hv_mem_write(self.raw, 0, pa, data, len(data))
        assert status == self.lib.HV_OK
        self.computer.put(pa, data)

    def both(self, register: int, value: int) -> None:
        """Set a register from outside."""
        self.set(register, value)
        put_register(self.hart, register, value)

    def peek(self) -> int:
        """Return the instruction at pc, or 0."""
        computer, hart = self.computer, self.hart
        to = translate(
            computer.memory,
            hart.csr[Csr.SATP],
            hart.pc,
            Access.FETCH,
            view(hart),
            computer.board,
        )
        return computer.memory[to.pa] if isinstance(to, Translated) else 0

    def step(self) -> bool:
        """Make a step on both, and compare; false at the end."""
        insn, before = self.peek(), self.get(CSR + Csr.INSTRET)
        self.trail = [*self.trail[-9:], f"{self.hart.pc:#x}: {insn:#010x}"]
        self.hart.external = bool(self.get(SIP) & SEIP)
        status = self.lib.hv_step(self.raw, 0, 0)
        retired = self.get(CSR + Csr.INSTRET) != before
        self.devices.value = self.get(insn >> 7 & 31) if retired else None
        self.devices.accepted = retired
        done = step(self.computer, self.hart, self.beneath)
        same = done == (status == self.lib.HV_OK)
        assert same, f"ending: the specification says {done}; {self.trail}"
        if not done or isinstance(self.computer.ended, Off):
            return False
        self.compare()
        if retired:
            self.retired.add(insn & 0x7F)
        else:
            self.causes.add(self.hart.csr[Csr.SCAUSE])
        return True

    def compare(self) -> None:
        """Expect the same registers and memory."""
        for register in REGISTERS:
            got, expected = self.get(register), self.spec(register)
            if register == SIP:
                got &= ~SEIP
            assert got == expected, (
                f"register {register:#x}: {got:#x}; the specification says "
                f"{expected:#x}; {self.trail}"
            )
        memory, right = self.machine_memory(), self.spec_memory()
        if memory != right:
            at = next(i for i in range(len(right)) if memory[i] != right[i])
            raise AssertionError(f"memory at {RAM + at:#x}; {self.trail}")

    def spec(self, register: int) -> int:
        """Return what the specification says is in a register."""
        hart = self.hart
        if register < 32:
            return hart.x[register]
        if register in (PC, PRIV):
            return hart.pc if register == PC else hart.mode
        number = register - CSR
        if number >> 8 == 0xC:
            value = (hart.cycle, hart.cycle, hart.retired)[number & 3]
            return value >> (32 if number & 0x80 else 0) & 0xFFFF_FFFF
        return hart.csr[number]

    def spec_memory(self) -> bytes:
        """Return what it says is in memory."""
        memory = self.computer.memory
        first = memory.first
        return b"".join(map(memory.page, range(first, first + memory.pages)))


def program(core: Core, seed: int) -> bytes:
    """Return the generated program of a seed."""
    size = core.lib.HV_PRIVGEN_RAM
    image = core.ffi.new("uint8_t[]", size)
    assert core.lib.hv_privgen(seed, 0, image, size) == core.lib.HV_OK
    return bytes(core.ffi.buffer(image))
