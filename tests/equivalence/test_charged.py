"""Who is charged for what: the guest for its instructions, and no more."""

from collections.abc import Callable

import pytest

from tests.equivalence.core import Core, good_core
from tests.equivalence.test_counters import Kernel
from tests.machine import asm
from tests.machine.core import abi

EXIT = 1000
RD = asm.T0


def counter(kernel: Kernel, name: str) -> int:
    """Return what the hypervisor has counted of its VM."""
    lib, ffi = kernel.lib, kernel.ffi
    count = lib.hv_counter_count(lib.HV_COUNTERS_VM)
    out = ffi.new("uint64_t[]", count)
    group = lib.HV_COUNTERS_VM
    assert lib.hv_counters(kernel.host, kernel.vm, group, out, count) == 0
    names = [ffi.string(lib.hv_counter_name(group, i)) for i in range(count)]
    return int(out[names.index(name.encode())])


def exits_are_the_hypervisors(core: Core) -> None:
    """Only instructions and exits take time: it is known how much of each."""
    plain = [asm.addi(RD, RD, 1)] * 5
    words = asm.program(*[[*plain, asm.csrr(RD, abi.CSR_SSCRATCH)]] * 20)
    kernel = Kernel(core, [*words, asm.j(0)], "EMULATE", exit=EXIT)
    before = [counter(kernel, name) for name in ("guest_cycles", "hyp_cycles")]
    run = core.ffi.new("struct hv_run *", {"max_insns": len(words)})
    assert core.lib.hv_run(kernel.host, run) == core.lib.HV_OK
    guest, hyp = (
        counter(kernel, name) - was
        for name, was in zip(
            ("guest_cycles", "hyp_cycles"), before, strict=True
        )
    )
    assert guest == len(plain) * 20, f"{guest} cycles for the guest"
    assert hyp >= 20 * EXIT, f"{hyp} cycles for its exits"


CHECKS = (exits_are_the_hypervisors,)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_charged(check: Callable[[Core], None]) -> None:
    check(good_core())
