"""The way of one address: what is said, and whether it is so."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hv
from hv import images
from hv.facts import Fault
from hv.views.frames import Use
from hv.views.walk import Verdict
from tests.views import guests as g
from tests.views.pictures import elements, golden

STYLES = ("emulate", "assist")


@pytest.fixture(params=STYLES)
def hand(request: pytest.FixtureRequest) -> Iterator[g.Hand]:
    """A guest made by hand, in each style that it can run in."""
    with hv.Hypervisor(ram=g.MACHINE) as host:
        yield g.by_hand(host, request.param)


@pytest.fixture
def emulated() -> Iterator[g.Hand]:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        yield g.by_hand(host, "emulate")


def test_a_way_that_the_machine_finds(emulated: g.Hand) -> None:
    emulated.maps(g.page(0), g.pte(g.DATA, g.KERNEL))
    emulated.does(g.NOP)
    emulated.does(g.STORE, g.page(0) + 0x124)
    seen = hv.walk(emulated.vm, g.page(0) + 0x124, "store")
    assert seen.text == golden("walk-ok")


def test_a_way_that_it_does_not_know_yet(emulated: g.Hand) -> None:
    emulated.maps(g.page(0), g.pte(g.DATA, g.V | g.R | g.W | g.A))
    emulated.does(g.NOP)
    seen = hv.walk(emulated.vm, g.page(0))
    assert seen.text == golden("walk-missing")


WAYS: dict[str, tuple[int, str, Verdict, str]] = {
    # the guest's entry, the access, the verdict, why
    "not valid": (0, "load", Verdict.FAULT, "13: V is clear"),
    "reserved": (g.V | g.W, "load", Verdict.FAULT, "W without R is reserved"),
    "pointer": (g.V, "fetch", Verdict.FAULT, "12: a pointer at level 0"),
    "no W": (g.V | g.R, "store", Verdict.FAULT, "15: W is clear: no store"),
    "no X": (g.V | g.R, "fetch", Verdict.FAULT, "12: X is clear: no fetch"),
    "no R": (g.V | g.X, "load", Verdict.FAULT, "13: R is clear: no load"),
    "user's": (g.V | g.R | g.U, "load", Verdict.FAULT, "SUM is clear"),
    "user's code": (g.V | g.X | g.U, "fetch", Verdict.FAULT, "U is set"),
    "device": (
        g.pte(0x10000000, g.KERNEL),
        "load",
        Verdict.MMIO,
        "a device answers",
    ),
    "code of a device": (
        g.pte(0x10000000, g.KERNEL),
        "fetch",
        Verdict.OUTSIDE,
        "1: nothing answers a fetch at 10000000",
    ),
    "outside": (
        g.pte(0x90000000, g.KERNEL),
        "load",
        Verdict.OUTSIDE,
        "5: nothing answers a load at 90000000",
    ),
    "beyond 32 bits": (
        0xFFFFFC00 | g.KERNEL,
        "store",
        Verdict.OUTSIDE,
        "7: nothing answers a store at 3fffff000",
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_why_there_is_no_way(hand: g.Hand, name: str) -> None:
    entry, access, verdict, why = WAYS[name]
    hand.maps(g.page(0), entry)
    seen = hv.walk(hand.vm, g.page(0), access)
    assert seen.verdict is verdict
    assert why in seen.outcome
    assert seen.text.endswith(seen.outcome)


def test_a_stale_entry_is_called_so(hand: g.Hand) -> None:
    hand.maps(g.page(0), g.pte(g.DATA, g.KERNEL))
    hand.does(g.NOP)
    hand.does(g.LOAD, g.page(0))
    assert hv.walk(hand.vm, g.page(0)).verdict is Verdict.OK
    hand.maps(g.page(0), g.pte(g.HANDLER, g.KERNEL))
    assert hv.walk(hand.vm, g.page(0)).verdict is Verdict.STALE
    hand.maps(g.page(0), 0)
    assert hv.walk(hand.vm, g.page(0)).verdict is Verdict.STALE


def test_a_megapage_is_walked_in_one_step(hand: g.Hand) -> None:
    where = g.VIRTUAL + (4 << 20)
    hand.maps(where, g.pte(g.MEGA, g.KERNEL), level=1)
    hand.does(g.NOP)
    hand.does(g.LOAD, where + 0x5678)
    seen = hv.walk(hand.vm, where + 0x5678)
    assert seen.verdict is Verdict.OK
    assert [e.level for e in seen.own.entries] == [1]
    assert seen.own.result == g.MEGA + 0x5678
    assert [e.level for e in seen.real.lookup.entries] == [1, 0]
    hand.maps(where, g.pte(g.MEGA + 0x1000, g.KERNEL), level=1)
    assert "aligned" in hv.walk(hand.vm, where).own.why


def test_memory_outside_where_a_table_should_be(hand: g.Hand) -> None:
    where = g.VIRTUAL + (4 << 20)
    hand.maps(where, g.pte(0x90000000, g.V), level=1)
    seen = hv.walk(hand.vm, where)
    assert (seen.verdict, seen.cause) == (Verdict.OUTSIDE, 5)
    assert "no memory" in seen.text


def test_the_bare_machine_walks_the_tables_themselves() -> None:
    with hv.Machine(ram="8MiB") as machine:
        machine.mem.write32(g.slot(g.VIRTUAL, 1), g.pte(g.MEGA, g.KERNEL))
        machine.boot(g.RAM)
        machine.cpu[0].set_reg("satp", g.SATP)
        seen = hv.walk(machine, g.VIRTUAL + 8, "fetch")
        assert seen.verdict is Verdict.OK
        assert seen.hpa == seen.own.result == g.MEGA + 8
        assert "no hypervisor" in seen.text
        assert elements(seen.svg)["svg"] == 1
        machine.mem.write32(g.slot(g.VIRTUAL, 1), 0)
        assert hv.walk(machine, g.VIRTUAL).verdict is Verdict.FAULT
        machine.cpu[0].set_reg("satp", 0)
        assert hv.walk(machine, 0x10000000).verdict is Verdict.MMIO
        assert hv.walk(machine, 0x02000000).verdict is Verdict.MMIO
        assert hv.walk(machine, 0x40000000).verdict is Verdict.OUTSIDE


@pytest.mark.parametrize("name", WAYS)
def test_the_picture_is_well_formed(emulated: g.Hand, name: str) -> None:
    emulated.vm.name = "<&'\">"
    emulated.maps(g.page(0), WAYS[name][0])
    found = elements(hv.walk(emulated.vm, g.page(0))._repr_svg_())
    assert found["svg"] == 1
    assert found["rect"] > 10


def test_wrong_arguments(emulated: g.Hand) -> None:
    bad: list[dict[str, Any]] = [
        {"gva": -1},
        {"gva": 1 << 32},
        {"gva": "no_such_symbol"},
        {"gva": 0, "access": "jump"},
        {"gva": 0, "vcpu": 1},
    ]
    for args in bad:
        with pytest.raises(hv.UsageError):
            hv.walk(emulated.vm, **args)


def test_a_second_stage_is_three_lookups() -> None:
    """Two for the guest's tables, which lie in guest memory, one for the page:
    what the guest never touched is missing, and filled from the p2m.
    """
    with hv.Hypervisor(ram="8MiB") as host:
        hand = g.by_hand(host, "nested")
        hand.maps(g.page(0), g.pte(g.DATA, g.KERNEL))
        hand.does(g.NOP)
        seen = hv.walk(hand.vm, g.page(0) + 4)
        assert seen.verdict is Verdict.MISSING
        hand.does(g.LOAD, g.page(0) + 4)
        seen = hv.walk(hand.vm, g.page(0) + 4)
        assert seen.verdict is Verdict.OK
        assert [e.level for e in seen.real.lookup.entries] == [1, 0] * 3
        assert seen.real.lookup.result == seen.hpa
        assert "hgatp" in seen.text
        assert elements(seen.svg)["svg"] == 1
        hand.maps(g.page(1), g.pte(0x10000000, g.KERNEL))
        assert hv.walk(hand.vm, g.page(1)).verdict is Verdict.MMIO
        hand.maps(g.page(2), 0)
        fault = hv.walk(hand.vm, g.page(2))
        assert (fault.verdict, fault.cause) == (Verdict.FAULT, 13)
        assert hv.page_table(hand.vm).roots == ()
        table = hv.frame_map(host).totals
        assert table["hypervisor"][Use.STAGE2] == 4 + 1  # root and one table


@pytest.mark.images
def test_tables_that_name_machine_frames() -> None:
    """Style direct: the second VM of a machine, so that they differ."""
    if "kernel-pv" not in images.available():
        pytest.skip(f"no guest images: {images.missing()}")
    with hv.Hypervisor(ram="40MiB") as host:
        host.create(mem="1MiB", style="direct")
        vm = host.create(name="direct", style="direct")
        vm.load(images.find("kernel-pv"), append="quiet")
        vm.boot()
        vm.breakpoints.add("schedule")
        for _ in range(3):
            vm.run_until("break")
            pc = vm.cpu[0].pc
            for address, access in ((pc, "fetch"), (pc, "store"), (0, "load")):
                seen = hv.walk(vm, address, access)
                check(g.Hand(host, vm), seen, access)
            vm.step()
        seen = hv.walk(vm, pc, "fetch")
        assert seen.verdict is Verdict.OK
        own, real = (x.entries for x in (seen.own, seen.real.lookup))
        assert [e.value for e in own] == [e.value for e in real]
        assert [e.address for e in own] != [e.address for e in real]
        assert all(vm.mem.read32(e.address) == e.value for e in own)
        (row,) = (r for r in hv.page_table(vm).rows if r.gva <= pc <= r.last)
        assert row.gpa == row.gva
        vm.start_log()  # from here on, on shadows of them
        seen = hv.walk(vm, pc, "fetch")
        assert (seen.verdict, seen.real.title) == (
            Verdict.MISSING,
            "shadow tables",
        )
        assert [e.value for e in seen.own.entries] == [e.value for e in own]
        vm.step()
        for access in ("fetch", "load", "store"):
            check(g.Hand(host, vm), hv.walk(vm, pc, access), access)
        assert hv.walk(vm, pc, "fetch").verdict is Verdict.OK
        assert len(hv.page_table(vm).roots) == 1


# -- against the machine -------------------------------------------------------

PAGES = range(6)
names = st.sampled_from(
    [g.DATA, g.HANDLER, g.TABLE, g.MEGA, g.MEGA + 0x1000, 0x10000000,
     0x90000000]
)  # fmt: skip
bits = st.sampled_from(
    [g.KERNEL, g.KERNEL | g.U, g.V | g.R | g.A, g.V | g.X | g.A,
     g.V | g.X | g.U, g.V | g.R | g.W, g.V | g.R | g.W | g.U | g.A,
     g.V | g.R | g.W | g.A | g.D]
) | st.integers(0, 255)  # fmt: skip
entries = st.builds(g.pte, names, bits)
ACCESSES = {"load": g.LOAD, "store": g.STORE}
steps = st.tuples(
    st.sampled_from([None, *PAGES]),  # an entry to change first, or none
    entries,
    st.booleans(),  # a fence after that
    st.sampled_from(PAGES),  # the page to touch
    st.sampled_from(sorted(ACCESSES)),
    st.sampled_from([0, 1]),  # in U, in S
    st.sampled_from([0, g.SUM, g.MXR, g.SUM | g.MXR]),
)


def on_machine(host: hv.Hypervisor, satp: int, gva: int) -> int | None:
    """Walk as the machine does, rights aside, with its memory alone."""
    table = satp << 12 & 0xFFFFFFFF
    for shift in (22, 12):
        at = table + 4 * (gva >> shift & 0x3FF)
        entry = int.from_bytes(host.read(at, 4), "little")
        if not entry & 1:
            return None
        table = entry >> 10 << 12
    return table | gva & 0xFFF


def check(hand: g.Hand, seen: hv.Walk, access: str) -> None:
    """Compare a walk with hv_translate, hv_p2m and machine memory."""
    told = hand.vm.translate(seen.gva, access)
    if isinstance(told, Fault):
        assert (seen.own.result, seen.cause) == (None, told.cause)
    else:
        assert (seen.own.result, seen.cause) == (told, None)
        gfn = told >> 12
        ram = hand.vm.mem.base >> 12 <= gfn < hand.vm.mem.end >> 12
        frame = hand.vm.frame_of(gfn) if ram else None
        assert (seen.hpa and seen.hpa >> 12) == frame
    real = hand.vm.real()
    found = seen.real.lookup.result
    if found is not None:
        assert found == on_machine(hand.host, real.satp, seen.gva)


@pytest.mark.parametrize(
    ("style", "sync"),
    [(style, sync) for style in STYLES for sync in ("lazy", "trace")],
)
@given(st.lists(entries, min_size=6, max_size=6), st.lists(steps, max_size=12))
def test_what_is_said_comes_true(
    style: str,
    sync: str,
    first: list[int],
    todo: list[tuple[int | None, int, bool, int, str, int, int]],
) -> None:
    """A guest touches pages through random tables. A walk said before each
    access whether there would be an exit, and what its cause would be.
    """
    with hv.Hypervisor(ram=g.MACHINE) as host:
        hand = g.by_hand(host, style, sync)
        for n, entry in enumerate(first):
            hand.maps(g.page(n), entry)
        for change, entry, fence, n, access, priv, sstatus in todo:
            if change is not None:
                hand.maps(g.page(change), entry)
            hand.mode(priv, sstatus)
            if fence:
                hand.vm.cpu[0].set_reg("satp", 0)
                hand.vm.cpu[0].set_reg("satp", g.SATP)
            hand.does(g.NOP)  # so that fetching is no exit any more
            code = g.KCODE if priv else g.UCODE
            if hv.walk(hand.vm, code, "fetch").verdict is Verdict.FAULT:
                return  # it has stored to the entry of its own code
            before = hand.vm.counters
            seen = hv.walk(hand.vm, g.page(n), access)
            check(hand, seen, access)
            hand.does(ACCESSES[access], g.page(n))
            count = hand.vm.counters - before
            silent = seen.verdict in (Verdict.OK, Verdict.STALE)
            assert count["exits"] == (0 if silent else 1)
            if seen.verdict in (Verdict.FAULT, Verdict.OUTSIDE):
                assert hand.vm.cpu[0].reg("scause") == seen.cause
                assert count["exit_fault"] == 1
            elif seen.verdict is Verdict.MMIO:
                assert count["exit_mmio"] == 1
            host.audit()
