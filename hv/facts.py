"""The words and records of the API: what can be asked for, what is answered.

Nothing here needs the C core. An enumeration's names are those of hv.h, its
values are what people write and what ``--json`` prints.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, TypeVar

from hv.errors import UsageError

GuestVirt = NewType("GuestVirt", int)
GuestPhys = NewType("GuestPhys", int)

_E = TypeVar("_E", bound=StrEnum)


class Engine(StrEnum):
    """Which interpreter executes the machine. Both behave the same."""

    REF = "ref"
    FAST = "fast"


class Profile(StrEnum):
    """How virtualizable the machine is."""

    CLEAN = "clean"
    LEAKY = "leaky"


class Style(StrEnum):
    """How a VM is virtualized."""

    EMULATE = "emulate"
    PV = "pv"
    ASSIST = "assist"
    NESTED = "nested"
    DIRECT = "direct"

    @property
    def paravirtual(self) -> bool:
        """Whether it needs a kernel that knows."""
        return self in (Style.PV, Style.DIRECT)


class Sync(StrEnum):
    """How the shadows of a VM follow its page tables."""

    DEFAULT = "default"  # told for a kernel that tells, else lazy
    LAZY = "lazy"
    TRACE = "trace"
    TRACE_STRICT = "trace-strict"
    TOLD = "told"


class Admission(StrEnum):
    """What VMs are promised of the machine's memory when they are made."""

    STRICT = "strict"  # all of it
    OVERCOMMIT = "overcommit"  # their minimum; the rest while there is some


class BalloonState(StrEnum):
    """Why a balloon has the size it has."""

    REACHED = "reached"
    NO_DRIVER = "no-driver"  # the guest never asked for its target
    WORKING = "working"
    STUCK = "stuck"  # the guest says that it can spare no more


class MMode(StrEnum):
    """What runs in M-mode of the machine."""

    HYPERVISOR = "hypervisor"
    FIRMWARE = "firmware"
    CODE = "code"


class State(StrEnum):
    """What a guest is doing."""

    CREATED = "created"
    RUNNABLE = "runnable"
    BLOCKED = "blocked"
    PAUSED = "paused"
    OFF = "off"
    KILLED = "killed"
    BUDGET = "budget"

    @property
    def ended(self) -> bool:
        """Whether the guest will never execute again."""
        return self in (State.OFF, State.KILLED, State.BUDGET)


class RunReason(StrEnum):
    """Why a run returned."""

    DONE = "done"
    BUDGET = "budget"
    BREAK = "break"
    IDLE = "idle"
    CONSOLE = "console"
    ENDED = "ended"


class Access(StrEnum):
    """What an instruction does to memory."""

    FETCH = "fetch"
    LOAD = "load"
    STORE = "store"


class Priv(StrEnum):
    """A privilege mode, as the guest believes it."""

    U = "U"
    S = "S"
    M = "M"


@dataclass(frozen=True, slots=True)
class RunResult:
    """Why a run returned, whom that is about, and how long it was.

    :param vm: number of the VM; 0 is the bare machine, or nobody.
    :param insns: instructions executed by this run, of all guests.
    """

    reason: RunReason
    vm: int
    vcpu: int
    insns: int


@dataclass(frozen=True, slots=True)
class GuestInfo:
    """The facts of one guest. Sizes in bytes, costs in cycles."""

    state: State
    style: Style | None
    sync: Sync | None
    exit_code: int
    rebooted: bool
    vcpus: int
    mem_size: int
    frames: int
    frames_own: int
    shadow_frames: int
    insns: int
    cycles: int


@dataclass(frozen=True, slots=True)
class HostInfo:
    """The facts of one machine: frames of 4096 bytes by owner, and clocks."""

    frames: int
    frames_free: int
    frames_hyp: int
    frames_reserved: int
    frames_shared: int
    killed: int
    vms: int
    cycles: int
    insns: int


@dataclass(frozen=True, slots=True)
class Balloon:
    """How much memory a VM is to have, and has. Sizes in bytes.

    :param target: what the host set; at first, all.
    :param asked: what the guest is told: less while memory is short.
    :param actual: what it has not given back, be it in use or not.
    """

    target: int
    asked: int
    actual: int
    state: BalloonState


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of machine memory, as the hypervisor's frame table has it.

    :param owner: 0 is free, 0xffffffff the hypervisor, 0xfffffffe means shared
        by several guest frames, else the VM's number.
    :param gfn: where its VM sees it, or None.
    :param table: a page table of its VM (style direct): its level, 0 or 1.
    :param uses: references that use it as what it is; of a page of guest
        memory, the mappings through which it can be written.
    """

    number: int
    owner: int
    shadow: bool
    refs: int
    gfn: int | None
    table: int | None = None
    uses: int = 0


@dataclass(frozen=True, slots=True)
class TlbEntry:
    """One valid entry of a hart's TLB."""

    index: int
    va: int
    pa: int
    context: int
    mega: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """The guest's own page tables refuse an access.

    :param cause: the exception code the guest would see in scause.
    """

    va: GuestVirt
    access: Access
    cause: int


def choose(kind: type[_E], value: str, what: str) -> _E:
    """Return the member of an enumeration that a person named.

    :raises UsageError: if there is none, listing those there are.
    """
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise UsageError(f"no {what} {value!r}; there are: {known}") from None


def integer(what: str, value: object, low: int, high: int) -> int:
    """Return a number that C can take.

    :raises UsageError: if it is no integer, or not in low..high.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{what} must be an integer, not {value!r}")
    if not low <= value <= high:
        raise UsageError(f"{what} must be in {low}..{high}, not {value}")
    return value


U32 = 0xFFFF_FFFF
U64 = 0xFFFF_FFFF_FFFF_FFFF
