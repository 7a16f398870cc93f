"""The computers of lab 2: the machine itself, and those that never were."""

from dataclasses import replace

import pytest

from hv.errors import UsageError
from hv.labs.computers import (
    INSTRUCTIONS,
    SPP,
    STATES,
    SUM,
    Computer,
    Sin,
    State,
)

READ, LOST = Sin("reads"), Sin("nothing")
LEAKS = {
    "csrr a1, sstatus": READ,
    "csrrs a1, sstatus, a2": READ,
    "csrr a1, satp": READ,
    "csrw sstatus, a2": LOST,
    "csrci sstatus, 2": LOST,
    "csrw satp, a2": LOST,
    "sret": LOST,
}
EVERY = [replace(state, mode=mode) for state in STATES for mode in "US"]


@pytest.mark.parametrize("instruction", INSTRUCTIONS)
def test_leaky_is_clean_with_these_sins(instruction: str) -> None:
    real, made = Computer("leaky"), Computer(sins=LEAKS)
    for state in EVERY:
        assert real.run(instruction, state) == made.run(instruction, state)
        assert real.held(state) == made.held(state)


def test_a_program_sees_the_same_at_both_places() -> None:
    clean = Computer()
    for instruction in ("lw a1, 0(a0)", "sw a2, 0(a0)", "auipc a1, 0"):
        for state in EVERY:
            here, there = (
                clean.run(instruction, replace(state, place=place))
                for place in (0, 1)
            )
            assert here.seen == there.seen
            assert here.held != there.held  # satp


def test_what_nothing_shows_the_outcome_shows() -> None:
    clean = Computer()
    asleep = clean.run("wfi", State()).held
    fenced = clean.run("sfence.vma", State()).held
    before = clean.held(State())
    assert asleep == replace(before, waiting=True)
    assert fenced == replace(before, translation="new")
    assert clean.held(State()) == before  # and the next state is a fresh one


def test_a_sin_is_done_in_user_mode_alone() -> None:
    clean, busy = Computer(), Computer(sins={"sret": Sin("done")})
    for state in STATES:
        assert busy.run("sret", state) == clean.run("sret", state)
        done = busy.run("sret", replace(state, mode="U")).held
        assert done is not None
        assert done.mode == ("S" if state.sstatus & SPP else "U")


def test_a_sin_is_done_when_its_bits_are_set() -> None:
    moody = Computer(sins={"wfi": Sin("nothing", SUM)})
    for state in EVERY:
        traps = moody.run("wfi", state).trap is not None
        assert traps == (state.mode == "U" and not state.sstatus & SUM)


@pytest.mark.parametrize(
    ("instruction", "state"),
    [("nop", State()), ("sret", State(mode="M")), ("sret", State(place=2))],
)
def test_what_there_is_not(instruction: str, state: State) -> None:
    with pytest.raises(UsageError):
        Computer().run(instruction, state)
