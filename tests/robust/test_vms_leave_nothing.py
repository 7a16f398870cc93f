"""A host that makes and destroys VMs for ever needs no more memory for it."""

import pytest

from tests.equivalence.core import planted
from tests.robust.alloc import AllocCore, World, alloc_library, good

STYLES = ("EMULATE", "ASSIST", "NESTED", "PV", "DIRECT")
INSNS = 20_000


def lives(world: World) -> None:
    """Let a VM of each style live and go, and one that is never made."""
    for style in STYLES:
        assert world.create(style, vcpus=2) == 0
        assert world.boot() == 0
        assert world.run(INSNS) == 0
        assert world.lib.hv_vm_destroy(world.raw, world.vm) == 0
        refused = world.create(style, mem_size=1 << 30)
        assert refused == world.lib.HV_ERR_NO_MEMORY


def vms_leave_no_block(core: AllocCore) -> None:
    world = World(core, harts=2)
    assert world.make() == 0
    lives(world)  # what is made at first sight, and kept, is there now
    before = core.lib.alloc_blocks()
    for _ in range(2):
        lives(world)
    kept = core.lib.alloc_blocks() - before
    assert kept == 0, f"{kept} blocks are still there"
    assert world.audit() == 0
    world.close()


def test_vms_leave_no_block() -> None:
    vms_leave_no_block(good())


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("hyp/p2m.c", "hal_free(vm->hyp->hal, vm->p2m.hfn);"),
        ("hyp/vm.c", "    hal_free(hyp->hal, vm->vcpu);"),
    ],
)
def test_who_forgets_one_is_found(file: str, text: str) -> None:
    files = planted("leak", file, text, ";")
    with pytest.raises(AssertionError, match="still there"):
        vms_leave_no_block(AllocCore(alloc_library(files)))
