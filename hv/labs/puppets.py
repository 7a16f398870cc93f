"""Guests that do what a test says, any number of them on one host.

A puppet's first page holds one instruction of each kind that reads, writes or
calls. To make it act, a test puts the program counter there and steps. Nothing
else ever runs in it, so whatever is found in its memory, a test knows why.
"""

from collections.abc import Sequence

from hv.abi import Hypercall, SbiError
from hv.hypervisor import Hypervisor
from hv.labs.kit import ATTEMPTS, CAUSES, LW_A1_A0, RAM, SW_A1_A0
from hv.labs.points import fail

PAGE = 4096
FIRST = RAM // PAGE  #: number of the first page, which has the instructions
SHARED, LISTS = FIRST + 1, FIRST + 2  #: the shared-info page; lists of calls
DATA = FIRST + 3  #: the first page that a test may use as it likes

AMOSWAP_A2_A1_A0 = 0x08B5262F  # amoswap.w a2, a1, (a0)
ECALL, LOOP = 0x73, 0x6F
_STORE, _LOAD, _AMO, _CALL, _TRAP = range(0, 20, 4)
_PROGRAM = (SW_A1_A0, LW_A1_A0, AMOSWAP_A2_A1_A0, ECALL, LOOP)
_EXTENSION = 0x0A004856
_CAUSE = 8  # in the shared-info page: why it was entered


class Puppet:
    """A VM that does what it is told.

    :param pages: of its memory.
    :param style: how it is virtualized; hv's own calls need ``pv``.
    """

    def __init__(
        self,
        host: Hypervisor,
        pages: int,
        style: str = "pv",
        *,
        min_mem: int | str = 0,
    ) -> None:
        self.vm = host.create(
            style=style, mem=pages * PAGE, shadow_frames=4, min_mem=min_mem
        )
        self.cpu = self.vm.cpu[0]
        self.pages, self.pv = pages, style == "pv"
        code = b"".join(word.to_bytes(4, "little") for word in _PROGRAM)
        self.vm.mem.write(RAM, code)
        self.vm.boot(RAM, 0, 0)
        if self.pv:
            self.call(Hypercall.SET_SHARED, SHARED * PAGE)
            self.call(Hypercall.SET_ENTRY, RAM + _TRAP, 0)
        else:
            self.cpu.set_reg("stvec", RAM + _TRAP)

    def store(self, gfn: int, offset: int, value: int) -> str:
        """Store a word; return the fault, or ""."""
        return self._act(_STORE, a0=gfn * PAGE + offset, a1=value)

    def swap(self, gfn: int, offset: int, value: int) -> str:
        """Put a word there by an AMO; return the fault, or ""."""
        return self._act(_AMO, a0=gfn * PAGE + offset, a1=value)

    def load(self, gfn: int, offset: int = 0) -> int | str:
        """Load a word: what comes, or the fault."""
        return self._act(_LOAD, a0=gfn * PAGE + offset) or self.cpu.a1

    def call(self, number: int, *args: int) -> str:
        """Make one of hv's calls; return the error's name, or "success"."""
        names = ("a0", "a1", "a2")
        given = dict(zip(names, (*args, 0, 0, 0), strict=False))
        self._act(_CALL, a6=number, a7=_EXTENSION, **given)
        error = self.cpu.a0
        return SbiError(error - ((error >> 31) << 32)).name.lower()

    def name(self, gfns: Sequence[int]) -> None:
        """Write a list of pages into memory, for a call."""
        data = b"".join(gfn.to_bytes(4, "little") for gfn in gfns)
        self.vm.mem.write(LISTS * PAGE, data)

    def give(self, *gfns: int) -> str:
        """Put pages into the balloon; return the error, or "success"."""
        self.name(gfns)
        return self.call(Hypercall.BALLOON_GIVE, LISTS * PAGE, len(gfns))

    def take(self, *gfns: int) -> str:
        """Take pages out of the balloon; return the error, or "success"."""
        self.name(gfns)
        return self.call(Hypercall.BALLOON_TAKE, LISTS * PAGE, len(gfns))

    def _act(self, slot: int, **registers: int) -> str:
        """Execute one instruction of the program; return the fault, or ""."""
        for name, value in registers.items():
            self.cpu.set_reg(name, value)
        at = self.cpu.pc = RAM + slot
        for _ in range(ATTEMPTS):
            if self.vm.state.ended:
                fail(f"{self.vm.name} was killed: {self.vm.reason}")
            self.vm.step()
            if self.cpu.pc != at:
                break
        else:
            return f"no progress after {ATTEMPTS} attempts"
        return self._fault() if self.cpu.pc == RAM + _TRAP else ""

    def _fault(self) -> str:
        cause = (
            self.vm.mem.read32(SHARED * PAGE + _CAUSE)
            if self.pv
            else self.cpu.reg("scause")
        )
        return CAUSES.get(cause, f"trap of cause {cause}")
