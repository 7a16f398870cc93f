"""Computers to do experiments on: one instruction, from any state.

The subject of lab 2. A computer is hv's bare machine of either profile, or one
that never was: the same, but for what some instructions do in U-mode (their
*sins*). An experiment puts a computer into a :class:`State`, executes one
instruction, and tells what became of it::

    computer = Computer("leaky")
    outcome = computer.run("sret", State(mode="U"))
    outcome.trap, outcome.held == computer.held(State(mode="U"))
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from hv.errors import UsageError
from hv.labs.states import (
    MXR,
    NOP,
    RESOURCES,
    SIE,
    SPIE,
    SPP,
    STATES,
    SUM,
    Held,
    Outcome,
    Seen,
    State,
    base,
    execute,
)

__all__ = [
    "INSTRUCTIONS",
    "MXR",
    "RESOURCES",
    "SIE",
    "SPIE",
    "SPP",
    "STATES",
    "SUM",
    "Computer",
    "Held",
    "Outcome",
    "Seen",
    "Sin",
    "State",
]

#: The instructions in question: what is written in assembly, and its word.
INSTRUCTIONS: Mapping[str, int] = {
    "add a1, a2, a0": 0x00A605B3,
    "mul a1, a2, a0": 0x02A605B3,
    "auipc a1, 0": 0x00000597,
    "lw a1, 0(a0)": 0x00052583,
    "sw a2, 0(a0)": 0x00C52023,
    "amoadd.w a1, a2, (a0)": 0x00C525AF,
    "jal ra, 16": 0x010000EF,
    "fence": 0x0FF0000F,
    "ecall": 0x00000073,
    "ebreak": 0x00100073,
    "csrr a1, sstatus": 0x100025F3,
    "csrw sstatus, a2": 0x10061073,
    "csrrs a1, sstatus, a2": 0x100625F3,
    "csrci sstatus, 2": 0x10017073,
    "csrr a1, satp": 0x180025F3,
    "csrw satp, a2": 0x18061073,
    "csrr a1, sie": 0x104025F3,
    "csrw sie, a2": 0x10461073,
    "csrr a1, stvec": 0x105025F3,
    "csrw stvec, a2": 0x10561073,
    "csrr a1, sepc": 0x141025F3,
    "csrrw a1, sscratch, a2": 0x140615F3,
    "csrr zero, sscratch": 0x14002073,
    "sfence.vma": 0x12000073,
    "wfi": 0x10500073,
    "sret": 0x10200073,
    "mret": 0x30200073,
}


@dataclass(frozen=True, slots=True)
class Sin:
    """What an instruction does in U instead of what it does on ``clean``.

    :ivar kind: ``nothing``; all that it does in S (``done``); only to read
        (``reads``); to read 0 (``zeros``); to give a ``physical`` address.
        Or it is ``refused`` in S, too.
    :ivar when: only with these bits of sstatus set.
    """

    kind: Literal["nothing", "done", "reads", "zeros", "physical", "refused"]
    when: int = 0


@dataclass(frozen=True, slots=True)
class Computer:
    """A computer to do experiments on.

    :param profile: of the bare machine, ``clean`` or ``leaky``.
    :param sins: of single instructions, by their text.
    """

    profile: str = "clean"
    sins: Mapping[str, Sin] = field(default_factory=dict)

    def run(self, instruction: str, state: State) -> Outcome:
        """Execute one of INSTRUCTIONS from a state.

        :raises UsageError: there is no such instruction or state.
        """
        if instruction not in INSTRUCTIONS:
            raise UsageError(f"{instruction!r} is none of INSTRUCTIONS")
        clean = execute(self.profile, INSTRUCTIONS[instruction], state)
        sin = self.sins.get(instruction)
        if sin is None or state.sstatus & sin.when != sin.when:
            return clean
        if sin.kind == "refused":
            return Outcome(2)
        if state.mode != "U":
            return clean
        return self._sinned(instruction, sin, state)

    def held(self, state: State) -> Held:
        """Return what is held in a state, before any instruction.

        :raises UsageError: there is no such state.
        """
        held = execute(self.profile, NOP, state).held
        if held is None:
            raise UsageError(f"not even a nop can be executed in {state}")
        return held

    def _sinned(self, instruction: str, sin: Sin, state: State) -> Outcome:
        nothing = execute(self.profile, NOP, state)
        kernel = replace(state, mode="S")
        done = execute(self.profile, INSTRUCTIONS[instruction], kernel)
        if nothing.seen is None or done.seen is None or done.held is None:
            return done  # it traps everywhere
        match sin.kind:
            case "done":
                mode = done.held.mode if instruction == "sret" else "U"
                return Outcome(None, done.seen, replace(done.held, mode=mode))
            case "reads":
                return Outcome(None, done.seen, nothing.held)
            case "zeros":
                return Outcome(None, _a1(nothing.seen, 0), nothing.held)
            case "physical":
                real = _a1(nothing.seen, base(state.place))
                return Outcome(None, real, nothing.held)
        return nothing


def _a1(seen: Seen, value: int) -> Seen:
    ra, a0, _, a2 = seen.registers
    return replace(seen, registers=(ra, a0, value, a2))
