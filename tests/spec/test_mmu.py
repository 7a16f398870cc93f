"""The machine's MMU, and a VM's shadow tables, are what hv.spec says.

Every combination of the eight low bits of an entry, at either level, x mode x
SUM x MXR x kind of access x policy for A and D is tried with a real access:
one instruction, stepped. What happened (the trap taken, or the address that
was reached, and the bits set in the entry) must be what the specification
says; on the bare machine and, through shadow tables, in a VM.
"""

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hv.spec import (
    Access,
    Board,
    Mode,
    Outcome,
    Pte,
    Translated,
    View,
    translate,
)
from tests.equivalence.core import CData, Core, good_core

RAM = range(0x8000_0000, 0x8010_0000)
DEVICES = (range(0x10_0000, 0x10_1000), range(0x1000_0000, 0x1000_0100))
ROOT, TABLE, CODE_TABLE, CODE, DATA = (RAM[0] + 0x1000 * i for i in range(1, 6))
# The world's own code: for the kernel at one address, for users at another.
KERNEL_CODE, USER_CODE = 0x4000_0000, 0x4000_1000
SFENCE, LOAD, STORE = 0x12000073, 0x0003_2283, 0x0073_2023  # lw/sw x5/x7,(x6)
TRAPPED = 0x4000_2000  # stvec: nothing is there, and nothing is executed
SUM, MXR = 1 << 18, 1 << 19
SSTATUS, STVEC, SCAUSE, STVAL, SATP = 0x100, 0x105, 0x142, 0x143, 0x180
VIEWS = [
    View(mode, sum=sum_, mxr=mxr)
    for mode in Mode
    for sum_ in (False, True)
    for mxr in (False, True)
]


def entry(page: int, bits: int) -> int:
    """Return the entry that names the page of this address."""
    return page >> 12 << 10 | bits


class World:
    """A guest of 1 MiB: the bare machine, or a VM on top of one."""

    def __init__(self, core: Core, *, vm: bool, ad_fault: bool) -> None:
        self.core, self.ffi, self.lib = core, core.ffi, core.lib
        self.board = Board(ram=RAM, devices=DEVICES, ad_fault=ad_fault)
        config = core.config(ad_fault=int(ad_fault))
        config.ram_size = len(RAM) * (2 if vm else 1)
        config.m_mode = (
            self.lib.HV_M_HYPERVISOR if vm else self.lib.HV_M_FIRMWARE
        )
        out = self.ffi.new("hv_host **")
        assert self.lib.hv_host_new(config, out, self.ffi.NULL, 0) == 0
        self.host: CData = self.ffi.gc(out[0], self.lib.hv_host_free)
        self.vm = 0
        if vm:
            number = self.ffi.new("uint32_t *")
            vmc = self.ffi.new("struct hv_vm_config *")
            self.lib.hv_vm_config_default(vmc)
            vmc.mem_size = len(RAM)
            status = self.lib.hv_vm_create(
                self.host, vmc, number, self.ffi.NULL, 0
            )
            assert status == 0
            self.vm = int(number[0])
        self._word = self.ffi.new("uint32_t *")
        self._fault = self.ffi.new("int *")
        assert self.lib.hv_vm_boot(self.host, self.vm, RAM[0], 0, 0) == 0
        self.set_csr(STVEC, TRAPPED)
        # Words that say where they are: as code, addi x5, x0, page number.
        for page in range(RAM[0], RAM[0] + 0x4_0000, 0x1000):
            number_of = (page - RAM[0]) >> 12
            self.write(page, *[number_of << 20 | 0x293] * 1024)
        self.write(CODE, SFENCE, LOAD, STORE)
        self.write(ROOT, *[0] * 1024)
        self.write(TABLE, *[0] * 1024)
        self.write(CODE_TABLE, *[0] * 1024)
        full = Pte.V | Pte.R | Pte.X | Pte.A | Pte.D
        self.poke(ROOT + 4 * (KERNEL_CODE >> 22), entry(CODE_TABLE, Pte.V))
        self.poke(CODE_TABLE, entry(CODE, full))
        self.poke(CODE_TABLE + 4, entry(CODE, full | Pte.U))
        self.set_csr(SATP, 1 << 31 | ROOT >> 12)

    def write(self, pa: int, *words: int) -> None:
        data = struct.pack(f"<{len(words)}I", *words)
        status = self.lib.hv_mem_write(self.host, self.vm, pa, data, len(data))
        assert status == 0

    def poke(self, pa: int, word: int) -> None:
        self._word[0] = word
        self.lib.hv_mem_write(self.host, self.vm, pa, self._word, 4)

    def peek(self, pa: int) -> int:
        self.lib.hv_mem_read(self.host, self.vm, pa, self._word, 4)
        return int(self._word[0])

    def get(self, register: int) -> int:
        self.lib.hv_reg_get(self.host, self.vm, 0, register, self._word)
        return int(self._word[0])

    def set(self, register: int, value: int) -> None:
        status = self.lib.hv_reg_set(self.host, self.vm, 0, register, value)
        assert status == 0

    def set_csr(self, csr: int, value: int) -> None:
        self.set(0x1000 + csr, value)

    def step_at(self, pc: int, mode: int) -> None:
        self.set(33, mode)
        self.set(32, pc)
        assert self.lib.hv_step(self.host, self.vm, 0) == 0

    def fence(self) -> None:
        """Execute sfence.vma, as the guest's kernel."""
        self.set_csr(SSTATUS, 0)
        self.step_at(KERNEL_CODE, Mode.SUPERVISOR)
        assert self.get(32) == KERNEL_CODE + 4

    def view(self, view: View) -> None:
        """Set SUM and MXR."""
        self.set_csr(SSTATUS, SUM * view.sum | MXR * view.mxr)

    def access(self, va: int, kind: Access, view: View) -> Outcome | int:
        """Make one access; return where it went, or the cause of the trap."""
        code = USER_CODE if view.mode is Mode.USER else KERNEL_CODE
        mark = 0x5EED_0000 | va >> 12 & 0xFFF
        self.set(5, 0xFFFF_FFFF)
        self.set(6, va)
        self.set(7, mark)
        self.view(view)
        pc = {Access.FETCH: va, Access.LOAD: code + 4, Access.STORE: code + 8}
        self.step_at(pc[kind], view.mode)
        if self.get(32) == TRAPPED:
            assert self.get(0x1000 + STVAL) == va
            return self.get(0x1000 + SCAUSE)
        if kind is Access.STORE:
            return mark
        loaded = self.get(5)
        page = loaded if kind is Access.FETCH else loaded >> 20
        return Translated(RAM[0] + (page << 12) + va % 0x1000)

    def spec(
        self, memory: dict[int, int], va: int, kind: Access, view: View
    ) -> Outcome:
        satp = 1 << 31 | ROOT >> 12
        return translate(memory, satp, va, kind, view, self.board)

    def ask(self, va: int, kind: Access, view: View) -> Outcome | int:
        """Ask hv_translate, which changes nothing."""
        self.view(view)
        self.set(33, view.mode)
        number = list(Access).index(kind)
        status = self.lib.hv_translate(
            self.host, self.vm, 0, va, number, self._word, self._fault
        )
        assert status == 0
        if self._fault[0] >= 0:
            return int(self._fault[0])
        return Translated(int(self._word[0]))


def agree(world: World, va: int, kind: Access, view: View, slot: int) -> None:
    """Make an access and compare everything with the specification."""
    memory = {
        pa: world.peek(pa)
        for pa in {slot, ROOT + 4 * (va >> 22), RAM[0] + 4 * (va >> 12 & 1023)}
    }
    before = memory[slot]
    wanted = world.spec(memory, va, kind, view)
    what = f"{va:#x} {kind} {view} entry {before:#x}: {wanted}"
    where = Translated(wanted.pa) if isinstance(wanted, Translated) else 0
    asked = world.ask(va, kind, view)
    if not isinstance(wanted, Translated):
        assert asked == wanted.cause, what
        assert world.access(va, kind, view) == wanted.cause, what
        assert world.peek(slot) == before, what
        return
    assert asked == where, what
    old = world.peek(wanted.pa & ~3)
    got = world.access(va, kind, view)
    if kind is Access.STORE:
        assert world.peek(wanted.pa) == got, what
        if wanted.pa != slot:
            world.poke(wanted.pa & ~3, old)
    else:
        assert got == where, what
    marks = wanted.sets if wanted.slot == slot else 0
    assert world.peek(slot) == before | marks, what


@pytest.fixture(scope="module")
def core() -> Core:
    return good_core()


@pytest.fixture(
    scope="module",
    params=itertools.product(["bare", "emulate"], ["update", "fault"]),
    ids="-".join,
)
def world(core: Core, request: pytest.FixtureRequest) -> World:
    where, policy = request.param
    return World(core, vm=where == "emulate", ad_fault=policy == "fault")


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("kind", Access)
def test_every_leaf_of_4_kib(world: World, view: View, kind: Access) -> None:
    """256 patterns: 256 entries of one table, in front of one page each."""
    world.poke(ROOT, entry(TABLE, Pte.V))
    world.write(TABLE, *(entry(DATA, bits) for bits in range(256)))
    world.fence()
    for bits in range(256):
        agree(world, bits << 12 | 0x24, kind, view, TABLE + 4 * bits)


@pytest.mark.parametrize("view", VIEWS, ids=str)
@pytest.mark.parametrize("kind", Access)
def test_every_entry_of_a_root(world: World, view: View, kind: Access) -> None:
    """256 patterns: megapages, and pointers to the table at RAM's start."""
    page = DATA - RAM[0]
    world.poke(RAM[0] + (page >> 10), entry(DATA + 0x1000, 0xDF))
    for bits in range(256):
        slot = ROOT + 4 * (bits | 0x200)
        world.poke(slot, entry(RAM[0], bits))
    world.fence()
    for bits in range(256):
        va = (bits | 0x200) << 22 | page | 0x24
        agree(world, va, kind, view, ROOT + 4 * (bits | 0x200))
    world.write(ROOT + 0x800, *[0] * 256)
    world.fence()


PAGES = {
    "data": DATA >> 12,
    "the last page of RAM": (RAM.stop >> 12) - 1,
    "the page behind it": RAM.stop >> 12,
    "nothing": 0x20000,
    "the first page of all": 0,
    "33 bits": 1 << 20 | DATA >> 12,
    "34 bits": 1 << 21 | DATA >> 12,
    "all bits": (1 << 22) - 1,
    "misaligned by one, or code": 0x80001,
    "a megapage of nothing": 0x20000,
    "a megapage of 34 bits": 3 << 20 | 0x80000,
}


@pytest.mark.parametrize("kind", Access)
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
def test_addresses_that_are_not_there(
    world: World, page: int, kind: Access
) -> None:
    """At both levels, with all rights and with none: rights come first."""
    for bits in (0xDF, 0xCF, 0xD1, 0x1F, 0x01):
        va = 0x7C00_0000 | DATA - RAM[0] | 0x24
        slot = ROOT + 4 * (va >> 22)
        world.poke(slot, page << 10 | bits)
        world.fence()
        memory = {slot: page << 10 | bits}
        for view in VIEWS:
            if bits == 1 and page << 12 in RAM:
                continue  # a pointer to a real table: tested above
            wanted = world.spec(memory, va, kind, view)
            if isinstance(wanted, Translated):
                continue
            assert world.access(va, kind, view) == wanted.cause
            assert world.peek(slot) == page << 10 | bits
        world.poke(slot, 0)
        world.fence()


@settings(max_examples=60)
@given(data=st.data())
def test_random_tables(core: Core, data: st.DataObject) -> None:
    """Asking costs nothing, so here are whole walks, both worlds at once."""
    pages = st.sampled_from([*PAGES.values(), TABLE >> 12, ROOT >> 12])
    entries = st.builds(
        lambda page, bits: page << 10 | bits,
        pages,
        st.sampled_from([0x01, 0x0F, 0x1F, 0xDF, 0xCF, 0x07, 0x21, 0xE1])
        | st.integers(0, 0x3FF),
    )
    root = data.draw(entries)
    leaf = data.draw(entries)
    offset = data.draw(st.sampled_from([0, 0x24, 0xFFC]))
    ad_fault = data.draw(st.booleans())
    va = 0x5543_2000 | offset
    slot, below = ROOT + 4 * (va >> 22), TABLE + 4 * (va >> 12 & 1023)
    for vm in (False, True):
        world = worlds(core, vm=vm, ad_fault=ad_fault)
        world.poke(slot, root)
        world.poke(below, leaf)
        memory = {
            pa + 4 * (va >> 12 & 1023): world.peek(pa + 4 * (va >> 12 & 1023))
            for pa in range(RAM.start, RAM.stop, 0x1000)
        } | {slot: root, below: leaf}
        for kind, view in itertools.product(Access, VIEWS):
            wanted = world.spec(memory, va, kind, view)
            got = world.ask(va, kind, view)
            if isinstance(wanted, Translated):
                assert got == Translated(wanted.pa)
            else:
                assert got == wanted.cause
        world.poke(slot, 0)


_worlds: dict[tuple[bool, bool], World] = {}


def worlds(core: Core, *, vm: bool, ad_fault: bool) -> World:
    """Return one of four worlds, made once."""
    key = (vm, ad_fault)
    if key not in _worlds:
        _worlds[key] = World(core, vm=vm, ad_fault=ad_fault)
    return _worlds[key]
