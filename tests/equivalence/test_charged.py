"""Who is charged for what: the guest for its instructions, and no more."""

from collections.abc import Callable

import pytest

from tests.equivalence.core import Core, good_core
from tests.equivalence.test_counters import Kernel
from tests.machine import asm
from tests.machine.core import abi

EXIT = 1000
RD = asm.T0


def counter(core: Core, kernel: Kernel, name: str) -> int:
    """Return what the hypervisor has counted of its VM."""
    names, group = core.counter_names(), core.lib.HV_COUNTERS_VM
    out = core.ffi.new("uint64_t[]", len(names))
    assert not core.lib.hv_counters(
        *(kernel.host, kernel.vm, group, out, len(names))
    )
    return int(out[names.index(name)])


def exits_are_the_hypervisors(core: Core) -> None:
    """Only instructions and exits take time: it is known how much of each."""
    plain = [asm.addi(RD, RD, 1)] * 5
    words = asm.program(*[[*plain, asm.csrr(RD, abi.CSR_SSCRATCH)]] * 20)
    costs = {"insn": 1, "exit": EXIT}
    kernel = Kernel(core, [*words, asm.j(0)], "EMULATE", costs=costs)
    kinds = ("guest_cycles", "hyp_cycles")
    before = [counter(core, kernel, kind) for kind in kinds]
    kernel.run(len(words))
    after = [counter(core, kernel, kind) for kind in kinds]
    guest, hyp = (a - b for a, b in zip(after, before, strict=True))
    assert guest == len(plain) * 20, f"{guest} cycles for the guest"
    assert hyp >= 20 * EXIT, f"{hyp} cycles for its exits"


CHECKS = (exits_are_the_hypervisors,)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_charged(check: Callable[[Core], None]) -> None:
    check(good_core())
