"""Guests whose every instruction a test decides, on any core.

A puppet's first page holds one instruction of each kind that writes or reads
memory. To make it act, a test puts the program counter there and steps. It is
driven through the C interface, so that a core with a bug planted in it can
take the place of the good one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hv.abi import Hypercall
from tests.equivalence.core import CData, Core
from tests.machine import asm

PAGE = 4096
FIRST = 0x80000  # frame number of the first page
CODE, SHARED, LISTS = FIRST, FIRST + 1, FIRST + 2
DATA = FIRST + 3  # the first page that a test may use as it likes
SBI_EXT_HV = 0x0A004856
DBCN, HSM = 0x4442434E, 0x48534D
T0, T1, T2 = asm.T0, asm.T1, asm.T2
STVEC = 0x105

STORE, LOAD, AMO, LR, SC, CALL, TRAP = range(0, 28, 4)
PROGRAM = (
    asm.sw(T1, 0, T0),
    asm.lw(T1, 0, T0),
    asm.amoswap_w(T2, T1, T0),
    asm.lr_w(T2, T0),
    asm.sc_w(T2, T1, T0),
    asm.ECALL,
    asm.j(0),
)
# The ways in which the guest's memory gets a new word.
WRITERS = ("store", "amo", "sc", "api", "console")
PV_WRITERS = ("pt_update", "multicall")


class Starved(Exception):  # noqa: N818 -- named for what happened
    """It needs a frame, and the machine has none: its vCPU waits."""


@dataclass(frozen=True)
class Killed(Exception):  # noqa: N818 -- named for what happened
    """The hypervisor has killed it."""

    reason: str


class Host:
    """A machine with the hypervisor on it."""

    def __init__(self, core: Core, frames: int, **options: CData) -> None:
        self.ffi, self.lib = core.ffi, core.lib
        config = self.ffi.new("struct hv_config *")
        self.lib.hv_config_default(config)
        config.ram_size = frames * PAGE
        for name, value in options.items():
            setattr(config, name, value)
        out = self.ffi.new("hv_host **")
        self.ok(self.lib.hv_host_new(config, out, self.ffi.NULL, 0))
        self.raw = self.ffi.gc(out[0], self.lib.hv_host_free)

    def ok(self, status: int) -> None:
        """Expect success."""
        if status == self.lib.HV_ERR_BROKEN:
            raise AssertionError(self.text(self.lib.hv_host_reason(self.raw)))
        assert status == self.lib.HV_OK, self.text(
            self.lib.hv_status_text(status)
        )

    def text(self, pointer: CData) -> str:
        """Return a C string."""
        return str(self.ffi.string(pointer).decode())

    def audit(self) -> None:
        """Expect that everything adds up."""
        why = self.ffi.new("char[]", 200)
        status = self.lib.hv_audit(self.raw, why, len(why))
        assert status == self.lib.HV_OK, self.text(why)

    @property
    def info(self) -> CData:
        """What hv_host_info() says."""
        out = self.ffi.new("struct hv_host_info *")
        self.ok(self.lib.hv_host_info(self.raw, out))
        return out

    @property
    def used(self) -> int:
        """How many frames guests have."""
        info = self.info
        return int(info.frames - info.frames_free - info.frames_hyp)

    def scan(self, frames: int = 0) -> int:
        """Share what is equal; return how many pages were merged."""
        out = self.ffi.new("uint32_t *")
        self.ok(self.lib.hv_share_scan(self.raw, frames, out))
        return int(out[0])

    def run(self, max_insns: int) -> CData:
        """Let everybody run."""
        run = self.ffi.new("struct hv_run *", {"max_insns": max_insns})
        self.ok(self.lib.hv_run(self.raw, run))
        return run


class Puppet:
    """A VM that does what it is told."""

    def __init__(
        self, host: Host, pages: int, style: str = "PV", **options: int
    ) -> None:
        self.host, self.lib, self.ffi = host, host.lib, host.ffi
        self.pages, self.pv = pages, style in ("PV", "DIRECT")
        self.vcpu = 0  # the one that acts
        self._word: CData = self.ffi.new("uint32_t *")
        config = self.ffi.new("struct hv_vm_config *")
        self.lib.hv_vm_config_default(config)
        config.style = getattr(self.lib, f"HV_STYLE_{style}")
        config.mem_size = pages * PAGE
        config.shadow_frames = 4
        for name, value in options.items():
            setattr(config, name, value)
        number = self.ffi.new("uint32_t *")
        why = self.ffi.new("char[]", 200)
        status = self.lib.hv_vm_create(host.raw, config, number, why, 200)
        assert status == self.lib.HV_OK, host.text(why)
        self.id = int(number[0])
        code = b"".join(word.to_bytes(4, "little") for word in PROGRAM)
        self.write(CODE * PAGE, code)
        host.ok(self.lib.hv_vm_boot(host.raw, self.id, CODE * PAGE, 0, 0))
        trap = CODE * PAGE + TRAP
        if self.pv:
            assert self.call(Hypercall.SET_SHARED, SHARED * PAGE) == 0
            assert self.call(Hypercall.SET_ENTRY, trap, 0) == 0
        else:
            self.set(self.lib.HV_REG_CSR + STVEC, trap)

    def destroy(self) -> None:
        """End it, and give its memory back."""
        self.host.ok(self.lib.hv_vm_destroy(self.host.raw, self.id))

    # -- from outside -------------------------------------------------------

    def write(self, address: int, data: bytes) -> None:
        """Write to its memory; raises Starved if there is none."""
        status = self.lib.hv_mem_write(
            self.host.raw, self.id, address, data, len(data)
        )
        if status == self.lib.HV_ERR_NO_MEMORY:
            raise Starved
        self.host.ok(status)

    def write_words(self, address: int, words: Sequence[int]) -> None:
        """Write words, one after the other: code, or a list."""
        data = b"".join(word.to_bytes(4, "little") for word in words)
        self.write(address, data)

    def read(self, address: int, size: int = 4) -> bytes:
        """Read its memory."""
        out = self.ffi.new("uint8_t[]", size)
        self.host.ok(
            self.lib.hv_mem_read(self.host.raw, self.id, address, out, size)
        )
        return bytes(self.ffi.buffer(out))

    def get(self, register: int) -> int:
        """Return a register."""
        out = self._word
        status = self.lib.hv_reg_get(
            self.host.raw, self.id, self.vcpu, register, out
        )
        if status != self.lib.HV_OK:
            self.host.ok(status)
        return int(out[0])

    def set(self, register: int, value: int) -> None:
        """Set a register."""
        status = self.lib.hv_reg_set(
            self.host.raw, self.id, self.vcpu, register, value & 0xFFFFFFFF
        )
        self.host.ok(status)

    def frame(self, gfn: int) -> int | None:
        """Return the machine frame behind a page; None if there is none."""
        out = self.ffi.new("uint32_t *")
        self.host.ok(self.lib.hv_p2m(self.host.raw, self.id, gfn, out))
        return None if out[0] == 0xFFFFFFFF else int(out[0])

    def populated(self) -> dict[int, bytes]:
        """Return the pages that have a frame, and what is in them."""
        return {
            gfn: self.read(gfn * PAGE, PAGE)
            for gfn in range(FIRST, FIRST + self.pages)
            if self.frame(gfn) is not None
        }

    @property
    def info(self) -> CData:
        """What hv_vm_info() says."""
        out = self.ffi.new("struct hv_vm_info *")
        self.host.ok(self.lib.hv_vm_info(self.host.raw, self.id, out))
        return out

    def counter(self, name: str) -> int:
        """Return one of its counters."""
        lib, group = self.lib, self.lib.HV_COUNTERS_VM
        count = lib.hv_counter_count(group)
        out = self.ffi.new("uint64_t[]", count)
        self.host.ok(lib.hv_counters(self.host.raw, self.id, group, out, count))
        names = [
            self.host.text(lib.hv_counter_name(group, i)) for i in range(count)
        ]
        return int(out[names.index(name)])

    @property
    def reason(self) -> str:
        """Why it was killed."""
        why = self.ffi.new("char[]", 200)
        self.host.ok(self.lib.hv_vm_reason(self.host.raw, self.id, why, 200))
        return self.host.text(why)

    # -- from inside --------------------------------------------------------

    def act(self, slot: int, **registers: int) -> bool:
        """Execute one instruction of the program; false if it trapped."""
        for name, value in registers.items():
            self.set(getattr(asm, name.upper()), value)
        at, trap = CODE * PAGE + slot, CODE * PAGE + TRAP
        self.set(self.lib.HV_REG_PC, at)
        while self.get(self.lib.HV_REG_PC) == at:
            self._step()
        return self.get(self.lib.HV_REG_PC) != trap

    def _step(self) -> None:
        status = self.lib.hv_step(self.host.raw, self.id, self.vcpu)
        if status == self.lib.HV_ERR_STATE:
            if self.reason:
                raise Killed(self.reason)
            raise Starved
        self.host.ok(status)

    def call(self, call: int, *args: int, extension: int = SBI_EXT_HV) -> int:
        """Make a call; return its error, or its value if there is none."""
        names = ("a0", "a1", "a2", "a3")
        given = dict(zip(names, (*args, 0, 0, 0, 0), strict=False))
        self.act(CALL, a6=call, a7=extension, **given)
        error = self.get(asm.A0)
        return error - (1 << 32) if error >> 31 else 0

    def start(self, vcpu: int, entry: int) -> None:
        """Let it start another vCPU of its own, at this address."""
        assert self.call(0, vcpu, entry, 0, extension=HSM) == 0

    def balloon(self, call: Hypercall, gfns: Sequence[int]) -> int:
        """Give or take pages, by a list in its own memory."""
        data = b"".join(gfn.to_bytes(4, "little") for gfn in gfns)
        self.write(LISTS * PAGE, data[:PAGE])
        return self.call(call, LISTS * PAGE, len(gfns))

    def load(self, gfn: int, offset: int) -> int | None:
        """Load a word; None if that traps."""
        there = self.act(LOAD, t0=gfn * PAGE + offset)
        return self.get(T1) if there else None

    def change(self, writer: str, gfn: int, offset: int, value: int) -> bool:
        """Put a word into memory by one of the writers; false if refused."""
        at = gfn * PAGE + offset
        word = value.to_bytes(4, "little")
        match writer:
            case "store":
                return self.act(STORE, t0=at, t1=value)
            case "amo":
                return self.act(AMO, t0=at, t1=value)
            case "sc":
                return self._store_conditional(at, value)
            case "api":
                status = self.lib.hv_mem_write(
                    self.host.raw, self.id, at, word, 4
                )
                return bool(status == self.lib.HV_OK)
            case "console":
                return self._read_console(at, word)
            case "pt_update":
                self.write(LISTS * PAGE, at.to_bytes(4, "little") + word)
                return self.call(Hypercall.PT_UPDATE, LISTS * PAGE, 1) == 0
            case _:
                raise ValueError(writer)

    def _store_conditional(self, at: int, value: int) -> bool:
        for _ in range(3):  # a fault between the two loses the reservation
            if not self.act(LR, t0=at):
                return False
            if not self.act(SC, t0=at, t1=value):
                return False
            if self.get(T2) == 0:
                return True
        raise AssertionError("SC never succeeds")

    def _read_console(self, at: int, word: bytes) -> bool:
        given = self.lib.hv_console_give(self.host.raw, self.id, word, 4)
        assert given == 4
        if self.pv:
            done = self.call(Hypercall.CONSOLE_READ, at, 4) == 0
        else:
            done = self.call(1, 4, at, 0, extension=DBCN) == 0
        if not done:  # not consumed: take it away again
            self.call(Hypercall.CONSOLE_READ, LISTS * PAGE, 4) if self.pv else (
                self.call(1, 4, LISTS * PAGE, 0, extension=DBCN)
            )
        return done
