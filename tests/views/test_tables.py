"""A page table beside its shadows: every page of both, and how they compare."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hv
from hv.facts import Role, ShadowKind
from hv.views.compared import Sync
from hv.views.tables import Row
from hv.views.walk import Verdict
from tests.views import guests as g
from tests.views.pictures import elements, golden
from tests.views.test_walk import entries

STYLES = ("emulate", "assist")


@pytest.fixture
def hand() -> Iterator[g.Hand]:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        yield g.by_hand(host, "emulate")


def some_pages(hand: g.Hand) -> None:
    """Map one page of each kind."""
    for n, entry in enumerate(
        [
            g.pte(g.DATA, g.KERNEL),
            g.pte(g.DATA + 0x1000, g.KERNEL),
            g.pte(g.DATA + 0x2000, g.V | g.R | g.W | g.A),
            g.pte(0x10000000, g.KERNEL),
            g.pte(g.DATA + 0x4000, g.KERNEL | g.U),
            0,
        ]
    ):
        hand.maps(g.page(n), entry)


def cell(table: hv.PageTable, gva: int, role: Role) -> Sync:
    """Return how a role's shadow compares at an address."""
    column = [root.made.role for root in table.roots].index(role)
    (row,) = (r for r in table.rows if r.gva <= gva <= r.last)
    return row.cells[column].state


def test_a_page_of_each_kind(hand: g.Hand) -> None:
    some_pages(hand)
    hand.does(g.NOP)
    hand.does(g.LOAD, g.page(0))
    hand.does(g.LOAD, g.page(1))
    hand.maps(g.page(1), g.pte(g.HANDLER, g.KERNEL))
    assert hv.page_table(hand.vm).text == golden("pt")


def test_what_a_shadow_has_is_told_apart(hand: g.Hand) -> None:
    some_pages(hand)
    hand.does(g.NOP)
    for n in (0, 1, 2):
        hand.does(g.LOAD, g.page(n))
    hand.maps(g.page(1), g.pte(g.HANDLER, g.KERNEL))
    hand.maps(g.page(2), g.pte(g.DATA + 0x2000, g.KERNEL))
    table = hv.page_table(hand.vm)
    for n, state in enumerate(
        [Sync.SAME, Sync.STALE, Sync.FEWER, Sync.MMIO, Sync.NONE]
    ):
        assert cell(table, g.page(n), Role.KERNEL) is state
    assert cell(table, g.TRAPS, Role.KERNEL) is Sync.MISSING
    hand.maps(g.page(0), 0)
    table = hv.page_table(hand.vm)
    assert cell(table, g.page(0), Role.KERNEL) is Sync.STALE
    assert table.counts[Sync.STALE] == 2


def test_a_watched_table_is_shown_with_fewer_rights() -> None:
    """Its own table, which is traced, a guest may not write to unseen."""
    with hv.Hypervisor(ram=g.MACHINE) as host:
        hand = g.by_hand(host, "emulate", "trace")
        hand.maps(g.page(0), g.pte(g.TABLE, g.KERNEL))
        hand.does(g.NOP)
        hand.does(g.LOAD, g.page(0))
        table = hv.page_table(hand.vm)
        assert cell(table, g.page(0), Role.KERNEL) is Sync.FEWER
        assert all(s.traced for s in table.shadows if s.number in table.here)
        seen = hv.walk(hand.vm, g.page(0), "store")
        assert seen.verdict is Verdict.MISSING
        assert "traced" in seen.real.would


def test_neighbours_are_one_row(hand: g.Hand) -> None:
    for n in range(8):
        hand.maps(g.page(1 + n), g.pte(g.DATA + (n << 12), g.KERNEL))
    table = hv.page_table(hand.vm)
    (row,) = (r for r in table.rows if r.gva == g.page(1))
    assert (row.pages, row.gpa, row.last) == (8, g.DATA, g.page(9) - 1)


def test_the_untranslated_mode_has_its_own_shadow(hand: g.Hand) -> None:
    hand.vm.cpu[0].set_reg("satp", 0)
    table = hv.page_table(hand.vm)
    assert [r.made.kind for r in table.roots] == [ShadowKind.BARE]
    assert sum(row.pages for row in table.rows) == g.SIZE >> 12
    assert table.counts[Sync.SAME] == 1  # the one instruction at the start
    assert "no translation" in table.text


def test_a_second_stage_says_where_a_page_is() -> None:
    """Whatever the guest's tables say, only what it touched is there."""
    with hv.Hypervisor(ram=g.MACHINE) as host:
        host.create(mem="64KiB")  # so that gfn and hfn differ
        hand = g.by_hand(host, "nested")
        some_pages(hand)
        hand.does(g.NOP)
        hand.does(g.LOAD, g.page(0))
        hand.does(g.STORE, g.page(4))
        table = hv.page_table(hand.vm)
        assert table.text == golden("pt-nested")
        assert table.stage2 == hand.vm.real(0).root
        assert table.roots == ()
        found = elements(table.svg)
        assert found["rect"] > len(table.rows)


touched = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([g.LOAD, g.STORE])), max_size=8
)


@given(st.lists(entries, min_size=6, max_size=6), touched, st.booleans())
def test_the_second_stage_is_as_the_machine_has_it(
    first: list[int],
    touches: list[tuple[int, int]],
    logged: bool,  # noqa: FBT001
) -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        host.create(mem="64KiB")
        hand = g.by_hand(host, "nested")
        for n, entry in enumerate(first):
            hand.maps(g.page(n), entry)
        for n, what in touches:
            hand.does(what, g.page(n))
        if logged:
            hand.vm.start_log()
        before = host.hash()
        table = hv.page_table(hand.vm)
        assert host.hash() == before
        for row in table.rows:
            for n in range(row.pages):
                agree_below(hand, row, n)


def agree_below(hand: g.Hand, row: Row, n: int) -> None:
    """Compare what is said of a page with the second stage's own entry."""
    root = hand.vm.real(0).root
    assert root is not None
    assert row.gpa is not None
    assert row.below is not None
    gpa = row.gpa + (n << 12)
    told = row.below.after(n)
    link = word(hand, root + (gpa >> 32), gpa >> 22 & 0x3FF)
    leaf = word(hand, link >> 10, gpa >> 12 & 0x3FF) if link & 1 else 0
    assert (told.hpa is not None) == bool(leaf & 1)
    if leaf & 1:
        assert told.hpa == leaf >> 10 << 12
        assert told.hpa == (hand.vm.frame_of(gpa >> 12) or 0) << 12
        assert told.rights == leaf & (g.R | g.W | g.X)
        full = bool(leaf & g.W)
        assert told.state is (Sync.SAME if full else Sync.FEWER)
    else:
        ram = g.RAM <= gpa < g.RAM + g.SIZE
        assert told.state is (Sync.MISSING if ram else Sync.MMIO)


def test_the_picture_is_well_formed(hand: g.Hand) -> None:
    some_pages(hand)
    hand.vm.name = "<&'\">"
    table = hv.page_table(hand.vm)
    found = elements(table._repr_svg_())
    assert found["rect"] > len(table.rows) * len(table.roots)
    for n in range(300):  # more rows than are drawn
        hand.maps(g.page(n), g.pte(g.DATA, g.KERNEL))
    assert "more rows" in hv.page_table(hand.vm).svg


def test_the_bare_machine_has_no_shadows() -> None:
    with (
        hv.Machine(ram="8MiB") as machine,
        pytest.raises(hv.UsageError, match="VM"),
    ):
        hv.page_table(machine)  # type: ignore[arg-type]


def test_no_such_vcpu(hand: g.Hand) -> None:
    with pytest.raises(hv.UsageError):
        hv.page_table(hand.vm, vcpu=1)


touches = st.tuples(
    st.integers(0, 5),
    st.sampled_from([g.LOAD, g.STORE]),
    st.sampled_from([0, 1]),
)


@pytest.mark.parametrize("style", STYLES)
@given(
    st.lists(entries, min_size=6, max_size=6),
    st.lists(touches, max_size=8),
    st.lists(st.tuples(st.integers(0, 5), entries), max_size=4),
)
def test_rows_agree_with_walks_and_with_machine_memory(
    style: str,
    first: list[int],
    touched: list[tuple[int, int, int]],
    changed: list[tuple[int, int]],
) -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        hand = g.by_hand(host, style)
        for n, entry in enumerate(first):
            hand.maps(g.page(n), entry)
        for n, what, priv in touched:
            hand.mode(priv)
            hand.does(what, g.page(n))
        for n, entry in changed:
            hand.maps(g.page(n), entry)
        before = host.hash()
        table = hv.page_table(hand.vm)
        assert host.hash() == before
        for n in range(6):
            agree(hand, table, g.page(n))


def agree(hand: g.Hand, table: hv.PageTable, gva: int) -> None:
    """Compare what is said of a page with what lies in machine memory."""
    rows = [r for r in table.rows if r.gva <= gva <= r.last]
    for i, root in enumerate(table.roots):
        link = word(hand, root.hfn, gva >> 22)
        leaf = word(hand, link >> 10, gva >> 12 & 0x3FF) if link & 1 else 0
        state = rows[0].cells[i].state if rows else Sync.NONE
        there = state in (Sync.SAME, Sync.FEWER, Sync.STALE)
        assert there == bool(leaf & 1)
        if not there:
            continue
        assert rows[0].cells[i].rights == leaf & (g.R | g.W | g.X | g.U)
        entry = hand.vm.mem.read32(g.slot(gva))
        frame = g.SIZE + g.RAM > entry >> 10 << 12 >= g.RAM
        same = frame and hand.vm.frame_of(entry >> 10) == leaf >> 10
        more = leaf & ~entry & (g.R | g.W | g.X)
        if state is not Sync.STALE:
            assert same
            assert not more
            assert entry & g.V
        elif same and not more:
            # The same frame and no more rights: then it is of no use to this
            # role any more, or no access has been there since A was cleared.
            role = root.made.role
            useless = bool(entry & g.U) != (role is Role.USER)
            assert (
                not entry & g.A
                or (entry ^ leaf) & g.U
                or not entry & g.V
                or (hand.vm.info.style is hv.Style.EMULATE and useless)
            )


def word(hand: g.Hand, frame: int, index: int) -> int:
    data = hand.host.read((frame << 12) + 4 * index, 4)
    return int.from_bytes(data, "little")
