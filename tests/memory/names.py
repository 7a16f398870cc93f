"""What is known of a page, and when it is known no longer.

Shadows and TLBs hold entries of pages that have several names, of tables that
are linked twice or shared, and of code that was rewritten.
"""

from tests.equivalence.core import Core
from tests.machine import asm
from tests.memory.puppet import CODE, PAGE, STORE, TRAP, Host
from tests.memory.spaces import (
    FULL,
    LEAVES,
    NEW,
    OLD,
    ROOTS,
    SPACES,
    WINDOW,
    enter,
    kernel,
    le32,
    look,
)

SSTATUS, SUM, MXR, SCAUSE = 0x100, 1 << 18, 1 << 19, 0x142
RMAP_MAX = 128  # csrc/hyp/rmap.h


def what_was_rewritten_is_looked_at(core: Core) -> None:
    """An instruction that no hart has is not done for one that has faulted.

    The kernel maps other code, without a fence; its hart knows the old. What
    it loads is the user's, to be executed alone: by SUM and MXR it may, and
    no entry of a shadow can say so.
    """
    wide = asm.lw(asm.T1, 0, asm.T0) | 3 << 12  # of 64 bits
    puppet = kernel(Host(core, 512), "EMULATE", "LAZY")
    leaves = [OLD << 10 | FULL, OLD + 1 << 10 | FULL & ~6 | 0x10]
    puppet.write(LEAVES * PAGE, b"".join(map(le32, leaves)))
    for page, insn in ((OLD, asm.lb(asm.T1, 0, asm.T0)), (NEW, wide)):
        puppet.write(page * PAGE, le32(insn))
    enter(puppet, 0)
    puppet.set(puppet.lib.HV_REG_CSR + SSTATUS, SUM | MXR)
    for traps in (False, True):
        puppet.set(asm.T0, (WINDOW + 1) * PAGE)
        puppet.set(puppet.lib.HV_REG_PC, WINDOW * PAGE)
        while puppet.get(puppet.lib.HV_REG_PC) == WINDOW * PAGE:
            puppet._step()
        at = puppet.get(puppet.lib.HV_REG_PC)
        assert (at == CODE * PAGE + TRAP) == traps, f"{at:#x}"
        puppet.write(LEAVES * PAGE, le32(NEW << 10 | FULL))
    cause = puppet.get(puppet.lib.HV_REG_CSR + SCAUSE)
    assert cause == 5, f"cause {cause}"  # load access fault
    puppet.host.audit()


def what_is_replaced_is_forgotten_elsewhere(core: Core) -> None:
    """Where a table is linked twice, its entries have two addresses."""
    puppet = kernel(Host(core, 512), "EMULATE", "LAZY")
    puppet.write(LEAVES * PAGE, le32(OLD << 10 | FULL & ~4))
    other = WINDOW + 1024
    slot = ROOTS * PAGE + 4 * (other >> 10)
    puppet.write(slot, le32(LEAVES << 10 | 1))
    enter(puppet, 0)
    assert [puppet.load(page, 0) for page in (WINDOW, other)] == [100, 100]
    puppet.write(LEAVES * PAGE, le32(NEW << 10 | FULL))
    assert puppet.act(STORE, t0=WINDOW * PAGE, t1=7)
    puppet.host.audit()
    assert puppet.load(other, 0) == 7


def what_is_replaced_is_forgotten(core: Core) -> None:
    """By all harts: an entry gives way to another when its page is written."""
    puppet = kernel(Host(core, 512, harts=2), "EMULATE", "LAZY", vcpus=2)
    host, lib = puppet.host, puppet.lib
    puppet.write(LEAVES * PAGE, le32(OLD << 10 | FULL & ~4))
    puppet.start(1, CODE * PAGE + TRAP)
    for vcpu in range(2):
        none = puppet.ffi.NULL
        host.ok(
            lib.hv_affinity_set(host.raw, puppet.id, vcpu, 1 << vcpu, none, 0)
        )
        puppet.vcpu = vcpu
        enter(puppet, 0)
        assert puppet.load(WINDOW, 0) == 100
    puppet.write(LEAVES * PAGE, le32(NEW << 10 | FULL))
    puppet.vcpu = 0
    assert puppet.act(STORE, t0=WINDOW * PAGE, t1=7)
    host.audit()
    puppet.vcpu = 1
    assert puppet.load(WINDOW, 0) == 7


def tables_that_are_shared_stay_known(core: Core) -> None:
    """That they are kept once now changes nothing that they say."""
    host = Host(core, 512)
    pair = [kernel(host, "EMULATE", "LAZY") for _ in range(2)]
    for n, puppet in enumerate(pair):
        for i in range(SPACES):  # only the tables are equal
            puppet.write((OLD + i) * PAGE + 4, le32(n + 1))
        assert look(puppet) == [100 + i for i in range(SPACES)]
    host.scan()
    for puppet in pair:
        assert puppet.frame(LEAVES) == pair[0].frame(LEAVES)
        enter(puppet, 0)
        puppet.load(CODE, 0)
        fills = puppet.counter("shadow_fills")
        assert puppet.load(WINDOW, 0) == 100
        assert puppet.counter("shadow_fills") == fills
    host.audit()


def a_page_with_many_names_loses_the_oldest(core: Core) -> None:
    """Which is forgotten by the TLB, too."""
    puppet = kernel(Host(core, 512), "EMULATE", "LAZY")
    entry = le32(OLD << 10 | FULL)
    puppet.write(LEAVES * PAGE, entry * 200)
    enter(puppet, 0)
    for page in range(WINDOW, WINDOW + 200):
        assert puppet.load(page, 0) == 100
        puppet.load(WINDOW, 0)  # it is not the TLB that forgets it
        puppet.host.audit()
    frame = core.ffi.new("struct hv_frame *")
    hfn = puppet.frame(OLD)
    assert hfn is not None
    puppet.host.ok(core.lib.hv_frame_info(puppet.host.raw, hfn, frame))
    assert 100 < frame.entries <= RMAP_MAX, f"{frame.entries} names"


CHECKS = (
    what_is_replaced_is_forgotten_elsewhere,
    what_was_rewritten_is_looked_at,
    a_page_with_many_names_loses_the_oldest,
    tables_that_are_shared_stay_known,
    what_is_replaced_is_forgotten,
)
