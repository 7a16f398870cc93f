"""What the tests of labs are made of: a machine with page tables.

A test pokes tables and a few instructions into a guest, runs them, and looks
at registers, memory, counters and the TLB. Nothing is compiled for that, so a
lab's tests need no cross-compiler. The oracle of translation is
:func:`hv.walk`, which reads the same tables in Python.
"""

from hv.closing import Closing
from hv.counters import Counters
from hv.facts import Shadow, Sync
from hv.guest import Guest
from hv.hypervisor import Hypervisor
from hv.machine import Machine
from hv.views.sv32 import Lookup
from hv.views.walk import Walk, walk
from hv.vm import VM

RAM = 0x80000000
ROOT, TABLE, CODE = RAM + 0x1000, RAM + 0x2000, RAM + 0x3000
DATA, OTHER = RAM + 0x4000, RAM + 0x5000
MEGA = RAM + 0x400000
VIRTUAL = 0x40000000  #: the code's page; DATA_VA is the next one
DATA_VA, OTHER_VA = VIRTUAL + 0x1000, VIRTUAL + 0x2000
MEGA_VA = VIRTUAL + 0x400000

V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
RWX, AD = R | W | X, A | D
SATP_MODE = 1 << 31
SUM, MXR = 1 << 18, 1 << 19

LW_A1_A0 = 0x00052583  # lw a1, 0(a0)
SW_A1_A0 = 0x00B52023  # sw a1, 0(a0)
FENCE = 0x12000073  # sfence.vma
FENCE_A0 = 0x12050073  # sfence.vma a0
FENCE_ASID_A2 = 0x12C00073  # sfence.vma zero, a2

ATTEMPTS = 12  # instructions tried until one must be done

CAUSES = {
    1: "instruction access fault", 5: "load access fault",
    7: "store access fault", 12: "instruction page fault",
    13: "load page fault", 15: "store page fault",
}  # fmt: skip


def pte(pa: int, flags: int) -> int:
    """Return the entry that names the page of pa (up to 34 bits of it)."""
    return (pa >> 12 << 10 | flags) & 0xFFFFFFFF


def _valid(lookup: Lookup) -> int:
    """Return the entry that a lookup ends at, if it is valid; else 0."""
    last = lookup.entries[-1] if lookup.entries else None
    if last is None or last.value is None:
        return 0
    return last.value if last.value & V else 0


def moved(guest: Guest) -> bool:
    """Execute an instruction of vCPU 0, or let it take a trap.

    Beneath a hypervisor that can take more than one attempt: the machine's page
    fault, the hypervisor's answer, the instruction again. False if the guest
    is still there after a few: a hypervisor that is not right may never do it,
    and ``Guest.step()`` would give up late, and the host with it.
    """
    pc = guest.cpu[0].pc
    for _ in range(ATTEMPTS):
        guest.run(1)
        if guest.cpu[0].pc != pc:
            return True
    return False


class Board(Closing):
    """A guest whose instructions are poked in and run one by one.

    :param style: of a VM beneath the hypervisor; "" is the bare machine.
    :param sync: of a VM: how its shadows follow its page tables.
    :param shadow_frames: of a VM: the size of its pool; 0 is the default.
    """

    def __init__(
        self,
        style: str = "",
        engine: str = "ref",
        *,
        sync: str = Sync.DEFAULT,
        shadow_frames: int = 0,
    ) -> None:
        self.machine: Guest
        self._owner: Machine | Hypervisor
        if style:
            self._owner = Hypervisor(ram="24MiB", engine=engine)
            self.machine = self._owner.create(
                name="guest",
                mem="8MiB",
                style=style,
                sync=sync,
                shadow_frames=shadow_frames,
            )
        else:
            self.machine = self._owner = Machine(
                ram="8MiB", engine=engine, asid_bits=9
            )
        self.mem = self.machine.mem
        self.cpu = self.machine.cpu[0]
        self.machine.boot(RAM, 0, 0)
        self.cpu.set_reg("stvec", RAM)

    def close(self) -> None:
        """Free the machine."""
        self._owner.close()

    def one(self, pc: int) -> bool:
        """Execute until the instruction at pc is done, or has trapped.

        False if that does not happen: see :func:`moved`.
        """
        self.cpu.pc = pc
        return moved(self.machine)

    @property
    def counters(self) -> Counters:
        """What was counted for the guest."""
        return self.machine.counters

    def shadows(self) -> list[Shadow]:
        """Return the shadow tables of a VM that are in use."""
        vm = self.machine
        return vm.shadows() if isinstance(vm, VM) else []

    def audit(self) -> None:
        """Recompute every invariant of the hypervisor, if there is one.

        :raises AuditFailed: naming the first that does not hold.
        """
        if isinstance(self._owner, Hypervisor):
            self._owner.audit()


class Paged(Board):
    """A guest in S-mode, its code mapped at VIRTUAL, its memory 8 MiB.

    DATA holds 1, OTHER 2, MEGA 3; nothing maps them yet.
    """

    def __init__(
        self,
        style: str = "",
        engine: str = "ref",
        *,
        sync: str = Sync.DEFAULT,
        shadow_frames: int = 0,
    ) -> None:
        super().__init__(style, engine, sync=sync, shadow_frames=shadow_frames)
        self.entry(VIRTUAL, pte(TABLE, V), level=1)
        self.entry(VIRTUAL, pte(CODE, V | RWX | AD))
        for value, place in enumerate((DATA, OTHER, MEGA), 1):
            self.mem.write32(place, value)
        self.satp(ROOT)

    def satp(self, root: int, asid: int = 0) -> None:
        """Let translation begin at this root."""
        self.cpu.set_reg("satp", SATP_MODE | asid << 22 | root >> 12)

    def slot(self, va: int, level: int = 0) -> int:
        """Return where the entry of va is: in TABLE, or in ROOT."""
        index = va >> (22 if level else 12) & 0x3FF
        return (ROOT if level else TABLE) + 4 * index

    def entry(self, va: int, value: int, *, level: int = 0) -> None:
        """Write the entry of va, and tell nobody."""
        self.mem.write32(self.slot(va, level), value)

    def execute(self, word: int) -> str:
        """Execute one instruction at VIRTUAL; return the fault, or ""."""
        self.mem.write32(CODE, word)
        self.cpu.set_priv("S")
        if not self.one(VIRTUAL):
            return f"no progress after {ATTEMPTS} attempts"
        if self.cpu.pc == VIRTUAL + 4:
            return ""
        cause = self.cpu.reg("scause")
        return CAUSES.get(cause, f"trap of cause {cause}")

    def load(self, va: int) -> int | str:
        """Load a word: what comes, or the fault."""
        self.cpu.a0, self.cpu.a1 = va, 0xDEAD
        return self.execute(LW_A1_A0) or self.cpu.a1

    def store(self, va: int, value: int) -> str:
        """Store a word; return the fault, or ""."""
        self.cpu.a0, self.cpu.a1 = va, value
        return self.execute(SW_A1_A0)

    def fence(self, va: int | None = None) -> None:
        """Execute sfence.vma, of everything or of one address."""
        self.cpu.a0 = va or 0
        self.execute(FENCE if va is None else FENCE_A0)

    def walk(self, va: int, access: str = "load") -> Walk:
        """Return what the tables say, by the oracle."""
        return walk(self.machine, va, access)

    def shadow_leaf(self, va: int) -> int:
        """Return what the machine's tables have for it; 0 if nothing."""
        found = self.walk(va).real.lookup
        return _valid(found) if found.result is not None else 0

    def excess(self, va: int) -> int:
        """Return the rights that only the shadow's leaf has: none, one hopes.

        While the guest's D is clear, W is one too many.
        """
        granted = _valid(self.walk(va).own)
        if not granted & D:
            granted &= ~W
        return self.shadow_leaf(va) & RWX & ~granted

    def picture(self, va: int, access: str = "load") -> str:
        """Return the walk as the book draws it."""
        return "what the tables say:\n" + self.walk(va, access).text
