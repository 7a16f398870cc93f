"""Who is charged for what: the guest for its instructions, and no more."""

from collections.abc import Callable

import pytest

from hv.abi import Hypercall
from tests.equivalence.core import Core, good_core
from tests.equivalence.test_counters import RAM, TIME, Kernel
from tests.machine import asm
from tests.machine.core import abi
from tests.memory.puppet import DATA, FIRST, PAGE, Host, Puppet

EXIT = 1000
SBI_TIME = 0x54494D45
KERNEL = RAM + 0x1000
RD = asm.T0
SATP = 0x180
READABLE = 0x13  # valid, to be read, and by a kernel that is one of users
FULL = 0xCF  # valid, all rights of a kernel, accessed and dirty


def exits_are_the_hypervisors(core: Core) -> None:
    """Only instructions and exits take time: it is known how much of each."""
    plain = [asm.addi(RD, RD, 1)] * 5
    words = asm.program(*[[*plain, asm.csrr(RD, abi.CSR_SSCRATCH)]] * 20)
    costs = {"insn": 1, "exit": EXIT}
    kernel = Kernel(core, [*words, asm.j(0)], "EMULATE", costs=costs)
    kinds = ("guest_cycles", "hyp_cycles")
    before = [kernel.counter(kind) for kind in kinds]
    kernel.run(len(words))
    after = [kernel.counter(kind) for kind in kinds]
    guest, hyp = (a - b for a, b in zip(after, before, strict=True))
    assert guest == len(plain) * 20, f"{guest} cycles for the guest"
    assert hyp >= 20 * EXIT, f"{hyp} cycles for its exits"
    assert kernel.counter("emulated") == 20


def host(core: Core, **costs: int) -> Host:
    """Return a host where nothing else takes time."""
    return Host(core, 512, cost=list(core.config(costs).cost))


def the_way_out_is_the_hypervisors(core: Core) -> None:
    """Whoever is next pays for the choice, not as if it had run for it."""
    world = host(core, insn=1, exit=EXIT, pick=EXIT, world_switch=EXIT)
    pair = [Puppet(world, 16, style) for style in ("PV", "EMULATE")]
    for puppet in pair:
        puppet.set(puppet.lib.HV_REG_PC, DATA * PAGE)
        puppet.write_words(DATA * PAGE, [asm.j(0)])
    before = [
        puppet.counter("guest_cycles") - puppet.info.insns for puppet in pair
    ]
    world.run(10_000_000)
    assert min(puppet.counter("switches") for puppet in pair) > 1
    for was, puppet in zip(before, pair, strict=True):
        more = puppet.counter("guest_cycles") - puppet.info.insns - was
        # The last instructions may not have been charged for yet.
        assert more <= 0, f"{more} cycles too many for a guest"


def a_walk_costs_what_it_reads(core: Core) -> None:
    """Two entries for a page, one for a large page."""
    cost = 1000
    large, small = 0x40000, 0x40400  # page numbers
    puppet = Puppet(host(core, insn=1, guest_read=cost), 32, "EMULATE")
    for slot, entry in (
        (DATA * PAGE + 4 * (FIRST >> 10), FIRST << 10 | FULL),
        (DATA * PAGE + 4 * (large >> 10), FIRST << 10 | FULL),
        (DATA * PAGE + 4 * (small >> 10), DATA + 1 << 10 | 1),
        ((DATA + 1) * PAGE, DATA + 2 << 10 | FULL),
    ):
        puppet.write(slot, entry.to_bytes(4, "little"))
    puppet.set(puppet.lib.HV_REG_CSR + SATP, 1 << 31 | DATA)
    puppet.load(FIRST, 0)
    costs = []
    for page in (large, small):
        before = puppet.counter("hyp_cycles")
        assert puppet.load(page, 0) is not None
        costs.append((puppet.counter("hyp_cycles") - before) // cost)
    assert costs == [1, 2], f"{costs} entries were read"


def who_needs_a_root_pays_for_it(core: Core) -> None:
    """Also if its slice ends over that, and another runs next."""
    spaces, cost = 6, 5000
    for ticks in (100_000, 200_000):  # a slice
        costs = core.config({"insn": 1, "exit": 100, "shadow_write": cost}).cost
        world = Host(core, 512, slice=ticks, cost=list(costs))
        maker = Puppet(world, 32, "EMULATE", shadow_frames=5)
        other = Puppet(world, 16, "EMULATE")
        code = []
        for root in range(DATA + 1, DATA + 1 + spaces):
            slot = root * PAGE + 4 * (FIRST >> 10)
            maker.write(slot, (FIRST << 10 | FULL).to_bytes(4, "little"))
            code += [*asm.li(asm.T0, 1 << 31 | root), asm.csrw(SATP, asm.T0)]
        loops = ((maker, [*code, asm.j(-4 * len(code))]), (other, [asm.j(0)]))
        for puppet, words in loops:
            puppet.write_words(DATA * PAGE, words)
            puppet.set(puppet.lib.HV_REG_PC, DATA * PAGE)
        world.run(1_000_000)
        own = cost * other.counter("shadow_tables")
        paid = other.counter("hyp_cycles") - 100 * other.counter("exits")
        assert maker.counter("shadow_tables") > 4 * spaces
        assert paid <= own, f"{paid} cycles, and its own took {own}"


def each_entry_of_a_table_costs_the_same(core: Core) -> None:
    """The first, the last, and any other."""
    puppet = Puppet(host(core, insn=1, guest_read=1000), 16, "DIRECT")
    table, costs = DATA * PAGE, []
    page = puppet.frame(DATA + 1)
    assert page is not None
    for index in (0, 1, 500, 1023):
        slot = table + 4 * index
        puppet.write(slot, (page << 10 | READABLE).to_bytes(4, "little"))
        before = puppet.counter("hyp_cycles"), puppet.counter("pins")
        assert puppet.call(Hypercall.PT_PIN, table, 0) == 0
        costs.append(puppet.counter("hyp_cycles") - before[0])
        assert puppet.counter("pins") == before[1] + 1
        assert puppet.call(Hypercall.PT_UNPIN, table) == 0
        puppet.write(slot, bytes(4))
    assert len(set(costs)) == 1, costs


def what_is_valid_costs_more(core: Core) -> None:
    """Of a table that is pinned; and nothing that lies behind it."""
    cost = 1000
    puppet = Puppet(host(core, insn=1, guest_read=cost), 16, "DIRECT")
    page = puppet.frame(FIRST + 15)
    assert page is not None
    entry = (page << 10 | READABLE).to_bytes(4, "little")
    for gfn in range(DATA, FIRST + 16):  # whatever lies behind it
        puppet.write(gfn * PAGE, entry)
    costs = []
    for valid in (1, 2, 4):
        puppet.write(DATA * PAGE, entry * valid)
        before = puppet.counter("hyp_cycles")
        assert puppet.call(Hypercall.PT_PIN, DATA * PAGE, 0) == 0
        costs.append((puppet.counter("hyp_cycles") - before) // cost)
        assert puppet.call(Hypercall.PT_UNPIN, DATA * PAGE) == 0
    # One more is for the call itself.
    assert costs == [1 + n for n in (1, 2, 4)], costs


def who_is_woken_pays_for_it(core: Core) -> None:
    """Not the one who was on the hart when somebody else's timer was due."""
    world = host(core, insn=1, exit=EXIT)
    busy, sleeper = (
        Puppet(world, 16, style) for style in ("NESTED", "EMULATE")
    )
    busy.write_words(DATA * PAGE, [asm.j(0)])
    words = asm.program(
        *(asm.li(asm.A7, SBI_TIME), asm.li(asm.A6, 0), asm.li(asm.A1, 0)),
        *(asm.csrr(asm.A0, TIME), asm.addi(asm.A0, asm.A0, 1000)),
        *(asm.ECALL, asm.WFI),
    )
    sleeper.write_words(DATA * PAGE, [*words, asm.j(-4 * len(words))])
    sleeper.set(core.lib.HV_REG_CSR + abi.CSR_SIE, abi.MIP_STIP)
    for puppet in (busy, sleeper):
        puppet.set(core.lib.HV_REG_PC, DATA * PAGE)
    before = busy.counter("hyp_cycles")
    world.run(1_000_000)
    wakes, exits = sleeper.counter("switches"), busy.counter("exits")
    more = busy.counter("hyp_cycles") - before
    assert (wakes > 5, more // EXIT) == (True, exits - wakes)


def a_run_is_of_so_many_steps(core: Core) -> None:
    """What is emulated and what is delivered counts; whoever did it."""
    words = asm.program(
        *(asm.li(RD, KERNEL), asm.csrw(abi.CSR_STVEC, RD)),
        *(0x0010_0073, asm.j(-4)),
    )
    handler = [
        *(asm.csrr(RD, abi.CSR_SEPC), asm.addi(RD, RD, 4)),
        *(asm.csrw(abi.CSR_SEPC, RD), asm.SRET),
    ]
    kernel = Kernel(core, words, "EMULATE")
    kernel.write(KERNEL, handler)
    for length in (3, 7, 50, 1000):
        args = core.ffi.new("struct hv_run *", {"max_insns": length})
        was = kernel.info.insns + kernel.counter("injected_traps")
        assert core.lib.hv_run(kernel.host, args) == core.lib.HV_OK
        more = kernel.info.insns + kernel.counter("injected_traps") - was
        assert (args.insns, more) == (length, length)


def work_for_the_host_is_no_guests(core: Core) -> None:
    """To look for equal pages takes time, while a guest is on its hart."""
    world = host(core, insn=1, exit=EXIT, word_copy=EXIT)
    puppet = Puppet(world, 16)
    puppet.write_words(DATA * PAGE, [asm.j(0)])
    puppet.set(puppet.lib.HV_REG_PC, DATA * PAGE)
    world.run(1000)
    before = puppet.counter("guest_cycles") - puppet.info.insns
    cycles = world.info.cycles
    world.scan()
    assert world.info.cycles - cycles > 100 * EXIT
    world.run(3_000_000)  # some slices
    more = puppet.counter("guest_cycles") - puppet.info.insns - before
    assert more <= 0, f"{more} cycles too many for a guest"


CHECKS = (
    what_is_valid_costs_more,
    who_is_woken_pays_for_it,
    a_run_is_of_so_many_steps,
    work_for_the_host_is_no_guests,
    each_entry_of_a_table_costs_the_same,
    exits_are_the_hypervisors,
    who_needs_a_root_pays_for_it,
    the_way_out_is_the_hypervisors,
    a_walk_costs_what_it_reads,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_charged(check: Callable[[Core], None]) -> None:
    check(good_core())
