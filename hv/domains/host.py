"""Start what a plan says: a machine, its hypervisor, its VMs; and run it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hv.domains.load import FileError
from hv.domains.pace import Pace, now
from hv.domains.plan import Harts, Plan, VmPlan
from hv.errors import HypervisorBug, UsageError
from hv.facts import RunReason, State
from hv.hypervisor import Hypervisor
from hv.units import TICKS
from hv.vm import VM


@dataclass(frozen=True, slots=True)
class Domain:
    """A VM that was started, and what was planned for it."""

    plan: VmPlan
    vm: VM

    @property
    def met(self) -> bool:
        """Whether it is as it is to end."""
        vm = self.vm
        return self.plan.expect.met(vm.state, vm.exit_code, vm.reason)

    @property
    def ending(self) -> str:
        """How it ended, in the words of a domain file.

        >>> from hv.domains.checks import expect
        >>> expect("off:0").text
        'off:0'
        """
        vm = self.vm
        match vm.state:
            case State.OFF:
                return f"off:{vm.exit_code}"
            case State.KILLED:
                return f"killed: {vm.reason}"
            case State.BUDGET:
                return "budget"
        return "running"


class Running:
    """A host that was started.

    :ivar hypervisor: of the host.
    :ivar domains: its VMs, in the order of the file.
    """

    def __init__(
        self, plan: Plan, hypervisor: Hypervisor, domains: list[Domain]
    ) -> None:
        self.plan = plan
        self.hypervisor = hypervisor
        self.domains = domains
        self.pace = Pace(hypervisor)
        self.insns = 0

    @property
    def seconds(self) -> float:
        """Machine time since it was started."""
        rate = self.hypervisor.host.time_div * TICKS
        return now(self.hypervisor) / rate

    def cycle(self, seconds: float) -> int:
        """Return the cycle at which so much machine time is over."""
        return round(seconds * self.hypervisor.host.time_div * TICKS)

    def advance(self, until: int | None = None) -> RunReason:
        """Run for a piece, or to a moment: what the plan allows of it.

        :param until: a cycle; None is the end of a piece.
        :return: ``budget`` if there is more to do, ``ended`` if a VM has ended,
            else why nothing is left to do; ``done`` where the plan's own end
            is reached.
        """
        host = self.plan.host
        end = None if host.run_for is None else self.cycle(host.run_for)
        left = host.max_insns - self.insns if host.max_insns else 0
        cycle = min((c for c in (end, until) if c is not None), default=None)
        result = self.pace.piece(cycle, left)
        self.insns += result.insns
        if result.reason not in (RunReason.BUDGET, RunReason.ENDED):
            return result.reason
        spent = bool(host.max_insns) and self.insns >= host.max_insns
        if spent or (end is not None and now(self.hypervisor) >= end):
            return RunReason.DONE
        return result.reason

    def run(
        self, each: Callable[[], None] = lambda: None, until: int | None = None
    ) -> RunReason:
        """Run to a moment, or to the end.

        :param each: what to call after each piece.
        :return: ``budget`` at the moment, else why nothing is left to do.
        """
        while until is None or now(self.hypervisor) < until:
            reason = self.advance(until)
            each()
            if reason not in (RunReason.BUDGET, RunReason.ENDED):
                return reason
        return RunReason.BUDGET

    @property
    def unmet(self) -> list[Domain]:
        """The VMs that did not end as they were to."""
        return [domain for domain in self.domains if not domain.met]


@contextmanager
def start(plan: Plan) -> Iterator[Running]:
    """Make the machine and boot the VMs; free them at the end.

    :raises FileError: if the machine, or the policy, cannot do it.
    """
    host = plan.host
    with _blamed(plan, "[host]"):
        hypervisor = Hypervisor(
            ram=plan.ram,
            harts=host.harts,
            policy=host.policy,
            slice=host.slice,
            period=host.period,
            quantum=host.quantum,
            interleave=host.interleave,
            engine=host.engine,
            profile=host.profile,
            admission=host.admission,
        )
    with hypervisor:
        domains = [Domain(vm, _create(plan, hypervisor, vm)) for vm in plan.vms]
        by_name = {domain.plan.name: domain.vm for domain in domains}
        if plan.slots:
            with _blamed(plan, "[[slot]]"):
                hypervisor.slots(
                    (by_name[row.vm] if row.vm else None, row.ticks)
                    for row in plan.slots
                )
        for domain in domains:
            domain.vm.boot()
        yield Running(plan, hypervisor, domains)


def _create(plan: Plan, hypervisor: Hypervisor, vm: VmPlan) -> VM:
    boot = plan.boots[vm.name]
    with _blamed(plan, f"VM {vm.name!r}", boot.line):
        made = hypervisor.create(
            name=vm.name,
            style=boot.style,
            mem=vm.memory,
            vcpus=vm.vcpus,
            shadow_frames=vm.shadow_frames,
            sync=vm.sync,
            min_mem=vm.min_memory,
            max_insns=vm.max_insns,
            weight=vm.weight,
            cap=vm.cap,
            budget=vm.budget,
            period=vm.period,
            gang=vm.gang,
        )
        for vcpu, harts in enumerate(pins(vm)):
            made.pin(vcpu, harts)
        made.load(boot.image, append=vm.append, initrd=boot.initrd)
    return made


def pins(vm: VmPlan) -> list[Harts]:
    """Return the harts of each vCPU; nothing if it may run anywhere."""
    if vm.affinity is None:
        return []
    rows = [row for row in vm.affinity if isinstance(row, tuple)]
    flat = tuple(hart for hart in vm.affinity if isinstance(hart, int))
    return rows or [flat] * vm.vcpus


@contextmanager
def _blamed(plan: Plan, what: str, line: int = 0) -> Iterator[None]:
    """Say where in the file it stands, what the machine cannot do."""
    try:
        yield
    except HypervisorBug:
        raise
    except (UsageError, ValueError) as error:
        where = f"{plan.file}:{line}: " if line else f"{plan.file}: "
        raise FileError(f"{where * bool(plan.file)}{what}: {error}") from None
