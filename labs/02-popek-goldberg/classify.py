"""classify.py - which instructions are privileged, and which are sensitive.

Nothing here knows what an instruction does: all of it is found by experiment,
on any computer. given/states.py has the words: a State, the Outcome of one
instruction, and STATES to start from.

    computer.run("sret", state)    the Outcome: trap, seen, held
    computer.held(state)           what is held before the instruction
    replace(state, mode="U")       a state that differs in one thing
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hv.labs.computers import (
    INSTRUCTIONS,
    RESOURCES,
    STATES,
    Computer,
    State,
)


@dataclass(frozen=True)
class Finding:
    """What experiments say about one instruction of one computer.

    A witness is () if there is none: one state, from which the instruction
    changes what it should not; or two, in which it behaves differently.
    """

    privileged: bool
    control: tuple[State, ...]  # witness: it is control-sensitive
    behaviour: tuple[State, ...]  # witness: it is behaviour-sensitive
    user: tuple[State, ...]  # witness of either, with all states in U

    @property
    def sensitive(self) -> bool:
        """Sensitive in either way; else it is innocuous."""
        return bool(self.control or self.behaviour)


@dataclass(frozen=True)
class Verdict:
    """What the theorems say about a computer."""

    monitor: bool  # theorem 1 promises a virtual machine monitor
    hybrid: bool  # theorem 3 promises a hybrid one
    guilty: tuple[str, ...]  # the instructions that theorem 1 trips over


# marker: pg-privileged
def privileged(computer: Computer, instruction: str) -> bool:
    """Whether it traps in U from every state, and from none in S."""
    for state in STATES:
        user = computer.run(instruction, replace(state, mode="U"))
        kernel = computer.run(instruction, replace(state, mode="S"))
        if user.trap is None or kernel.trap is not None:
            return False
    return True


# marker: end


# marker: pg-control
def control(
    computer: Computer, instruction: str, modes: str = "US"
) -> tuple[State, ...]:
    """Find a state from which it changes, untrapped, what is held."""
    for base in STATES:
        for mode in modes:
            state = replace(base, mode=mode)
            outcome = computer.run(instruction, state)
            if outcome.trap is None and outcome.held != computer.held(state):
                return (state,)
    return ()


# marker: end


# marker: pg-pairs
def pairs(modes: str) -> Iterator[tuple[State, State]]:
    """Yield states that differ in one resource, or, if both modes are
    asked for, in the mode, and in nothing else."""
    for base in STATES:
        for mode in modes:
            state = replace(base, mode=mode)
            for other in STATES:
                for name in RESOURCES:
                    value = getattr(other, name)
                    if value != getattr(state, name):
                        yield state, replace(state, **{name: value})
        if len(modes) == 2:
            yield replace(base, mode="U"), replace(base, mode="S")


# marker: end


# marker: pg-behaviour
def behaviour(
    computer: Computer, instruction: str, modes: str = "US"
) -> tuple[State, ...]:
    """Find two such states that a program can tell apart by it."""
    for one, two in pairs(modes):
        first = computer.run(instruction, one)
        second = computer.run(instruction, two)
        if first.trap is not None or second.trap is not None:
            continue
        if first.seen != second.seen:
            return one, two
    return ()


# marker: end


# marker: pg-classify
def classify(computer: Computer, instruction: str) -> Finding:
    """Do all experiments with one instruction."""
    return Finding(
        privileged(computer, instruction),
        control(computer, instruction),
        behaviour(computer, instruction),
        control(computer, instruction, "U")
        or behaviour(computer, instruction, "U"),
    )


# marker: end


# marker: pg-verdict
def verdict(computer: Computer) -> Verdict:
    """Say what theorems 1 and 3 promise for this computer."""
    found = {name: classify(computer, name) for name in INSTRUCTIONS}
    loose = {name: f for name, f in found.items() if not f.privileged}
    guilty = tuple(name for name, f in loose.items() if f.sensitive)
    return Verdict(
        monitor=not guilty,
        hybrid=not any(f.user for f in loose.values()),
        guilty=guilty,
    )


# marker: end
