"""The sequences of idioms.def, for generators that are not the one in C."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from hv.core import ffi, lib, text

HANDLES = 4  # of a sequence: numbers that its steps share


class Part(IntEnum):
    """Who does a step (enum hvp_part)."""

    KERNEL = 0
    USER = 1
    OTHER = 2  # the kernel of the next VM
    CHILD = 3  # that of the first place which was empty
    SECOND = 4  # the kernel on the VM's next vCPU


class Wanted(IntEnum):
    """How an operand of a step is read (enum hvp_wanted)."""

    LITERAL = 0
    ANY = 1
    EDGE = 2
    LIVE = 3
    STALE = 4
    BOARD = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a sequence.

    :param op: number of the operation.
    :param operands: how each is read, and its number: of a handle, or the
        operand itself.
    """

    op: int
    who: Part
    operands: tuple[tuple[Wanted, int], ...]


@dataclass(frozen=True, slots=True)
class Idiom:
    """One row of idioms.def.

    :param features: bits that a program must have, all of them.
    """

    name: str
    doc: str
    features: int
    steps: tuple[Step, ...]


def _steps(idiom: int) -> tuple[Step, ...]:
    out = ffi.new("struct hvp_step *")
    steps: list[Step] = []
    while lib.hvp_idiom_step(idiom, len(steps), out):
        operands = [
            (Wanted(code >> 16), int(code) & 0xFFFF) for code in out.operand
        ]
        steps.append(Step(out.op, Part(out.who), tuple(operands)))
    return tuple(steps)


@cache
def idioms() -> tuple[Idiom, ...]:
    """Return all sequences, in the order of the table."""
    return tuple(
        Idiom(
            name=text(lib.hvp_idiom_name(i)),
            doc=text(lib.hvp_idiom_doc(i)),
            features=lib.hvp_idiom_features(i),
            steps=_steps(i),
        )
        for i in range(lib.hvp_idiom_count())
    )
