"""Every interleaving of small guests: what is found, and what is not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import hv
from hv.errors import ImageError, UsageError
from hv.explore import Ending, Exploration, Schedule, Turn, explore, replay
from hv.guest import Guest
from hv.images import find
from tests.machine import asm

pytestmark = pytest.mark.images
RACES = {
    "race-counter": Ending.FAILED,
    "race-wakeup": Ending.STUCK,
    "race-shootdown": Ending.FAILED,
}
# The fewest preemptions with which each shows.
NEEDS = {"race-counter": 1, "race-wakeup": 2, "race-shootdown": 2}


@contextmanager
def booted(image: str, engine: str = "fast") -> Iterator[hv.Machine]:
    with hv.Machine(ram="8MiB", harts=2, engine=engine) as machine:
        machine.load(find(image))
        machine.boot()
        yield machine


@contextmanager
def in_vm(image: str, style: str, harts: int = 2) -> Iterator[Guest]:
    with hv.Hypervisor(ram="16MiB", harts=harts) as host:
        vm = host.create(style=style, mem="8MiB", vcpus=2)
        vm.load(find(image))
        vm.boot()
        yield vm


@pytest.mark.parametrize("image", RACES)
def test_the_mistake_is_found_as_soon_as_the_bound_allows(image: str) -> None:
    for bound in range(3):
        with booted(image) as machine:
            found = explore(machine, bound)
        expected = RACES[image] if bound >= NEEDS[image] else Ending.DONE
        assert found.ending is expected, bound


@pytest.mark.parametrize("image", RACES)
def test_there_is_nothing_in_the_fixed_one(image: str) -> None:
    with booted(f"{image}-fixed") as machine:
        before = machine.hash()
        found = explore(machine, 2)
        assert found.ending is Ending.DONE
        assert found.schedules > 10
        assert machine.hash() == before


@pytest.mark.parametrize("style", ["emulate", "assist", "nested"])
@pytest.mark.parametrize("image", RACES)
def test_the_same_is_found_in_a_vm(image: str, style: str) -> None:
    with in_vm(image, style) as vm:
        found = explore(vm, NEEDS[image])
    # All vCPUs of a VM use the same shadows, which any one's fence brings up to
    # date: that a kernel forgets the others does not show.
    hidden = image == "race-shootdown" and style in ("emulate", "assist")
    assert found.ending is (Ending.DONE if hidden else RACES[image])
    with in_vm(f"{image}-fixed", style) as vm:
        found = explore(vm, 1, audit=True)
        assert found.ending is Ending.DONE


@pytest.mark.parametrize("image", RACES)
def test_a_schedule_replays_on_either_engine(image: str) -> None:
    with booted(image) as machine:
        found = explore(machine, NEEDS[image])
    hashes = set()
    for engine in ("fast", "ref"):
        with booted(image, engine) as machine:
            replay(machine, found.turns)
            hashes.add(machine.hash())
            if found.ending is Ending.FAILED:
                assert machine.exit_code == found.code != 0
            else:
                assert not machine.state.ended
    assert len(hashes) == 1


def test_engines_find_the_same_schedule() -> None:
    found: set[Exploration] = set()
    for engine in ("fast", "ref"):
        with booted("race-wakeup", engine) as machine:
            found.add(explore(machine, 2))
    assert len(found) == 1


def two_harts(*words: int) -> Iterator[hv.Machine]:
    with hv.Machine(ram="1MiB", harts=2) as machine:
        code = b"".join(word.to_bytes(4, "little") for word in words)
        machine.mem.write(0x80000000, code)
        machine.boot(0x80000000)
        yield machine


def test_a_guest_that_spins_for_ever_is_stuck() -> None:
    for machine in two_harts(asm.j(0)):
        assert explore(machine, 1).ending is Ending.STUCK


def test_a_guest_that_goes_on_for_ever_is_too_long() -> None:
    for machine in two_harts(asm.addi(asm.T0, asm.T0, 1), asm.j(-4)):
        assert explore(machine, 1, max_steps=100).ending is Ending.LONG


def test_no_more_schedules_than_were_asked_for() -> None:
    with booted("race-counter-fixed") as machine:
        found = explore(machine, 2, max_schedules=3)
    assert found.ending is Ending.LIMIT
    assert found.schedules == 3
    assert found.turns == ()


def test_what_cannot_be_explored() -> None:
    with hv.Machine(harts=2) as machine:
        with pytest.raises(UsageError):
            explore(machine)
        with pytest.raises(UsageError, match="bound"):
            explore(machine, 9)
        with pytest.raises(UsageError, match="max_steps"):
            explore(machine, 1, max_steps=0)


def test_schedules_are_kept_and_checked(tmp_path: Path) -> None:
    path, image = tmp_path / "s.json", find("race-counter").path
    turns = (Turn(0, 12), Turn(1, 3))
    kept = Schedule("race-counter", "bare", 2, 1 << 23, Ending.FAILED, turns)
    kept.save(path, image)
    assert Schedule.read(path) == kept
    kept.check(path, image)
    with pytest.raises(ImageError, match="another build"):
        kept.check(path, find("race-wakeup").path)
    good = json.loads(path.read_text())
    for wrong in (
        {"turns": [[2, 1]]},
        {"turns": [[0, 0]]},
        {"turns": [[0]]},
        {"harts": "two"},
        {"ending": "well"},
        {"format": "something else"},
    ):
        path.write_text(json.dumps(good | wrong))
        with pytest.raises(UsageError):
            Schedule.read(path)
    path.write_bytes(b"\xff\x00")
    with pytest.raises(UsageError, match="no schedule"):
        Schedule.read(path)
