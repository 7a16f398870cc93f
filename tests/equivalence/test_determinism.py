"""The same inputs, the same state: three times, in pieces, with any compiler.

Nothing that a run depends on is outside of its inputs: no clock, no address of
the host, no order in which a compiler evaluates. The state is what hv_hash()
mixes: memory, registers, TLB, counters, what the hypervisor knows of its VMs.
"""

import os
import random

import pytest

from tests.equivalence.core import CData, Core, compilers, good_core

RAM_BASE = 0x8000_0000
SEEDS = range(40)
STEPS = 3000
STYLES = ["EMULATE", "ASSIST", "NESTED"]  # of the three VMs


def host(core: Core, *, bare: bool, engine: int = 0) -> CData:
    """Return a host of the default costs."""
    config = core.ffi.new("struct hv_config *")
    core.lib.hv_config_default(config)
    hypervisor, firmware = core.lib.HV_M_HYPERVISOR, core.lib.HV_M_FIRMWARE
    config.m_mode = firmware if bare else hypervisor
    config.ram_size = 4 << 20
    config.slice = 50
    config.engine = engine
    out = core.ffi.new("hv_host **")
    assert core.lib.hv_host_new(config, out, core.ffi.NULL, 0) == 0
    return core.ffi.gc(out[0], core.lib.hv_host_free)


def start(core: Core, machine: CData, seed: int, *, bare: bool) -> None:
    """Boot one generated program bare, or three of them in VMs."""
    size = core.lib.HV_PRIVGEN_RAM
    image = core.ffi.new("uint8_t[]", size)
    for i in range(1 if bare else 3):
        vm = core.ffi.new("uint32_t *")
        if not bare:
            config = core.ffi.new("struct hv_vm_config *")
            core.lib.hv_vm_config_default(config)
            config.mem_size = 1 << 20
            config.shadow_frames = 8
            config.style = getattr(core.lib, f"HV_STYLE_{STYLES[i]}")
            status = core.lib.hv_vm_create(
                machine, config, vm, core.ffi.NULL, 0
            )
            assert status == 0
        # One core makes the programs for all, so that they are the same.
        maker = good_core()
        out = maker.ffi.new("uint8_t[]", size)
        assert maker.lib.hv_privgen(seed + 1000 * i, 0, out, size) == 0
        core.ffi.memmove(image, maker.ffi.buffer(out), size)
        assert core.lib.hv_mem_write(machine, vm[0], RAM_BASE, image, size) == 0
        assert core.lib.hv_vm_boot(machine, vm[0], RAM_BASE, 0, 0) == 0


def final_state(
    core: Core, seed: int, pieces: list[int], *, bare: bool, engine: int = 0
) -> int:
    """Run in pieces of so many instructions; return the state's hash."""
    machine = host(core, bare=bare, engine=engine)
    start(core, machine, seed, bare=bare)
    run = core.ffi.new("struct hv_run *")
    left = list(pieces)
    while left:
        run.max_insns = left[0]
        assert core.lib.hv_run(machine, run) == 0
        if run.reason in (core.lib.HV_RUN_DONE, core.lib.HV_RUN_IDLE):
            break
        left[0] -= run.insns
        if left[0] <= 0:
            left.pop(0)
    out = core.ffi.new("uint64_t *")
    assert core.lib.hv_hash(machine, out) == 0
    return int(out[0])


def cut(seed: int) -> list[int]:
    """Cut a run somewhere, a few times."""
    rng = random.Random(seed)
    ends = sorted({STEPS, *(rng.randrange(1, STEPS) for _ in range(9))})
    return [b - a for a, b in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("seed", SEEDS[::4])
def test_three_times_and_in_pieces(seed: int, *, bare: bool) -> None:
    core = good_core()
    once = final_state(core, seed, [STEPS], bare=bare)
    assert final_state(core, seed, [STEPS], bare=bare) == once
    assert final_state(core, seed, cut(seed), bare=bare) == once


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("seed", SEEDS[1::4])
def test_both_engines_agree(seed: int, *, bare: bool) -> None:
    core = good_core()
    ref, fast = core.lib.HV_ENGINE_REF, core.lib.HV_ENGINE_FAST
    state = final_state(core, seed, [STEPS], bare=bare, engine=ref)
    assert final_state(core, seed, cut(seed), bare=bare, engine=fast) == state


def test_gcc_and_clang_agree() -> None:
    if not {"gcc", "clang"} <= compilers().keys():
        why = f"gcc and clang are needed, found {', '.join(compilers())}"
        if os.environ.get("HV_NO_SKIP"):
            pytest.fail(why)
        pytest.skip(why)
    gcc, clang = good_core("gcc"), good_core("clang")
    for seed in SEEDS:
        for bare in (True, False):
            one, other = (
                final_state(core, seed, [STEPS], bare=bare)
                for core in (gcc, clang)
            )
            assert one == other, f"program {seed}, bare: {bare}"
