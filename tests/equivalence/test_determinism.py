"""The same inputs, the same state: three times, in pieces, with any compiler.

Nothing that a run depends on is outside of its inputs: no clock, no address of
the host, no order in which a compiler evaluates. The state is what hv_hash()
mixes: memory, registers, TLB, counters, what the hypervisor knows of its VMs.
"""

import itertools
import os
import random

import pytest

from tests.equivalence.core import CData, Core, compilers, good_core
from tests.machine import asm
from tests.machine.core import abi

RAM_BASE = 0x8000_0000
SEEDS = range(40)
STEPS = 3000
STYLES = ["EMULATE", "ASSIST", "NESTED"]  # of the three VMs


def host(core: Core, *, bare: bool, engine: int = 0, harts: int = 1) -> CData:
    """Return a host of the default costs."""
    config = core.ffi.new("struct hv_config *")
    core.lib.hv_config_default(config)
    hypervisor, firmware = core.lib.HV_M_HYPERVISOR, core.lib.HV_M_FIRMWARE
    config.m_mode = firmware if bare else hypervisor
    config.ram_size = 4 << 20
    config.slice = 50
    config.engine = engine
    config.harts = harts
    config.quantum = 40
    out = core.ffi.new("hv_host **")
    assert core.lib.hv_host_new(config, out, core.ffi.NULL, 0) == 0
    return core.ffi.gc(out[0], core.lib.hv_host_free)


def starter(harts: int) -> bytes:
    """Return code that starts the other harts at RAM_BASE and goes there."""
    words = asm.program(
        *(
            [
                *asm.li(asm.A0, hart),
                *asm.li(asm.A1, RAM_BASE),
                *asm.li(asm.A7, abi.SBI_EXT_HSM),
                *asm.li(asm.A6, abi.SBI_HSM_START),
                asm.ECALL,
            ]
            for hart in range(1, harts)
        ),
        asm.li(asm.T0, RAM_BASE),
        asm.jalr(asm.ZERO, 0, asm.T0),
    )
    return b"".join(word.to_bytes(4, "little") for word in words)


def start(
    core: Core, machine: CData, seed: int, *, bare: bool, harts: int = 1
) -> None:
    """Boot one generated program bare, or three of them in VMs.

    Several harts execute one program in the same memory: nothing is safe from
    another's stores, neither code nor tables.
    """
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
        entry = RAM_BASE
        if harts > 1:
            assert core.lib.hv_interleave_seed(machine, seed + 1) == 0
        if bare and harts > 1:
            entry += size
            code = starter(harts)
            status = core.lib.hv_mem_write(
                machine, vm[0], entry, code, len(code)
            )
            assert status == 0
        assert core.lib.hv_vm_boot(machine, vm[0], entry, 0, 0) == 0


def final_state(
    core: Core,
    seed: int,
    pieces: list[int],
    *,
    bare: bool,
    engine: int = 0,
    harts: int = 1,
) -> int:
    """Run in pieces of so many instructions; return the state's hash."""
    machine = host(core, bare=bare, engine=engine, harts=harts)
    start(core, machine, seed, bare=bare, harts=harts)
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


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("harts", [2, 3, 8])
@pytest.mark.parametrize("seed", SEEDS[::4])
def test_several_harts(seed: int, harts: int, *, bare: bool) -> None:
    core = good_core()
    ref, fast = core.lib.HV_ENGINE_REF, core.lib.HV_ENGINE_FAST
    steps = harts * STEPS

    def state(pieces: list[int], engine: int) -> int:
        return final_state(
            core, seed, pieces, bare=bare, engine=engine, harts=harts
        )

    once = state([steps], ref)
    for engine in (ref, fast):
        assert state([*cut(seed), steps - STEPS], engine) == once


def test_gcc_and_clang_agree() -> None:
    if not {"gcc", "clang"} <= compilers().keys():
        why = f"gcc and clang are needed, found {', '.join(compilers())}"
        if os.environ.get("HV_NO_SKIP"):
            pytest.fail(why)
        pytest.skip(why)
    gcc, clang = good_core("gcc"), good_core("clang")
    for seed in SEEDS:
        for bare, harts in itertools.product([True, False], [1, 3]):
            one, other = (
                final_state(core, seed, [STEPS], bare=bare, harts=harts)
                for core in (gcc, clang)
            )
            assert one == other, f"program {seed}, {harts} harts, bare: {bare}"
