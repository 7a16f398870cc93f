"""Comparing with the specification finds bugs, for the reasons they have."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hv.abi import Hypercall
from tests.equivalence.core import Core, Planted, good_core
from tests.machine import asm
from tests.memory.puppet import FIRST, PAGE
from tests.spec import test_device_access as device
from tests.spec.lives import FRAMES, A, D, Lives, R, V, W, X
from tests.spec.test_trv32 import single_words
from tests.spec.world import PAGES, Actor, host

RECORDS = Path(__file__).with_name("planted.toml")
ROOT, LEAVES = 0x80007, 0x80008


@dataclass(frozen=True, kw_only=True)
class Bug(Planted):
    """One record of planted.toml."""

    precedent: str
    property: str
    style: str
    does: Sequence[Sequence[object]]
    shows: str
    lives: bool = False


BUGS = Bug.read(RECORDS)
ALIVE = [bug for bug in BUGS if bug.lives]
if os.environ.get("HV_SANITIZED"):
    BUGS = BUGS[:2]


class Player(Actor):
    """An actor that does what a record says."""

    def play(self, what: str, *args: object) -> None:
        """Do one thing."""
        match what, args:
            case "listed", (str(name), list(words)):
                self.listed(Hypercall[name], words)
            case "calls", (int(gpa), list(records)):
                self.calls(gpa, records)
            case "word", (int(gpa), int(value)):
                self.put(gpa, value.to_bytes(4, "little"))
            case "type", (str(text),):
                self.type(text.encode())
            case "touch", (int(at),):
                self.let(asm.T0, at)
                self.execute(asm.lw(asm.T1, 0, asm.T0))
            case "pause", ():
                self.host.ok(self.lib.hv_vm_pause(self.host.raw, self.id))
                self.host.ok(self.lib.hv_vm_resume(self.host.raw, self.id))
            case "translate", ():
                self.translate()
            case "hypercall" | "make" | "let", _:
                getattr(self, what)(*args)
            case _:
                raise ValueError(what)

    def calls(self, gpa: int, records: Iterable[Sequence[int]]) -> None:
        """Make many calls at once."""
        full = [[r[0], 0, *r[1:], 0, 0, 0, 0][:6] for r in records]
        words = [word for record in full for word in record]
        self.put(gpa, b"".join(word.to_bytes(4, "little") for word in words))
        self.hypercall(Hypercall.MULTICALL, gpa, len(full))

    def translate(self) -> None:
        """Turn translation on: memory by itself, a window of one page."""
        full = V | R | W | X | A | D
        for slot, entry in (
            (ROOT * PAGE + 4 * (FIRST >> 10), FIRST << 10 | full),
            (ROOT * PAGE + 4 * 0x100, LEAVES << 10 | V),
            (LEAVES * PAGE, (FIRST + 3) << 10 | full),
        ):
            self.put(slot, entry.to_bytes(4, "little"))
        self.hypercall(Hypercall.SET_ROOT, 1 << 31 | ROOT)


def play(core: Core, bug: Bug) -> None:
    if bug.style == "BARE":
        for seed in range(5):
            single_words(core, seed, 300)
        return
    if bug.style == "DEVICES":
        for name in device.OTHERS:
            device.fits_or_faults("EMULATE", name, core)
        for case in device.TYPED:
            device.reads_what_was_typed("EMULATE", case, core)
        return
    where = host(core, FRAMES)
    player = Player(where, PAGES, bug.style)
    neighbour = Actor(where, PAGES, "PV")
    for what, *args in bug.does:
        player.play(str(what), *args)
        player.compare()
        neighbour.compare()
        where.audit()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_comparison_finds(bug: Bug) -> None:
    if bug.does:
        play(good_core(), bug)
    with pytest.raises(AssertionError) as found:
        play(bug.core(), bug)
    assert any(shows in str(found.value) for shows in bug.shows.split(" | "))


@pytest.mark.nightly
@pytest.mark.parametrize("bug", ALIVE, ids=lambda bug: bug.name)
def test_random_lives_find(bug: Bug) -> None:
    class Bugged(Lives):
        core = bug.core()

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Bugged,
            settings=settings(
                max_examples=2_000,
                stateful_step_count=50,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
            ),
        )
