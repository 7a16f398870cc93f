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


class Policy(StrEnum):
    """How the scheduler chooses who runs."""

    RR = "rr"  # who has waited longest
    CREDIT = "credit"  # weights, by credits given out each period
    FAIR = "fair"  # weights, by virtual time
    EDF = "edf"  # budgets and periods, earliest deadline first
    SLOTS = "slots"  # a fixed table of time slots
    SAMPLED = "sampled"  # credits by tick: an exhibit, and a mistake


class Runstate(StrEnum):
    """What a vCPU is doing."""

    RUNNING = "running"
    RUNNABLE = "runnable"  # ... but others run: what it waits is stolen
    BLOCKED = "blocked"  # waits for an interrupt, or for memory
    OFFLINE = "offline"  # stopped, or its VM is paused or has ended


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
    EVENTS = "events"  # the trace was nearly full; a watch has taken it


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


class FrameType(StrEnum):
    """What a frame of machine memory is used as."""

    PLAIN = "plain"
    SHADOW = "shadow"
    STAGE2 = "stage2"
    LEAF_TABLE = "leaf table"
    ROOT_TABLE = "root table"


class ShadowKind(StrEnum):
    """What a shadow table is made from."""

    ROOT = "root"  # a guest's level-1 table
    LEAF = "leaf"  # a guest's level-0 table
    FRAGMENT = "fragment"  # 4 MiB of a guest's memory
    BARE = "bare"  # nothing: the untranslated mode's root


class Role(StrEnum):
    """Whose view of a guest's table a shadow is."""

    USER = "user"
    KERNEL = "kernel"
    KERNEL_SUM = "kernel+SUM"
    ASSIST = "assist"


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
    :param uses: references that use it as what it is; of a page of guest
        memory, the mappings through which it can be written.
    :param serves: the VM that a table of the hypervisor's is for; else 0.
    :param traced: how many shadow tables follow every store to it.
    :param entries: shadow entries that name it, links between tables included.
    :param foreign: those of them that belong to a VM which does not own it.
    """

    number: int
    owner: int
    type: FrameType
    refs: int
    gfn: int | None
    uses: int
    serves: int
    traced: int
    entries: int
    foreign: int

    @property
    def shadow(self) -> bool:
        """Whether a shadow table lies in it."""
        return self.type is FrameType.SHADOW

    @property
    def table(self) -> int | None:
        """The level of the validated table of its VM in it, or None."""
        return {FrameType.LEAF_TABLE: 0, FrameType.ROOT_TABLE: 1}.get(self.type)


@dataclass(frozen=True, slots=True)
class NamedBy:
    """An entry of a shadow table that names a frame.

    :param vm: the number of the VM whose table it is.
    :param shadow: the table's number in that VM's pool.
    """

    vm: int
    shadow: int
    index: int
    pte: int


@dataclass(frozen=True, slots=True)
class Made:
    """What a shadow table is made from, and for whose eyes.

    :param role: whose view it is; of roots and leaves only.
    :param rights: bits of an entry (R W X U); of fragments and bare roots only.
    :param gfn: of the guest's table, or where a fragment's memory begins.
    """

    kind: ShadowKind
    role: Role
    rights: int
    gfn: int


@dataclass(frozen=True, slots=True)
class Shadow:
    """One shadow table of a VM.

    :param number: in the VM's pool.
    :param hfn: the machine frame that it lies in.
    :param holds: vCPUs that run on it.
    :param links: entries of roots that lead to it.
    :param traced: whether stores to the guest's table are seen; else it is out
        of sync, or its policy does not trace.
    :param entries: how many of its entries are valid.
    :param asid: what the TLB knows it by, or None.
    """

    number: int
    made: Made
    hfn: int
    holds: int
    links: int
    traced: bool
    entries: int
    asid: int | None


@dataclass(frozen=True, slots=True)
class Real:
    """What a vCPU really runs with, whatever its guest believes.

    :param running: whether a hart has its state now.
    :param priv: the real privilege.
    :param satp: the hart's (``nested``: its hgatp); 0 if not running.
    :param root: the machine frame of a root that is no shadow: of its second
        stage, or of its own tables; None if there is none.
    :param shadow: the number of the root that it runs on, or would run on;
        None if there is none yet, or its style has no shadows. Of ``direct``:
        of the shadow of ``root``, while its stores are logged.
    :param wants: the root that it asks for; where there are shadows.
    """

    running: bool
    priv: Priv
    satp: int
    root: int | None
    shadow: int | None
    wants: Made


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
