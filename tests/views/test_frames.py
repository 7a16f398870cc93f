"""Who owns each frame: the map, and totals that add up."""

from itertools import pairwise

import pytest

import hv
from hv.facts import ShadowKind
from hv.views.frames import FREE, Use
from tests.views import guests as g
from tests.views.pictures import elements, golden


def test_a_machine_of_one_guest() -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        hand = g.by_hand(host, "emulate")
        hand.does(g.NOP)
        assert hv.frame_map(host).text == golden("frames")


def test_totals_add_up_and_are_those_of_the_hypervisor() -> None:
    with hv.Hypervisor(ram="10MiB") as host:
        for name, style in (("one", "emulate"), ("two", "assist")):
            vm = host.create(name=name, style=style, mem="4MiB")
            vm.mem.write(g.RAM, bytes(4) * 4096)
            vm.boot(g.RAM)
        host.run(100)
        before = host.hash()
        frames = hv.frame_map(host)
        assert host.hash() == before
        info = host.info
        totals = frames.totals
        sums = {name: sum(by.values()) for name, by in totals.items()}
        assert sum(sums.values()) == info.frames == frames.count
        assert sums["free"] == info.frames_free
        assert sums["hypervisor"] == info.frames_hyp
        for vm in host.vms:
            assert sums[vm.name] == vm.info.frames
        shadows = sum(by[Use.SHADOW] for by in totals.values())
        assert shadows == sum(vm.info.shadow_frames for vm in host.vms)
        assert frames.reserved == info.frames_reserved


def test_runs_are_the_frame_table_without_gaps() -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        g.by_hand(host, "emulate").does(g.NOP)
        frames = hv.frame_map(host)
        for left, right in pairwise(frames.runs):
            assert left.first + left.count == right.first
        owners = [run.owner for run in frames.runs for _ in range(run.count)]
        assert owners == [frame.owner for frame in host.frames()]
        uses = [run.use for run in frames.runs for _ in range(run.count)]
        shadows = [frame.shadow for frame in host.frames()]
        assert [use is Use.SHADOW for use in uses] == shadows
        tables = {
            frames.first + i for i, u in enumerate(uses) if u is Use.TABLE
        }
        vm = host.vms[0]
        assert tables == {vm.frame_of(g.ROOT >> 12), vm.frame_of(g.TABLE >> 12)}


@pytest.mark.parametrize("cell", [0, 1, 2, 7, 64, 1 << 20])
def test_a_map_of_any_scale_shows_every_frame(cell: int) -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        g.by_hand(host, "emulate").does(g.NOP)
        frames = hv.frame_map(host, cell=cell)
        squares = frames.squares()
        assert len(squares) == -(-frames.count // frames.cell)
        assert squares[0].whose != FREE
        if cell == 1:
            assert not any(square.mixed for square in squares)
        assert elements(frames.svg)["rect"] >= len(squares)
        assert all(len(line) <= 80 for line in frames.text.splitlines())


def test_a_destroyed_vm_leaves_the_map() -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        hand = g.by_hand(host, "emulate")
        hand.vm.destroy()
        frames = hv.frame_map(host)
        assert [owner.name for owner in frames.owners] == ["free", "hypervisor"]
        assert frames.totals["free"][Use.FREE] == frames.count
        assert "<" not in frames.text


def test_many_vms_and_their_names() -> None:
    with hv.Hypervisor(ram="32MiB") as host:
        for i in range(60):
            vm = host.create(name=f"<{i}&>", mem="64KiB", shadow_frames=4)
            vm.mem.write32(g.RAM, 1)
        frames = hv.frame_map(host)
        assert elements(frames.svg)["svg"] == 1
        assert len(frames.owners) == 62
        assert all(
            by[Use.PLAIN] == 1 for by in list(frames.totals.values())[2:]
        )


def test_a_cell_out_of_range() -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host, pytest.raises(hv.UsageError):
        hv.frame_map(host, cell=-1)


def test_the_reverse_map_is_what_shadows_say() -> None:
    """Every valid entry of every shadow is found from the frame it names."""
    with hv.Hypervisor(ram=g.MACHINE) as host:
        hand = g.by_hand(host, "emulate")
        hand.maps(g.page(0), g.pte(g.DATA, g.KERNEL))
        hand.maps(g.page(1), g.pte(g.DATA, g.KERNEL))
        hand.does(g.NOP)
        hand.does(g.STORE, g.page(0))
        hand.does(g.LOAD, g.page(1))
        said = set()
        for shadow in hand.vm.shadows():
            table = host.read(shadow.hfn << 12, 4096)
            words = [
                int.from_bytes(table[i : i + 4], "little")
                for i in range(0, 4096, 4)
            ]
            assert sum(w & 1 for w in words) == shadow.entries
            said |= {
                (w >> 10, shadow.number, i, w)
                for i, w in enumerate(words)
                if w & 1
            }
        found = {
            (frame.number, e.shadow, e.index, e.pte)
            for frame in host.frames()
            for e in host.named_by(frame.number)
        }
        assert found == said
        for frame in host.frames():
            assert frame.entries == len(host.named_by(frame.number))
            assert frame.foreign == 0


@pytest.mark.parametrize("style", ["emulate", "assist", "nested"])
def test_looking_changes_nothing(style: str) -> None:
    """A run with every view between its pieces is the run without."""

    def run(*, look: bool) -> int:
        with hv.Hypervisor(ram="8MiB") as host:
            hand = g.by_hand(host, style)
            for n in range(3):
                hand.maps(g.page(n), g.pte(g.DATA, g.KERNEL))
            for n in range(3):
                hand.does(g.STORE, g.page(n))
                if look:
                    before = host.hash()
                    hv.walk(hand.vm, g.page(n))
                    hv.page_table(hand.vm)
                    for run in hv.frame_map(host).runs:
                        host.named_by(run.first)
                    assert host.hash() == before
                    host.audit()
            return host.hash()

    assert run(look=True) == run(look=False)


def test_what_a_vcpu_runs_on() -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host:
        hand = g.by_hand(host, "emulate")
        hand.does(g.NOP)
        real = hand.vm.real()
        assert real.running
        assert real.priv is hv.Priv.U
        assert hand.vm.cpu[0].priv is hv.Priv.S
        (root,) = (s for s in hand.vm.shadows() if s.number == real.shadow)
        assert root.made == real.wants
        assert root.made.kind is ShadowKind.ROOT
        assert (root.made.gfn, root.holds) == (g.ROOT >> 12, 1)
        assert real.satp & 0x3FFFFF == root.hfn
        assert root.asid == real.satp >> 22 & 0x1FF
        hand.vm.pause()
        real = hand.vm.real()
        assert (real.running, real.satp, real.shadow) == (False, 0, root.number)
        with pytest.raises(hv.UsageError):
            hand.vm.real(1)
        hand.vm.change_style("assist")
        assert hand.vm.real().priv is hv.Priv.S


@pytest.mark.parametrize("address", [0, 0x7FFFFFFF, g.RAM + (5 << 20) - 3, -1])
def test_memory_that_the_machine_has_not(address: int) -> None:
    with hv.Hypervisor(ram=g.MACHINE) as host, pytest.raises(hv.UsageError):
        host.read(address, 4)
