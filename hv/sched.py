"""Scheduling: what is asked for, for a VM or a host, and what came of it.

Times are in ticks of ``time``: a tenth of a microsecond, whatever the machine.
Cycles are finer: ``host.time_div`` of them are a tick.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hv.core import CData, ffi, from_c, lib
from hv.errors import UsageError
from hv.facts import U32, Runstate, integer
from hv.host import Host

WEIGHT_MAX = 65535
SLOTS_MAX = 64


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the scheduler is to do for a VM; the policy says what counts.

    :param weight: its share, against the weights of the others.
    :param cap: percent of one hart that it gets at most; 0 is no cap.
    :param budget: under ``edf``, ticks that each of its vCPUs gets ...
    :param period: ... in each period of so many ticks; both 0 is none.
    :param gang: whether its vCPUs run at the same time.
    """

    weight: int
    cap: int
    budget: int
    period: int
    gang: bool

    def changed(
        self,
        *,
        weight: int | None = None,
        cap: int | None = None,
        budget: int | None = None,
        period: int | None = None,
        gang: bool | None = None,
    ) -> "Schedule":
        """Return one that differs in what is named.

        :raises UsageError: if a value is out of range.

        >>> Schedule(256, 0, 0, 0, False).changed(cap=50)
        Schedule(weight=256, cap=50, budget=0, period=0, gang=False)
        """
        new = replace(
            self,
            weight=self.weight if weight is None else weight,
            cap=self.cap if cap is None else cap,
            budget=self.budget if budget is None else budget,
            period=self.period if period is None else period,
            gang=self.gang if gang is None else gang,
        )
        new.check()
        return new

    def check(self) -> None:
        """Raise if a value is out of range.

        :raises UsageError: saying which, and what would be right.
        """
        integer("weight", self.weight, 1, WEIGHT_MAX)
        integer("cap (percent of one hart)", self.cap, 0, 100 * lib.MAX_HARTS)
        integer("period (in ticks)", self.period, 0, U32)
        integer("budget (in ticks)", self.budget, 0, U32)
        if not isinstance(self.gang, bool):
            raise UsageError(f"gang must be True or False, not {self.gang!r}")
        if bool(self.budget) != bool(self.period):
            raise UsageError(
                "budget and period go together: so many ticks in each period "
                f"of so many, or both 0; not {self.budget} in {self.period}"
            )
        if self.budget > self.period:
            raise UsageError(
                f"budget must be in 1..period ({self.period}), "
                f"not {self.budget}"
            )


@dataclass(frozen=True, slots=True)
class VcpuInfo:
    """What a vCPU is doing, and what it got. Times in ticks, work in cycles.

    :param hart: where it runs, or waits, or was last; None if nowhere yet.
    :param affinity: the harts that it may run on.
    :param parked: whether a cap or budget forbids it to run, though it could.
    :param running: for how long it has run; and so on for each state.
    :param runnable: how long it has waited for a hart.
    :param charged: cycles that it ran, and was worked for.
    :param credit: cycles of credit or budget left, where the policy has any.
    :param insns: instructions that it retired on its harts.
    """

    state: Runstate
    hart: int | None
    affinity: tuple[int, ...]
    parked: bool
    running: int
    runnable: int
    blocked: int
    offline: int
    charged: int
    credit: int
    insns: int

    @property
    def steal(self) -> int:
        """Ticks for which it could have run, and others did."""
        return self.runnable


@dataclass(frozen=True, slots=True)
class HartInfo:
    """What a hart does, and did: every cycle of its clock is in one of three.

    :param waiting: vCPUs in its queue.
    :param vm: the number of the VM that it runs; None if it is idle.
    :param vcpu: which vCPU of that; None if it is idle.
    """

    number: int
    cycles: int
    guest: int
    hypervisor: int
    idle: int
    waiting: int
    vm: int | None
    vcpu: int | None


def default_schedule() -> Schedule:
    """Return what a VM gets if nothing is said."""
    config = ffi.new("struct hv_vm_config *")
    lib.hv_vm_config_default(config)
    return _from_c(config.sched)


def _from_c(raw: CData) -> Schedule:
    return Schedule(
        weight=raw.weight,
        cap=raw.cap,
        budget=raw.budget,
        period=raw.period,
        gang=bool(raw.gang),
    )


def fill(raw: CData, schedule: Schedule) -> None:
    """Write a schedule into hv.h's struct."""
    raw.weight = schedule.weight
    raw.cap = schedule.cap
    raw.budget = schedule.budget
    raw.period = schedule.period
    raw.gang = int(schedule.gang)


def get(host: Host, vm: int, name: str) -> Schedule:
    """Return what the scheduler is to do for a VM."""
    out = ffi.new("struct hv_sched *")
    host.checked(f"the schedule of {name}", lib.hv_sched_get, vm, out)
    return _from_c(out)


def change(host: Host, vm: int, name: str, schedule: Schedule) -> None:
    """Let the scheduler do something else for a VM from here on.

    :raises UsageError: if the policy cannot promise so much.
    """
    raw = ffi.new("struct hv_sched *")
    fill(raw, schedule)
    host.explained(f"the schedule of {name}", lib.hv_sched_set, vm, raw)


def pin(
    host: Host, vm: int, name: str, vcpu: int, harts: Iterable[int] | None
) -> None:
    """Say on which harts a vCPU may run; None is all.

    :raises UsageError: if there are none among them, or no such hart.
    """
    chosen = tuple(range(host.harts)) if harts is None else _numbers(harts)
    for hart in chosen:
        integer("a hart", hart, 0, host.harts - 1)
    if not chosen:
        raise UsageError(f"vCPU {vcpu} of {name} must have a hart to run on")
    mask = sum({1 << hart for hart in chosen})
    host.explained(
        f"pinning vCPU {vcpu} of {name}", lib.hv_affinity_set, vm, vcpu, mask
    )


def _numbers(harts: object) -> tuple[int, ...]:
    if isinstance(harts, Iterable) and not isinstance(harts, str | bytes):
        return tuple(harts)
    raise UsageError(f"harts must be some numbers, [0, 1], not {harts!r}")


def vcpu_info(host: Host, vm: int, name: str, vcpu: int) -> VcpuInfo:
    """Return what a vCPU is doing, and what it got."""
    out = ffi.new("struct hv_vcpu_info *")
    what = f"vCPU {vcpu} of {name}"
    host.checked(what, lib.hv_vcpu_info, vm, vcpu, out)
    running, runnable, blocked, offline = map(int, out.time)
    return VcpuInfo(
        state=from_c("HV_RUNSTATE_", Runstate, out.state),
        hart=None if out.hart == lib.HV_NONE else out.hart,
        affinity=tuple(h for h in range(host.harts) if out.affinity >> h & 1),
        parked=bool(out.parked),
        running=running,
        runnable=runnable,
        blocked=blocked,
        offline=offline,
        charged=out.charged,
        credit=out.credit,
        insns=out.insns,
    )


def hart_info(host: Host, hart: int) -> HartInfo:
    """Return what a hart does, and did."""
    out = ffi.new("struct hv_hart_info *")
    host.checked(f"hart {hart}", lib.hv_hart_info, hart, out)
    return HartInfo(
        number=hart,
        cycles=out.cycles,
        guest=out.guest,
        hypervisor=out.hypervisor,
        idle=out.idle,
        waiting=out.waiting,
        vm=out.vm or None,
        vcpu=out.vcpu if out.vm else None,
    )


def set_slots(host: Host, rows: Iterable[tuple[int, int]]) -> None:
    """Give the policy ``slots`` its table: rows of (number of a VM, ticks).

    :raises UsageError: if a row is wrong, there are none or too many, or the
        policy has no slots.
    """
    table = list(rows)
    if len(table) > SLOTS_MAX:
        raise UsageError(
            f"a table has at most {SLOTS_MAX} slots, not {len(table)}"
        )
    raw = ffi.new("struct hv_slot[]", max(len(table), 1))
    for row, (vm, ticks) in zip(raw, table, strict=False):
        row.vm = integer("the VM of a slot", vm, 0, U32)
        row.ticks = integer("ticks of a slot", ticks, 1, U32)
    host.explained("the table of slots", lib.hv_slots_set, raw, len(table))
