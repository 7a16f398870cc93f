"""A guest as a debugger wants it: numbered registers, and virtual memory.

Registers 0 to 31 are x0 to x31 and 32 is pc; a CSR has GDB's own number for it,
65 and its address. All of them are the guest's view: what it would read, not
what the hypervisor has put into the hart. An XML description tells GDB which
there are, by the features that it knows ("Debugging with GDB", G.5.12 RISC-V
Features).
"""

from hv.core import lib
from hv.errors import AddressError, HvError, HypervisorBug, UsageError
from hv.facts import U32, Fault
from hv.guest import Guest
from hv.spec.mmu import SV32
from hv.views.real import own_root
from hv.views.sv32 import Lookup
from hv.views.walk import walk

PC = 32
FIRST_CSR = 65
PRIV = FIRST_CSR + 4096
PAGE = 4096

_NAMES = (
    *("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "fp", "s1"),
    *(f"a{i}" for i in range(8)),
    *(f"s{i}" for i in range(2, 12)),
    *(f"t{i}" for i in range(3, 7)),
    "pc",
)
_TYPES = {"ra": "code_ptr", "pc": "code_ptr", "sp": "data_ptr"}
_PRIVS = {0: "U", 1: "S", 3: "M"}


class Target:
    """The registers and the memory of one guest."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.csrs = {
            FIRST_CSR + number: name
            for name, number in _csr_numbers().items()
            if self._has(number)
        }

    def _has(self, csr: int) -> bool:
        try:
            self.guest.cpu[0].reg(csr)
        except UsageError:
            return False
        return True

    # -- registers ----------------------------------------------------------

    @property
    def description(self) -> bytes:
        """What registers there are: the target description."""
        return "\n".join(
            [
                '<?xml version="1.0"?>',
                '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
                '<target version="1.0">',
                "<architecture>riscv:rv32</architecture>",
                *_feature("cpu", dict(enumerate(_NAMES))),
                *_feature("csr", self.csrs),
                *_feature("virtual", {PRIV: "priv"}),
                "</target>\n",
            ]
        ).encode()

    def register(self, vcpu: int, number: int) -> int | None:
        """Return a register; None if there is none of that number."""
        cpu = self.guest.cpu[vcpu]
        if 0 <= number < PC:
            return cpu.reg(f"x{number}")
        if number == PC:
            return cpu.pc
        if number == PRIV:
            return {name: i for i, name in _PRIVS.items()}[str(cpu.priv)]
        return cpu.reg(number - FIRST_CSR) if number in self.csrs else None

    def set_register(self, vcpu: int, number: int, value: int) -> bool:
        """Set a register; False if that cannot be: nothing was changed."""
        cpu = self.guest.cpu[vcpu]
        try:
            if 0 <= number < PC:
                cpu.set_reg(f"x{number}", value)
            elif number == PC:
                cpu.set_reg("pc", value)
            elif number == PRIV and value in _PRIVS:
                cpu.set_priv(_PRIVS[value])
            elif number in self.csrs:
                cpu.set_reg(number - FIRST_CSR, value)
            else:
                return False
        except HypervisorBug:
            raise
        except HvError:
            return False
        return True

    # -- memory -------------------------------------------------------------

    def physical(self, vcpu: int, gva: int) -> int | None:
        """Return where a virtual address is, in guest-physical memory.

        The tables are asked, and not the rights in them: a debugger may look
        at what this mode must not touch. None: they do not lead anywhere.
        """
        for access in ("load", "fetch"):
            gpa = self.guest.translate(gva, access, vcpu)
            if not isinstance(gpa, Fault):
                return gpa
        if own_root(self.guest, vcpu) is not None:
            return None  # its entries name machine frames: style `direct`
        return _forbidden(walk(self.guest, gva, "load", vcpu).own, gva)

    def read(self, vcpu: int, gva: int, size: int) -> bytes:
        """Return bytes from a virtual address on: as many as there are."""
        data = b""
        for at, count in _pages(gva, size):
            gpa = self.physical(vcpu, at)
            try:
                if gpa is None:
                    break
                data += self.guest.mem.read(gpa, count)
            except AddressError:
                break  # a device, or beyond the end of memory
        return data

    def write(self, vcpu: int, gva: int, data: bytes) -> bool:
        """Write bytes; False if they have nowhere to go: none was written."""
        places, done = [], 0
        for at, count in _pages(gva, len(data)):
            gpa = self.physical(vcpu, at)
            if gpa is None or not self._is_memory(gpa, count):
                return False
            places.append((gpa, data[done : done + count]))
            done += count
        if done < len(data):
            return False
        try:
            for gpa, piece in places:
                self.guest.mem.write(gpa, piece)
        except UsageError:
            return False  # a page table of style `direct`
        return True

    def _is_memory(self, gpa: int, size: int) -> bool:
        mem = self.guest.mem
        return mem.base <= gpa and gpa + size <= mem.end


def _csr_numbers() -> dict[str, int]:
    """Return all CSRs of csrc/abi by name; several names may be one prefix."""
    found = {
        name.removeprefix("CSR_").lower(): int(getattr(lib, name))
        for name in dir(lib)
        if name.startswith("CSR_") and name != "CSR_VS"
    }
    return dict(sorted(found.items(), key=lambda it: it[1]))


def _feature(name: str, registers: dict[int, str]) -> list[str]:
    """Return the lines that describe some registers of 32 bits."""
    return [
        f'<feature name="org.gnu.gdb.riscv.{name}">',
        *(
            f'<reg name="{register}" bitsize="32" regnum="{number}" '
            f'type="{_TYPES.get(register, "int")}"/>'
            for number, register in registers.items()
        ),
        "</feature>",
    ]


def _forbidden(found: Lookup, gva: int) -> int | None:
    """Return where a walk would have ended, had it not asked for rights."""
    last = found.entries[-1] if found.entries else None
    if last is None or not last.leaf:
        return None
    page = last.frame + (gva >> 12 & 0x3FF if last.level else 0)
    gpa = page << 12 | gva & 0xFFF
    return gpa if gpa <= U32 else None


def _pages(address: int, size: int) -> list[tuple[int, int]]:
    """Cut a range at the ends of pages, and at that of the address space."""
    pieces, end = [], min(address + size, U32 + 1)
    while address < end:
        count = min(PAGE - address % PAGE, end - address)
        pieces.append((address, count))
        address += count
    return pieces


def translated(guest: Guest, vcpu: int) -> bool:
    """Say whether a vCPU's addresses go through page tables now."""
    cpu = guest.cpu[vcpu]
    return str(cpu.priv) != "M" and bool(cpu.reg("satp") & SV32)
