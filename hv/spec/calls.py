"""What all calls of a kernel have in common, whoever serves them.

A call is a function of the computer, the hart that calls, and its arguments.
It either returns a value, having done what it says; or it raises
:class:`Refused` with an error. One rule holds for all of them, and
:func:`answer` checks it each time: **a call that is refused has changed
nothing.**

Conditions are checked in the order in which they are written. Where the
implementation is free which of several to report, all of them are named.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hv.abi import SbiError
from hv.spec.hart import WORD, Computer, Hart

Arguments: TypeAlias = Sequence[int]
Call: TypeAlias = Callable[[Computer, Hart, Arguments], int]

A0, A1, A6, A7, SP = 10, 11, 16, 17, 2


class Refused(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """The call does nothing, and answers one of these errors."""

    def __init__(self, *errors: SbiError) -> None:
        super().__init__(*errors)
        self.errors = errors


class Replaced(Exception):  # noqa: N818 - an answer of its own
    """The call has put other registers in place: there is no answer."""


@dataclass(frozen=True)
class Answer:
    """What a call answers: one of these errors; a value if it is success."""

    errors: tuple[SbiError, ...]
    value: int = 0

    @property
    def error(self) -> SbiError:
        """The error, if the implementation is not free; else the first."""
        return self.errors[0]


def need(condition: object, *errors: SbiError) -> None:
    """Refuse a call unless a condition holds."""
    if not condition:
        raise Refused(*errors)


def as_answered(error: int) -> int:
    """Answer what another part of the specification says."""
    if error:
        raise Refused(SbiError(error))
    return 0


def answer(
    call: Call, computer: Computer, hart: Hart, args: Arguments
) -> Answer:
    """Make a call.

    :raises Replaced: if it does not return to the caller.
    """
    before = computer.copy()
    try:
        value = call(computer, hart, args)
    except Refused as refused:
        if computer != before:
            raise AssertionError("a refused call changed something") from None
        return Answer(refused.errors)
    return Answer((SbiError.SUCCESS,), value & WORD)


def writable(computer: Computer, gpa: int, size: int) -> bool:
    """Say whether the hypervisor may write there in the guest's name.

    Of style ``direct`` it writes no tables but by the calls about them.
    """
    if not computer.memory.owns(gpa, size):
        return False
    last = (gpa + size - 1) // 4096
    pages = range(gpa // 4096, last + 1)
    tables = computer.tables
    return not tables or all(tables.level(page) is None for page in pages)
