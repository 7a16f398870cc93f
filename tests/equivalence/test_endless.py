"""A step that would have no end is told: who waits for it must not hang."""

from tests.equivalence.core import Core, build, good_core, planted
from tests.equivalence.test_counters import RAM, Kernel
from tests.machine import asm

# A fence that is never done: the guest is to ask again and again. No limit of
# the hypervisor's own counts this, since a long fence is served in parts.
UNDONE = (
    "hyp/vcpu.c",
    "    return vcpu->vm->style->paging->fence(",
    "    return false && vcpu->vm->style->paging->fence(",
)


def test_a_core_that_never_comes_to_the_end_of_a_step_is_told() -> None:
    """The good one executes the instruction in one step."""
    words = [asm.sfence_vma()]
    good = Kernel(good_core(), words, "EMULATE")
    good.step()
    assert good.get(good.lib.HV_REG_PC) == RAM + 4
    bad = Kernel(Core(build(planted("undone", *UNDONE))), words, "EMULATE")
    status = bad.lib.hv_step(bad.host, bad.vm, 0)
    assert status == bad.lib.HV_ERR_BROKEN
    reason = bad.ffi.string(bad.lib.hv_host_reason(bad.host)).decode()
    assert "a step has no end" in reason
