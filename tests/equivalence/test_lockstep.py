"""A guest cannot tell a VM from the machine: random privileged programs.

Each program runs on the bare machine (with its native firmware) and in a VM of
a style whose kernel does not know, step by step, and after every step these
are equal: x0-x31, pc, mode, every CSR of a kernel (sstatus, sie, sip, stvec,
sscratch, sepc, scause, stval, satp, scounteren, time, cycle, instret), all of
memory, and at the end how it ended and what it wrote to its console.
csrc/api/lockstep.c lists the three things that need not be equal, with reasons.
Time is equal because only instructions take any: see Core.config().

Programs come from csrc/api/privgen.c. Fenced ones must agree exactly, A and D
bits included. Unfenced ones may part over a stale translation, as far as
hv/spec allows: judge.py. A failure prints the program, made smaller.
"""

import os

import pytest

from tests.equivalence.core import Core, good_core
from tests.equivalence.lockstep import (
    MOVES,
    NOP,
    RAM_BASE,
    SHARES,
    UNFENCED,
    Lockstep,
)

SANITIZED = bool(os.environ.get("HV_SANITIZED"))
CHUNK = 250 if SANITIZED else 1200
# The styles whose kernel does not know, as hv.h has them.
NATIVE = ["EMULATE", "ASSIST", "NESTED"]
SHADOWED = ["EMULATE", "ASSIST"]


@pytest.fixture(scope="module")
def core() -> Core:
    return good_core()


def check(lockstep: Lockstep, first: int, count: int) -> None:
    """Run programs; fail with a report."""
    found = lockstep.run(first, count)
    if found:
        pytest.fail(lockstep.report(found), pytrace=False)


@pytest.mark.parametrize("style", NATIVE)
@pytest.mark.parametrize("chunk", range(4))
def test_fenced_programs_are_the_same_in_a_vm(
    core: Core, style: str, chunk: int
) -> None:
    lockstep = Lockstep(core, style=style)
    check(lockstep, chunk * CHUNK, CHUNK)
    done = lockstep.coverage()
    assert done.programs == CHUNK
    assert done.stale == 0
    assert done.legal <= CHUNK / 200


@pytest.mark.parametrize(
    "config",
    [
        {"ad_fault": 1},
        {"time_div": 7},
        {"fill": 0xA5},
        {"engine": 0},
        {"asid_bits": 0},
    ],
    ids=lambda config: next(iter(config)),
)
@pytest.mark.parametrize("style", NATIVE)
def test_fenced_programs_with_other_options(
    core: Core, style: str, config: dict[str, int]
) -> None:
    lockstep = Lockstep(core, style=style)
    for name, value in config.items():
        setattr(lockstep.config, name, value)
    check(lockstep, 1_000_000, CHUNK // 5)


@pytest.mark.parametrize("style", NATIVE)
@pytest.mark.parametrize("ad_fault", [0, 1])
def test_unfenced_programs_part_only_where_the_spec_allows(
    core: Core, style: str, ad_fault: int
) -> None:
    lockstep = Lockstep(core, style=style, flags=UNFENCED, ad_fault=ad_fault)
    count = 125 if SANITIZED else 1250  # few part at all
    check(lockstep, 2_000_000, count)
    done = lockstep.coverage()
    assert done.stale + SANITIZED > 0
    assert done.stale < count / 10


@pytest.mark.parametrize("sync", ["TRACE", "TRACE_STRICT"])
@pytest.mark.parametrize("style", SHADOWED)
@pytest.mark.parametrize("flags", [0, UNFENCED])
def test_shadows_that_follow_every_store(
    core: Core, style: str, sync: str, flags: int
) -> None:
    lockstep = Lockstep(core, style=style, sync=sync, flags=flags)
    check(lockstep, 6_000_000, CHUNK // 2)
    assert lockstep.coverage().vm["exit_trace"] >= CHUNK // 4
    check(
        Lockstep(core, style=style, sync=sync, flags=flags, audit=1),
        7_000_000,
        CHUNK // 20,
    )


@pytest.mark.parametrize("ad_fault", [0, 1])
def test_a_change_of_style_does_not_show(core: Core, ad_fault: int) -> None:
    lockstep = Lockstep(core, flags=MOVES, ad_fault=ad_fault)
    check(lockstep, 5_000_000, CHUNK)
    done = lockstep.coverage()
    assert done.legal <= CHUNK / 50


@pytest.mark.parametrize("style", NATIVE)
@pytest.mark.parametrize("flags", [SHARES, SHARES | MOVES])
def test_sharing_and_logging_do_not_show(
    core: Core, style: str, flags: int
) -> None:
    """Equal pages are merged, and the log begun anew, between the steps.

    After each fetch of the log, memory is what it was at the one before, but
    for the pages that were noted, whoever wrote: P37.
    """
    lockstep = Lockstep(core, style=style, flags=flags)
    check(lockstep, 8_000_000, CHUNK // 2)
    done = lockstep.coverage()
    # An SC after a fault that only sharing caused has lost its reservation.
    assert done.legal <= done.programs / 10
    assert done.vm["unshared"] > done.programs
    assert done.vm["dirtied"] > done.programs
    check(
        Lockstep(core, style=style, flags=flags, audit=1),
        *(8_500_000, CHUNK // 20),
    )


@pytest.mark.parametrize("style", NATIVE)
@pytest.mark.parametrize("flags", [0, UNFENCED])
def test_the_audit_holds_after_every_exit(
    core: Core, style: str, flags: int
) -> None:
    lockstep = Lockstep(core, style=style, audit=1, flags=flags)
    check(lockstep, 3_000_000, CHUNK // 10)


def test_the_programs_do_what_they_are_for(core: Core) -> None:
    """Without this, the other tests could pass by testing little."""
    lockstep = Lockstep(core)
    check(lockstep, 4_000_000, 1000)
    done = lockstep.coverage()
    # Every exception that S-mode can get, from its first to its last page.
    assert set(done.traps) == {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15}
    assert min(done.traps.values()) >= 20
    assert set(done.irqs) == {1, 5, 9}
    assert min(done.irqs.values()) >= 100
    assert done.steps > 100 * done.programs
    assert (
        min(
            done.vm[name]
            for name in (
                *(
                    "exit_sbi",
                    "exit_csr",
                    "exit_sret",
                    "exit_fence",
                    "exit_wfi",
                ),
                *("exit_syscall", "exit_shadow", "exit_fault", "exit_mmio"),
                *("exit_error", "exit_timer", "shadow_drops"),
                *("shadow_evictions", "ad_updates"),
            )
        )
        >= 100
    )


def program(*words: int) -> bytes:
    """Return an image of these words, and an endless loop behind."""
    code = b"".join(w.to_bytes(4, "little") for w in (*words, 0x0000006F))
    return code.ljust(0x2_0000, b"\0")


def test_a_guest_may_sleep_almost_until_the_end_of_time(core: Core) -> None:
    """The end of its next time slice once lay beyond it, and wrapped."""
    lockstep = Lockstep(core)
    image = program(
        0x80000537,  # lui a0, 0x80000
        0xFFF00593,  # addi a1, zero, -1
        0x00000893,  # addi a7, zero, 0
        0x00000073,  # ecall: set_timer
        0x02000293,  # addi t0, zero, 0x20
        0x1042A073,  # csrs sie, t0
        0x10500073,  # wfi
        *[NOP] * 8,
    )
    assert lockstep.again(0, image) is None


def test_a_difference_is_reported_readably(core: Core) -> None:
    """Two images that differ in one instruction stand for a bug."""
    lockstep = Lockstep(core)
    found = lockstep.again(0, program(NOP, NOP))
    assert found is None
    pair = lockstep.pair(0, program(NOP, NOP, NOP))
    word = (0x00100293).to_bytes(4, "little")  # addi t0, zero, 1
    core.lib.hv_mem_write(pair.host, pair.vm, RAM_BASE + 4, word, 4)
    out = core.ffi.new("struct hv_divergence *")
    pair.lockstep(10, out)
    text = str(lockstep.explain(out))
    assert "step 1: x5 is 00000000 bare and 00000001 in the VM" not in text
    assert "memory at 80000004" in text


@pytest.mark.nightly
@pytest.mark.parametrize("chunk", range(20))
def test_a_million_fenced_programs(core: Core, chunk: int) -> None:
    check(
        Lockstep(core, ad_fault=chunk % 4 == 3), 10**7 + chunk * 50_000, 50_000
    )


@pytest.mark.nightly
@pytest.mark.parametrize("chunk", range(8))
def test_many_unfenced_programs(core: Core, chunk: int) -> None:
    lockstep = Lockstep(core, flags=UNFENCED, ad_fault=chunk % 2)
    check(lockstep, 10**8 + chunk * 10_000, 10_000)
