"""What a change of the page tables costs in each way of following them."""

import pytest

import hv
from tests.control import programs
from tests.machine.asm import program
from tests.memory import updates
from tests.memory.updates import FRAMES, LEAVES, LIST, RAM, ROOT, R, V, pte

PAGES = 256
SET_ROOT, PT_UPDATE, BATCH = 5, 7, 64
NATIVE = ["emulate", "assist"]


def run(
    code: list[int], *, style: str, sync: str = "default", pool: int = 16
) -> hv.Counters:
    """Run a kernel over the tables of updates.py; return what was counted."""
    with hv.Hypervisor(ram="16MiB") as hypervisor:
        vm = hypervisor.create(
            style=style, sync=sync, mem="4MiB", shadow_frames=pool
        )
        updates.tables(vm, PAGES)
        words = program(code, programs.off())
        vm.mem.write(
            hv.GuestPhys(RAM), b"".join(w.to_bytes(4, "little") for w in words)
        )
        vm.boot(RAM)
        vm.run_until("halt")
        vm.check()
        hypervisor.audit()
        for n in range(PAGES):
            assert vm.mem.read32(hv.GuestPhys(LEAVES + 4 * n)) & updates.W == 0
        return vm.counters


def native(change: list[int]) -> list[int]:
    """Make a kernel that touches every page and then changes all entries."""
    return program(updates.translate(), updates.touch(PAGES), change)


@pytest.mark.parametrize("style", NATIVE)
def test_strictly_traced_each_update_is_one_exit(style: str) -> None:
    count = run(native(updates.update(PAGES)), style=style, sync="trace-strict")
    assert count["exit_trace"] == PAGES


@pytest.mark.parametrize("style", NATIVE)
def test_traced_a_table_costs_one_exit_for_each_fence(style: str) -> None:
    count = run(native(updates.update(PAGES)), style=style, sync="trace")
    assert count["exit_trace"] == 1
    fenced = native(updates.update(PAGES, fence_each=True))
    count = run(fenced, style=style, sync="trace")
    assert count["exit_trace"] == PAGES


@pytest.mark.parametrize("style", NATIVE)
def test_lazily_a_store_to_a_table_is_not_even_seen(style: str) -> None:
    count = run(native(updates.update(PAGES)), style=style, sync="lazy")
    assert count["exit_trace"] == 0
    assert count["shadow_syncs"] + count["shadow_drops"] > 0


@pytest.mark.parametrize("style", NATIVE)
@pytest.mark.parametrize("sync", ["lazy", "trace", "trace-strict"])
def test_lr_and_sc_on_a_table_make_progress(style: str, sync: str) -> None:
    count = run(native(updates.update_with_sc(PAGES)), style=style, sync=sync)
    # An SC is never emulated: the table goes out of sync at the first one.
    assert count["exit_trace"] == (0 if sync == "lazy" else 1)


def test_told_a_batch_of_updates_is_one_exit() -> None:
    entries = b"".join(
        (LEAVES + 4 * n).to_bytes(4, "little")
        + pte(FRAMES + n * 0x1000, V | R | 64).to_bytes(4, "little")
        for n in range(PAGES)
    )
    code = program(
        updates.hypercall(SET_ROOT, updates.SV32 | ROOT >> 12),
        updates.touch(PAGES),
        *(
            updates.hypercall(PT_UPDATE, LIST + 8 * n, BATCH)
            for n in range(0, PAGES, BATCH)
        ),
    )
    with hv.Hypervisor(ram="16MiB") as hypervisor:
        vm = hypervisor.create(style="pv", mem="4MiB", shadow_frames=16)
        updates.tables(vm, PAGES)
        vm.mem.write(hv.GuestPhys(LIST), entries)
        words = program(code, updates.hypercall(14, 0), programs.SPIN)
        vm.mem.write(
            hv.GuestPhys(RAM), b"".join(w.to_bytes(4, "little") for w in words)
        )
        vm.boot(RAM)
        vm.run_until("halt")
        vm.check()
        hypervisor.audit()
        count = vm.counters
    assert count["exit_hypercall"] == 1 + PAGES // BATCH + 1
    assert count["exit_trace"] == 0
