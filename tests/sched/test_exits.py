"""Exits have a bound, whatever a guest asks for (P25)."""

import re
from pathlib import Path

import pytest

import hv
from hv import images
from tests.equivalence.core import Core, build, sources
from tests.machine import asm
from tests.memory.puppet import Host, Puppet
from tests.sched import cuts, programs

CSRC = Path(__file__).parents[2] / "csrc"
TICK = 10
LONGEST = (
    ("hostile-longest", "emulate", "lazy", 64),
    ("hostile-longest", "assist", "trace", 8),
    ("hostile-longest", "nested", "default", 64),
    ("hostile-pv-longest", "pv", "told", 64),
    ("hostile-pv-longest", "pv", "trace", 5),
    ("hostile-direct-churn", "direct", "default", 64),
)


def _bound() -> int:
    text = (CSRC / "hyp" / "hyp.h").read_text()
    found = re.search(r"#define EXIT_BOUND +(\d+)", text)
    assert found
    return int(found[1])


def _attacker(
    host: hv.Hypervisor, kernel: str, style: str, sync: str, pool: int
) -> hv.VM:
    vm = host.create(
        style=style,
        mem="6MiB",
        shadow_frames=pool,
        sync=sync,
        max_insns=1_000_000,
    )
    vm.load(images.find(kernel))
    vm.boot()
    return vm


@pytest.mark.parametrize(("kernel", "style", "sync", "pool"), LONGEST)
def test_no_exit_is_longer_than_its_bound(
    kernel: str, style: str, sync: str, pool: int
) -> None:
    """From coming into the hypervisor until somebody runs again."""
    lasted, begun = [0], None
    with hv.Hypervisor(ram="64MiB") as host:
        vm = _attacker(host, kernel, style, sync, pool)
        with host.watch(["exit", "enter"]) as watch:
            while not vm.state.ended:
                host.run(200_000)
                for event in watch.events:
                    if event.kind == hv.EventKind.EXIT:
                        begun = event.cycle
                    elif begun is not None:
                        lasted.append(event.cycle - begun)
                        begun = None
        host.audit()
        assert vm.exit_code == 0 or vm.state is hv.State.BUDGET
    assert 2_000 < max(lasted) <= _bound()


@pytest.mark.parametrize(
    ("kernel", "style", "sync", "pool"),
    [attack for attack in LONGEST if attack[1] != "direct"],
)
def test_a_slot_is_on_time_beside_the_longest_exits(
    kernel: str, style: str, sync: str, pool: int
) -> None:
    with hv.Hypervisor(ram="64MiB", policy="slots") as host:
        victim = host.create(style="assist", mem="1MiB")
        other = _attacker(host, kernel, style, sync, pool)
        # Lengths without a common measure: slots end anywhere in its exits.
        host.slots([(victim, 1_511), (other, 2_003)])
        programs.load(victim, programs.hog())
        begun = 0
        with host.watch(["slot"]) as watch:
            while not other.state.ended:
                host.run(200_000)
                for event in watch.events:
                    assert event.arg == 0, "late"
                    begun += event.vm == victim.number
        assert begun > 50


def test_what_is_assumed_is_the_bound() -> None:
    for file, name in (("slots.c", "PAD_EXIT"), ("edf_admit.c", "EDF_EXIT")):
        text = (CSRC / "sched" / file).read_text()
        assert re.search(rf"#define {name} +{_bound()}\n", text), name
    assert _bound() == cuts.EXIT_BOUND


@pytest.fixture(scope="module")
def core() -> Core:
    return Core(build(sources()))


def test_a_long_call_is_cut(core: Core) -> None:
    cuts.a_long_call_is_cut(core)


def test_forged_progress_is_checked(core: Core) -> None:
    cuts.forged_progress_is_checked(core)


def test_in_pieces_as_at_once(core: Core) -> None:
    cuts.in_pieces_as_at_once(core)


def test_every_character_is_one(core: Core) -> None:
    """Also one whose number is that of an error which no guest is to see."""
    puppet = Puppet(Host(core, 256), 8)
    for char in (0, 1, 2, 255):
        data = bytes([char])
        raw, number = puppet.host.raw, puppet.id
        assert puppet.lib.hv_console_give(raw, number, data, 1) == 1
        puppet.call(0, extension=2)  # legacy getchar
        assert puppet.get(asm.A0) == char
