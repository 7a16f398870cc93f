"""What a domain file says, as records: a host, its VMs, a table of slots."""

from dataclasses import dataclass, field
from pathlib import Path

from hv.domains.checks import ANY_SUCCESS, Expect
from hv.facts import Admission, Engine, Policy, Profile, Style, Sync

MIB = 1 << 20
HEADROOM = 16 * MIB  # of machine memory for each VM: shadow tables and more

Harts = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlan:
    """The machine and its hypervisor: ``[host]``.

    Times are in ticks of ``time``, but for ``run_for``, in seconds; None is the
    core's default. :mod:`hv.domains.keys` says what each means.
    """

    harts: int = 1
    ram: int | None = None
    policy: Policy = Policy.RR
    slice: int | None = None
    period: int | None = None
    quantum: int | None = None
    interleave: int = 0
    engine: Engine = Engine.FAST
    profile: Profile = Profile.CLEAN
    admission: Admission = Admission.STRICT
    run_for: float | None = None
    max_insns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VmPlan:
    """A VM: ``[[vm]]``. Memory in bytes; see :class:`HostPlan`."""

    name: str
    image: str
    style: Style | None = None
    memory: int = 16 * MIB
    min_memory: int = 0
    vcpus: int = 1
    weight: int | None = None
    cap: int | None = None
    budget: int | None = None
    period: int | None = None
    gang: bool = False
    affinity: Harts | tuple[Harts, ...] | None = None
    append: str = ""
    initrd: str | None = None
    sync: Sync = Sync.DEFAULT
    shadow_frames: int = 0
    max_insns: int = 0
    expect: Expect = ANY_SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPlan:
    """A row of the table of policy ``slots``: ``[[slot]]``."""

    vm: str | None = None
    ticks: int


@dataclass(frozen=True, slots=True)
class Boot:
    """What of a VM's plan was found outside the file.

    :param line: where the VM stands in the file; 0 if there is no file.
    """

    image: Path
    style: Style
    initrd: Path | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Hosts and VMs to be.

    :param boots: by the VM's name.
    :param file: its name, for messages; empty if there is none.
    """

    host: HostPlan
    vms: tuple[VmPlan, ...]
    slots: tuple[SlotPlan, ...] = ()
    boots: dict[str, Boot] = field(default_factory=dict)
    file: str = ""

    @property
    def ram(self) -> int:
        """The machine's memory: as asked for, or enough for all VMs."""
        if self.host.ram is not None:
            return self.host.ram
        return sum(vm.memory + HEADROOM for vm in self.vms)
