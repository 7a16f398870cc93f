"""Where the machine leaves A and D to the kernel, it faults; logged or not."""

import pytest

from hv.abi import Hypercall
from hv.spec import Access, Pte
from tests.direct.world import (
    CAUSE,
    FAULTS,
    FIRST,
    LEAF,
    LIST,
    LOAD,
    PAGE,
    STORE,
    T1,
    World,
    entry,
)
from tests.equivalence.core import Core, build, good_core, planted

TARGET = FIRST + 9
RIGHTS = Pte.V | Pte.R | Pte.W | Pte.U
ACCESSES = {Access.LOAD: (LOAD, Pte.A), Access.STORE: (STORE, Pte.A | Pte.D)}


def _map(world: World, flags: Pte) -> None:
    """Map the target, as the kernel would."""
    slot = LEAF * PAGE + TARGET % 1024 * 4
    at = LIST * PAGE
    world.poke(at, slot)
    world.poke(at + 4, entry(world.frame_of[TARGET], RIGHTS | flags))
    assert world.call(0, Hypercall.PT_UPDATE, at, 1) == 0


def what_lacks_a_or_d_faults(core: Core) -> None:
    world = World(core, ad_fault=1)
    for logs in (False, True):
        if logs:
            world.alive(world.lib.hv_dirty_start(world.host, world.vm))
        for flags in (Pte.A | Pte.D, Pte.A, Pte.D, Pte(0)):
            for kind, (pc, need) in ACCESSES.items():
                _map(world, flags)
                world.set(1, T1, TARGET * PAGE)
                did = world.step(1, pc)
                where = f"{kind}, {flags!r}, logged: {logs}"
                assert did == (need & ~flags == 0), where
                if not did:
                    assert world.shared(CAUSE, 1) == FAULTS[kind], where


def test_what_lacks_a_or_d_faults() -> None:
    what_lacks_a_or_d_faults(good_core())


@pytest.mark.parametrize("instead", ["PTE_A : PTE_A", "PTE_A | PTE_D : 0"])
def test_who_asks_for_too_little_is_found(instead: str) -> None:
    text = "PTE_A | PTE_D : PTE_A"
    core = Core(build(planted("need", "hyp/direct.c", text, instead)))
    with pytest.raises(AssertionError, match="logged: True"):
        what_lacks_a_or_d_faults(core)
