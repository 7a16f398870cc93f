"""Every interleaving of a small guest, up to a bound of preemptions.

A race shows on few schedules, and no test run can be told to hit one. Here all
schedules with so many preemptions are tried, one after the other, and the first
that does not end well is returned: a list of turns, which replays it exactly.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from hv.core import ffi, from_c, lib
from hv.errors import HvError, ImageError, UsageError
from hv.facts import U32, U64, integer
from hv.guest import Guest

MAX_BOUND = int(lib.HV_EXPLORE_BOUND)
MAX_STEPS = 1_000_000
FORMAT = "hv-schedule-1"


class Ending(StrEnum):
    """What came of it."""

    DONE = "done"
    FAILED = "failed"
    KILLED = "killed"
    STUCK = "stuck"
    LONG = "long"
    AUDIT = "audit"
    LIMIT = "limit"


MEANING = {
    Ending.DONE: "every schedule within the bound ended well",
    Ending.FAILED: "the guest switched itself off with a failure",
    Ending.KILLED: "the hypervisor killed the guest",
    Ending.STUCK: "everybody waits, and nothing will ever end that",
    Ending.LONG: "a schedule did not come to an end",
    Ending.AUDIT: "a property of the hypervisor does not hold",
    Ending.LIMIT: "there are more schedules than were to be tried",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """A hart (or vCPU) makes so many steps, while the others stand still."""

    hart: int
    steps: int


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was tried, and the schedule that did not end well.

    :param schedules: that were executed to their ends.
    :param points: places at which somebody could have been preempted.
    :param steps: made in all; a beginning that schedules share counts once.
    :param shared: words that several harts use, and at least one writes.
    :param code: exit code of a guest that failed, else 0.
    :param turns: the schedule, if there is one to be shown.
    """

    ending: Ending
    bound: int
    schedules: int
    points: int
    steps: int
    shared: int
    code: int
    turns: tuple[Turn, ...]

    @property
    def found(self) -> bool:
        """Whether a schedule did not end well."""
        return self.ending not in (Ending.DONE, Ending.LIMIT)


def explore(
    guest: Guest,
    bound: int = 2,
    *,
    max_steps: int = 20_000,
    max_schedules: int = 0,
    audit: bool = False,
) -> Exploration:
    """Try all schedules of a booted guest from its present state.

    The guest is then as it was before.

    :param bound: preemptions of a schedule, 0 to 8.
    :param max_steps: of one schedule; one that is longer counts as found.
    :param max_schedules: to be tried at most; 0 is no limit.
    :param audit: check the hypervisor wherever somebody could be preempted.
    :raises UsageError: if a value is out of range, or it is not booted.
    """
    out = ffi.new("struct hv_explore *")
    out.bound = integer("bound", bound, 0, MAX_BOUND)
    out.max_steps = integer("max_steps", max_steps, 1, MAX_STEPS)
    out.max_schedules = integer("max_schedules", max_schedules, 0, U64)
    out.audit = int(audit)
    guest.host.checked(
        f"exploring {guest.name}", lib.hv_explore, guest.number, out
    )
    ending = from_c("HV_EXPLORE_", Ending, out.end)
    turns = tuple(
        Turn(out.turn[i].hart, out.turn[i].steps) for i in range(out.count)
    )
    return Exploration(
        ending=ending,
        bound=bound,
        schedules=int(out.schedules),
        points=int(out.points),
        steps=int(out.steps),
        shared=int(out.shared),
        code=int(out.code) if ending is Ending.FAILED else 0,
        turns=turns if ending not in (Ending.DONE, Ending.LIMIT) else (),
    )


def replay(guest: Guest, turns: tuple[Turn, ...]) -> None:
    """Make the steps of a schedule.

    :raises UsageError: if a hart cannot make its step, before the last one:
        the schedule is of another guest.
    """
    left = sum(turn.steps for turn in turns)
    for turn in turns:
        integer("hart", turn.hart, 0, len(guest.cpu) - 1)
        for _ in range(turn.steps):
            left -= 1
            try:
                guest.step(turn.hart)
            except UsageError:
                if left and not guest.state.ended:
                    raise


class _File(msgspec.Struct, frozen=True, tag_field="format", tag=FORMAT):
    """A schedule as it is kept."""

    image: str
    sha256: str
    style: str
    harts: int
    mem: int
    ending: Ending
    turns: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule, and what it is of.

    :param image: path or name of the image.
    :param style: ``bare``, or how its VM is virtualized.
    :param harts: of the machine, or vCPUs of the VM.
    :param mem: the guest's memory in bytes.
    :param ending: how it ends.
    """

    image: str
    style: str
    harts: int
    mem: int
    ending: Ending
    turns: tuple[Turn, ...]

    def save(self, path: Path, image: Path) -> None:
        """Write it to a file.

        :param image: where the image lies: its digest is kept, too.
        :raises HvError: if that cannot be done.
        """
        kept = _File(
            image=self.image,
            sha256=_digest(image),
            style=self.style,
            harts=self.harts,
            mem=self.mem,
            ending=self.ending,
            turns=[(turn.hart, turn.steps) for turn in self.turns],
        )
        try:
            path.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
        except OSError as error:
            raise HvError(f"{path}: {error.strerror}") from None

    @classmethod
    def read(cls, path: Path) -> "Schedule":
        """Read one from a file.

        :raises UsageError: if it is no schedule, or a damaged one.
        """
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_File)
            turns = tuple(
                Turn(
                    integer("hart", hart, 0, kept.harts - 1),
                    integer("steps", steps, 1, U32),
                )
                for hart, steps in kept.turns
            )
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: no schedule: {error}") from None
        return cls(
            kept.image, kept.style, kept.harts, kept.mem, kept.ending, turns
        )

    def check(self, path: Path, image: Path) -> None:
        """Check that the image is still the one that this is of.

        :param path: of the schedule, for the message.
        :raises ImageError: if it has changed.
        """
        kept = msgspec.json.decode(path.read_bytes(), type=_File)
        if _digest(image) != kept.sha256:
            raise ImageError(
                f"{path} is of another build of {self.image}: explore again"
            )


def _digest(image: Path) -> str:
    return hashlib.sha256(image.read_bytes()).hexdigest()
