"""A guest of style ``direct`` that does what it is told, and its twin.

The guest is sixteen pages and two vCPUs. Nothing runs in it by itself: a test
sets registers, and lets a vCPU execute one instruction. vCPU 0 stays
untranslated and makes the calls; vCPU 1 is the one that is given roots, and
whose accesses the machine translates. The twin is the specification; after
each step every page, every row of the frame table, and the answer must be the
same, and the audit must find nothing.
"""

import struct
from dataclasses import replace

from hv.abi import Hypercall
from hv.spec import Access, Answer, Pte, Tables
from tests.equivalence.core import CData, Core

PAGE = 0x1000
RAM = 0x8000_0000
PAGES = 16
FIRST = RAM // PAGE

# Which page is what in the beginning. The rest is free.
CODE, SHARED, LEAF, KERNEL, USER, LIST = range(FIRST, FIRST + 6)
ECALL, LOAD, STORE, MARK = (CODE * PAGE + 4 * i for i in range(4))
INSTRUCTIONS = (
    0x0000_0073,  # ecall
    0x0003_2283,  # lw x5, (x6)
    0x0073_2023,  # sw x7, (x6)
    0x05E0_0293,  # addi x5, x0, 0x5e
)
ENTRY = RAM + 0x100  # where traps enter: nothing is executed there
SBI_HV, SBI_HSM = 0x0A00_4856, 0x48_534D  # checked against the core below

PC, PRIV = 32, 33
T0, T1, T2 = 5, 6, 7
A0, A6, A7 = 10, 16, 17
CAUSE, TVAL = 8, 12  # in the shared page, of vCPU 0
PER_VCPU = 64
FAULTS = {Access.FETCH: 12, Access.LOAD: 13, Access.STORE: 15}


class Differ(AssertionError):  # noqa: N818 -- it is a verdict
    """The guest and its twin are not the same.

    :ivar what: error, access, memory, frames, audit, log or broken.
    """

    def __init__(self, what: str, story: str) -> None:
        super().__init__(f"{what}: {story}")
        self.what = what


def entry(frame: int, bits: int) -> int:
    """Return the entry that names a frame."""
    return frame << 10 | bits


class Fetch(Exception):  # noqa: N818 -- it is no error
    """The vCPU could not even fetch the instruction it was to execute."""


class World:
    """The guest, on a machine of its own beside another VM; and the twin."""

    def __init__(self, core: Core, **options: int) -> None:
        self.ffi, self.lib = core.ffi, core.lib
        out = self.ffi.new("hv_host **")
        config = core.config(**options)
        assert self.lib.hv_host_new(config, out, self.ffi.NULL, 0) == 0
        self.host: CData = self.ffi.gc(out[0], self.lib.hv_host_free)
        self._word = self.ffi.new("uint32_t *")
        self._why = self.ffi.new("char[256]")
        self._frame = self.ffi.new("struct hv_frame *")
        other = self._create()
        self.vm = self._create()
        frames = {
            self._p2m(self.vm, page): page
            for page in range(FIRST, FIRST + PAGES)
        }
        self.foreign = [self._p2m(other, FIRST), self._hypervisors_own()]
        self.spec = Tables(frames=frames)
        self.frame_of = {page: frame for frame, page in frames.items()}
        self._boot()

    # Building ----------------------------------------------------------------

    def _create(self) -> int:
        config = self.ffi.new("struct hv_vm_config *")
        self.lib.hv_vm_config_default(config)
        config.style = self.lib.HV_STYLE_DIRECT
        config.mem_size = PAGES * PAGE
        config.vcpus = 2
        config.shadow_frames = 4
        number = self.ffi.new("uint32_t *")
        assert not self.lib.hv_vm_create(
            self.host, config, number, self.ffi.NULL, 0
        )
        return int(number[0])

    def _p2m(self, vm: int, page: int) -> int:
        assert self.lib.hv_p2m(self.host, vm, page, self._word) == 0
        return int(self._word[0])

    def _hypervisors_own(self) -> int:
        """Return a frame that nobody has: the next shadow will lie there."""
        for frame in range(FIRST, FIRST + 256):
            self.lib.hv_frame_info(self.host, frame, self._frame)
            if self._frame.owner == 0:
                return frame
        raise AssertionError

    def _boot(self) -> None:
        """Write code, build tables, and load them into vCPU 1."""
        for i, word in enumerate(INSTRUCTIONS):
            self.poke(CODE * PAGE + 4 * i, word)
        for page in range(LIST, FIRST + PAGES):
            self.poke(page * PAGE + 8, page << 12)  # says where it is; no V
        assert self.lib.hv_vm_boot(self.host, self.vm, ECALL, 0, 0) == 0
        self.step(0, ECALL, a7=SBI_HSM, a6=0, args=(1, ECALL, 0))
        assert self.get(0, A0) == 0
        for vcpu in range(2):
            assert self.call(vcpu, Hypercall.SET_SHARED, SHARED * PAGE) == 0
            assert self.call(vcpu, Hypercall.SET_ENTRY, ENTRY, 0) == 0
            self.spec.held.append(SHARED)
        rights = Pte.V | Pte.R | Pte.X | Pte.U | Pte.A
        code = entry(self.frame_of[CODE], rights)
        link = entry(self.frame_of[LEAF], Pte.V)
        self.poke(LEAF * PAGE + CODE % 1024 * 4, code)
        self.poke(KERNEL * PAGE + (RAM >> 22) * 4, link)
        self.poke(USER * PAGE + (RAM >> 22) * 4, link)
        for page, level in ((LEAF, 0), (KERNEL, 1), (USER, 1)):
            self.same_answer(
                self.call(0, Hypercall.PT_PIN, page * PAGE, level),
                self.spec.pin(page * PAGE, level),
            )
        self.set_roots(KERNEL * PAGE, USER * PAGE)
        self.same()

    def poke(self, gpa: int, word: int) -> None:
        """Write a word from outside, in both."""
        self._word[0] = word
        done = self.lib.hv_mem_write(self.host, self.vm, gpa, self._word, 4)
        if (done == 0) != self.spec.write(gpa, word):
            raise Differ("memory", f"a write from outside to {gpa:#x}")

    # One instruction ---------------------------------------------------------

    def get(self, vcpu: int, register: int) -> int:
        """Return a register."""
        self.lib.hv_reg_get(self.host, self.vm, vcpu, register, self._word)
        return int(self._word[0])

    def set(self, vcpu: int, register: int, value: int) -> None:
        """Set a register."""
        self.alive(
            self.lib.hv_reg_set(self.host, self.vm, vcpu, register, value)
        )

    def alive(self, status: int) -> None:
        """Expect that the core did what it was asked to do."""
        if status:
            why = self.ffi.string(self.lib.hv_host_reason(self.host)).decode()
            raise Differ("broken", f"status {status}, {why}")

    def step(
        self,
        vcpu: int,
        pc: int,
        *,
        user: bool = False,
        a7: int = 0,
        a6: int = 0,
        args: tuple[int, ...] = (),
    ) -> bool:
        """Execute one instruction; False: it trapped."""
        self.set(vcpu, PRIV, int(not user))
        self.set(vcpu, A7, a7)
        self.set(vcpu, A6, a6)
        for i, arg in enumerate(args):
            self.set(vcpu, A0 + i, arg)
        self.set(vcpu, PC, pc)
        self.alive(self.lib.hv_step(self.host, self.vm, vcpu))
        return self.get(vcpu, PC) == pc + 4

    def fetchable(self, vcpu: int, pc: int, *, user: bool) -> bool:
        """Ask the twin; sets what a fetch sets."""
        return self.spec.access(vcpu, pc, Access.FETCH, user=user) is not None

    def shared(self, field: int, vcpu: int) -> int:
        """Return what the hypervisor told about a trap."""
        page = self.spec.held[vcpu]
        at = page * PAGE + PER_VCPU * vcpu + field
        self.lib.hv_mem_read(self.host, self.vm, at, self._word, 4)
        return int(self._word[0])

    # Compared ----------------------------------------------------------------

    def call(self, vcpu: int, number: Hypercall, *args: int) -> int:
        """Make a call and return its error.

        :raises Fetch: if the vCPU cannot, which the twin must know.
        """
        if self._elsewhere(vcpu, ECALL, ECALL, user=False):
            raise Fetch
        could = self.fetchable(vcpu, ECALL, user=False)
        did = self.step(vcpu, ECALL, a7=SBI_HV, a6=int(number), args=args)
        if did != could:
            raise Differ("access", f"vCPU {vcpu} fetched: {did}, not {could}")
        if not did:
            raise Fetch
        error = self.get(vcpu, A0)
        return error - (1 << 32) if error >> 31 else error

    def same_answer(self, error: int, answer: Answer) -> None:
        """Compare what a call answered."""
        if error != answer:
            raise Differ("error", f"{error}, not {answer!r}")

    def set_roots(self, kernel: int, user: int) -> None:
        """Load roots into vCPU 1."""
        error = self.call(1, Hypercall.SET_ROOTS, kernel, user)
        self.same_answer(error, self.spec.set_roots(1, kernel, user))

    def access(self, vcpu: int, va: int, kind: Access, *, user: bool) -> None:
        """Load from or store to an address, or fetch the mark there."""
        pc = {Access.FETCH: va, Access.LOAD: LOAD, Access.STORE: STORE}[kind]
        want = MARK if kind is Access.FETCH else pc
        if self._elsewhere(vcpu, pc, want, user=user):
            return
        self.set(vcpu, T0, 0)
        self.set(vcpu, T1, va)
        self.set(vcpu, T2, va ^ 0x5EED_0000)
        fetched = kind is Access.FETCH or self.fetchable(vcpu, pc, user=user)
        did = self.step(vcpu, pc, user=user)
        if not fetched:
            self._same_fault(vcpu, Access.FETCH, pc, trapped=not did)
            return
        at = self.spec.access(vcpu, va, kind, user=user)
        if at is None:
            self._same_fault(vcpu, kind, va, trapped=not did)
            return
        if not did:
            raise Differ("access", f"{kind} at {va:#x} trapped")
        if kind is Access.STORE:
            self.spec.write(at, va ^ 0x5EED_0000)
            return
        value = 0x5E if kind is Access.FETCH else self.spec.read(at)
        if at // PAGE not in self.spec.held and self.get(vcpu, T0) != value:
            raise Differ("access", f"{kind} at {va:#x} is not of {at:#x}")

    def _would(
        self, vcpu: int, va: int, kind: Access, *, user: bool
    ) -> int | None:
        """Ask the twin where an access would go; nothing changes."""
        spec = self.spec
        memory = {page: dict(words) for page, words in spec.memory.items()}
        return replace(spec, memory=memory).access(vcpu, va, kind, user=user)

    def _elsewhere(self, vcpu: int, va: int, want: int, *, user: bool) -> bool:
        """Say whether a fetch would execute another word than it should."""
        at = self._would(vcpu, va, Access.FETCH, user=user)
        return at not in (None, want)

    def translate(
        self, vcpu: int, va: int, kind: Access, *, user: bool
    ) -> None:
        """Compare what the API says with where an access would go."""
        self.set(vcpu, PRIV, int(not user))
        number = list(Access).index(kind)
        fault = self.ffi.new("int *")
        status = self.lib.hv_translate(
            self.host, self.vm, vcpu, va, number, self._word, fault
        )
        self.alive(status)
        at = self._would(vcpu, va, kind, user=user)
        want = (FAULTS[kind], None) if at is None else (-1, at)
        got = (int(fault[0]), None if at is None else int(self._word[0]))
        if got != want:
            raise Differ("access", f"from outside, {va:#x}: {got}, not {want}")

    def _same_fault(
        self, vcpu: int, kind: Access, va: int, *, trapped: bool
    ) -> None:
        if not trapped:
            raise Differ("access", f"{kind} at {va:#x} did not fault")
        got = (self.shared(CAUSE, vcpu), self.shared(TVAL, vcpu))
        if got != (FAULTS[kind], va):
            raise Differ("access", f"{kind} at {va:#x}: told {got}")

    def same(self) -> None:
        """Compare everything that there is."""
        for page, frame in self.frame_of.items():
            self._same_frame(page, frame)
            if page not in self.spec.held:
                self._same_memory(page)
        status = self.lib.hv_audit(self.host, self._why, 256)
        if status:
            raise Differ("audit", self.ffi.string(self._why).decode())

    def _same_frame(self, page: int, frame: int) -> None:
        self.alive(self.lib.hv_frame_info(self.host, frame, self._frame))
        row = self._frame
        got = (row.type, row.gfn, row.refs, row.uses)
        # Shadow tables are no part of the twin: what names the page there.
        entries, writers = self._shadowed(frame)
        want = (
            {None: 0, 0: 3, 1: 4}[self.spec.level(page)],
            page,
            self.spec.references(page) + entries,
            self.spec.uses(page) + writers,
        )
        if got != want:
            raise Differ("frames", f"{page:#x}: {got}, not {want}")

    def _shadowed(self, frame: int) -> tuple[int, int]:
        """Count the shadow entries that name a frame, and those with W."""
        rows = self.ffi.new("struct hv_entry[64]")
        self.alive(
            self.lib.hv_frame_entries(self.host, frame, rows, 64, self._word)
        )
        ptes = [rows[i].pte for i in range(self._word[0])]
        return len(ptes), sum(bool(pte & Pte.W) for pte in ptes)

    def _same_memory(self, page: int) -> None:
        got = self.ffi.new("uint8_t[]", PAGE)
        self.lib.hv_mem_read(self.host, self.vm, page * PAGE, got, PAGE)
        want = bytearray(PAGE)
        for offset, word in self.spec.memory.get(page, {}).items():
            struct.pack_into("<I", want, offset, word)
        if bytes(self.ffi.buffer(got)) != want:
            raise Differ("memory", f"page {page:#x}")

    def forget(self, page: int) -> None:
        """The twin learns what the hypervisor wrote into a page."""
        got = self.ffi.new("uint32_t[1024]")
        self.lib.hv_mem_read(self.host, self.vm, page * PAGE, got, PAGE)
        words = {4 * i: int(word) for i, word in enumerate(got) if word}
        self.spec.memory[page] = words
