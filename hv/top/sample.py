"""Two moments of a host, and what lies between: the figures of `hv top`.

All figures are counts of the core, or the quotient of two: nothing is sampled
or estimated. A second is one of machine time.
"""

from dataclasses import dataclass

from hv.facts import Runstate, State
from hv.hypervisor import Hypervisor
from hv.units import TICKS
from hv.vm import VM


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted for a VM up to a moment.

    :param running: ticks that its vCPUs were on a hart, all together.
    :param stolen: ticks that its vCPUs waited for a hart, all together.
    """

    name: str
    state: str
    running: int
    stolen: int
    memory: int
    max_memory: int
    vcpus: int
    exits: int
    shadow_faults: int
    hypercalls: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A host at a moment.

    :param cycle: of its first hart.
    :param time_div: cycles of a tick.
    :param memory: of the machine, in bytes; and how much of it is free.
    """

    cycle: int
    time_div: int
    harts: int
    policy: str
    memory: int
    free: int
    guest: int
    hypervisor: int
    idle: int
    vms: dict[int, Counted]

    @property
    def seconds(self) -> float:
        """Machine time up to then."""
        return self.cycle / (self.time_div * TICKS)


@dataclass(frozen=True, slots=True)
class Usage:
    """A row of `hv top`: a VM between two moments.

    :param cpu_seconds: machine time that its vCPUs were on a hart, in all.
    :param cpu: percent of the time that they were, all together.
    :param steal: percent of the time that its vCPUs waited for a hart, all
        together.
    :param memory: bytes populated; and percent of the machine's.
    :param max_memory: bytes that it can have; and percent.
    :param exits: per second; so are the following.
    """

    name: str
    state: str
    cpu_seconds: float
    cpu: float
    memory: int
    memory_percent: float
    max_memory: int
    max_memory_percent: float
    vcpus: int
    exits: float
    shadow_faults: float
    hypercalls: float
    steal: float


def letters(vm: VM) -> str:
    """Return a VM's state as xentop's six letters: ``dsbcpr``.

    Dying (its budget is used up), shut down, blocked, crashed (killed), paused,
    running on a hart now. None of them: it waits for a hart.
    """
    state = vm.state
    runs = any(vcpu.state is Runstate.RUNNING for vcpu in vm.vcpus)
    flags = {
        "d": state is State.BUDGET,
        "s": state is State.OFF,
        "b": state is State.BLOCKED and not runs,
        "c": state is State.KILLED,
        "p": state is State.PAUSED,
        "r": runs,
    }
    return "".join(letter if on else "-" for letter, on in flags.items())


def _counted(vm: VM) -> Counted:
    info, counters, vcpus = vm.info, vm.counters, vm.vcpus
    return Counted(
        name=vm.name,
        state=letters(vm),
        running=sum(vcpu.running for vcpu in vcpus),
        stolen=sum(vcpu.steal for vcpu in vcpus),
        memory=info.frames * 4096,
        max_memory=info.mem_size,
        vcpus=info.vcpus,
        exits=counters["exits"],
        shadow_faults=counters["exit_shadow"],
        hypercalls=counters["hypercalls"],
    )


def sample(hypervisor: Hypervisor) -> Sample:
    """Look at a host as it is now."""
    info, harts = hypervisor.info, hypervisor.harts
    return Sample(
        cycle=harts[0].cycles,
        time_div=hypervisor.host.time_div,
        harts=len(harts),
        policy=str(hypervisor.policy),
        memory=info.frames * 4096,
        free=info.frames_free * 4096,
        guest=sum(hart.guest for hart in harts),
        hypervisor=sum(hart.hypervisor for hart in harts),
        idle=sum(hart.idle for hart in harts),
        vms={vm.number: _counted(vm) for vm in hypervisor},
    )


def usage(before: Sample, after: Sample) -> list[Usage]:
    """Return what each VM of the second moment used since the first."""
    return [
        _usage(before, after, vm, before.vms.get(number))
        for number, vm in after.vms.items()
    ]


def _usage(
    before: Sample, after: Sample, vm: Counted, was: Counted | None
) -> Usage:
    cycles = max(after.cycle - before.cycle, 1)
    hertz = after.time_div * TICKS

    def per_second(name: str) -> float:
        earlier = getattr(was, name) if was else 0
        grown: int = getattr(vm, name) - earlier
        return grown * hertz / cycles

    return Usage(
        name=vm.name,
        state=vm.state,
        cpu_seconds=vm.running / TICKS,
        cpu=100 * per_second("running") / TICKS,
        memory=vm.memory,
        memory_percent=100 * vm.memory / after.memory,
        max_memory=vm.max_memory,
        max_memory_percent=100 * vm.max_memory / after.memory,
        vcpus=vm.vcpus,
        exits=per_second("exits"),
        shadow_faults=per_second("shadow_faults"),
        hypercalls=per_second("hypercalls"),
        steal=100 * per_second("stolen") / TICKS,
    )
