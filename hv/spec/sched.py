"""Scheduling as it is meant: who may run, how much is due to whom, and when.

Nothing here knows how the hypervisor does it: there are no queues, keys or
credits. A :class:`World` is told what happens (VMs come and go, vCPUs wake and
block, weights, caps and affinities change, time passes) and says

* who may run on a hart: :meth:`World.may_run`;
* how much of the harts is due to each VM: :func:`shares`, and over the time
  since the last change :attr:`World.due`;
* how far from that a policy may be: :data:`LEAD`.

:class:`RoundRobin`, :class:`Server` (one budget of ``edf``) and :class:`Table`
(``slots``) say more where a policy promises more. All sums are exact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from typing import NamedTuple


class Vcpu(NamedTuple):
    """A vCPU of a VM."""

    vm: int
    number: int


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a VM asks for.

    :ivar weight: against the weights of the others.
    :ivar vcpus: how many of its vCPUs are runnable; each can use one hart.
    :ivar cap: percent of one hart that it gets at most; 0 is no cap.
    """

    weight: int
    vcpus: int
    cap: int = 0

    @property
    def most(self) -> Fraction:
        """How many harts it can use."""
        cap = Fraction(self.cap or 100 * self.vcpus, 100)
        return min(Fraction(self.vcpus), cap)


def shares(claims: Mapping[int, Claim], harts: int) -> dict[int, Fraction]:
    """Return how many harts are due to each VM.

    In proportion to weight, but to none more than it can use; what that
    leaves goes to the others in the same way.

    >>> one = Claim(weight=1024, vcpus=1)
    >>> two = Claim(weight=256, vcpus=2)
    >>> {vm: str(share) for vm, share in shares({1: one, 2: two}, 2).items()}
    {1: '1', 2: '1'}
    """
    due: dict[int, Fraction] = {}
    left = Fraction(harts)
    open_ = {vm: claim for vm, claim in claims.items() if claim.most}
    while open_:
        weight = sum(claim.weight for claim in open_.values())
        full = {
            vm: claim.most
            for vm, claim in open_.items()
            if left * claim.weight / weight >= claim.most
        }
        if not full:
            for vm, claim in open_.items():
                due[vm] = left * claim.weight / weight
            break
        due |= full
        left -= sum(full.values())
        open_ = {vm: claim for vm, claim in open_.items() if vm not in full}
    return {vm: due.get(vm, Fraction(0)) for vm in claims}


LEAD = {"fair": 1, "credit": 1}
"""How far a VM may be ahead of what is due to it, for each of its vCPUs.

In slices under ``fair`` and in periods under ``credit``, after any time in
which the runnable set did not change and each VM could use all harts. Who is
ahead has others behind: nobody is further behind than all of them are ahead.
(Stride scheduling has the same bound: Waldspurger and Weihl, 1995.)
"""


@dataclass
class World:
    """All that the specification knows of a host."""

    harts: int
    running: dict[Vcpu, set[int]] = field(default_factory=dict)
    """Runnable vCPUs, with the harts that they may run on."""
    weight: dict[int, int] = field(default_factory=dict)
    cap: dict[int, int] = field(default_factory=dict)
    due: dict[int, Fraction] = field(default_factory=dict)
    """Time of a hart due to each VM since the runnable set last changed."""

    def arrive(self, vm: int, *, weight: int = 256, cap: int = 0) -> None:
        """Add a VM; none of its vCPUs is runnable yet."""
        self.weight[vm], self.cap[vm] = weight, cap

    def leave(self, vm: int) -> None:
        """Forget a VM."""
        del self.weight[vm], self.cap[vm]
        for vcpu in [v for v in self.running if v.vm == vm]:
            del self.running[vcpu]
        self.due.clear()

    def wake(self, vcpu: Vcpu, harts: Iterable[int] | None = None) -> None:
        """Let a vCPU become runnable."""
        self.running[vcpu] = set(range(self.harts) if harts is None else harts)
        self.due.clear()

    def block(self, vcpu: Vcpu) -> None:
        """Let it be runnable no more."""
        del self.running[vcpu]
        self.due.clear()

    def change(
        self, vm: int, *, weight: int | None = None, cap: int | None = None
    ) -> None:
        """Change what a VM is to get."""
        self.weight[vm] = self.weight[vm] if weight is None else weight
        self.cap[vm] = self.cap[vm] if cap is None else cap
        self.due.clear()

    def pin(self, vcpu: Vcpu, harts: Iterable[int]) -> None:
        """Let it run on these harts alone."""
        self.running[vcpu] = set(harts)
        self.due.clear()

    def claims(self) -> dict[int, Claim]:
        """Return what each VM asks for now."""
        return {
            vm: Claim(
                weight=weight,
                vcpus=sum(vcpu.vm == vm for vcpu in self.running),
                cap=self.cap[vm],
            )
            for vm, weight in self.weight.items()
        }

    def advance(self, time: int) -> None:
        """Let time pass, in which nothing changes."""
        for vm, share in shares(self.claims(), self.harts).items():
            self.due[vm] = self.due.get(vm, Fraction(0)) + share * time

    def may_run(self, hart: int) -> set[Vcpu]:
        """Return who may run on a hart."""
        return {vcpu for vcpu, harts in self.running.items() if hart in harts}

    def may_idle(self, hart: int, elsewhere: Iterable[Vcpu]) -> bool:
        """Say if a hart may wait, when these run elsewhere."""
        return not self.may_run(hart) - set(elsewhere)


@dataclass
class RoundRobin:
    """Who has waited longest, wherever it waits, is next."""

    came: dict[Vcpu, int] = field(default_factory=dict)
    order: Iterable[int] = field(default_factory=count)

    def wait(self, vcpu: Vcpu) -> None:
        """Let it begin to wait, behind all others."""
        self.came[vcpu] = next(iter(self.order))

    def go(self, vcpu: Vcpu) -> None:
        """Let it wait no more."""
        self.came.pop(vcpu, None)

    def next_of(self, candidates: Iterable[Vcpu]) -> Vcpu | None:
        """Return the one of them that is to run."""
        waiting = [vcpu for vcpu in candidates if vcpu in self.came]
        return min(waiting, key=self.came.__getitem__, default=None)


@dataclass
class Server:
    """One vCPU with a budget, in cycles per period: ``edf``.

    The constant bandwidth server of Abeni and Buttazzo (1998), with a hard
    limit: who has used up its budget waits for the next period.
    """

    budget: int
    period: int
    grain: int = 1  # what is left counts in whole ones of these
    deadline: int = 0
    left: int = 0

    def renew(self, deadline: int) -> None:
        """Begin a period; what was used too much is missing from it."""
        self.left = self.budget + min(self.left, 0)
        self.deadline = deadline

    def wake(self, now: int) -> None:
        """Let it become runnable: with what is left, if not too much."""
        left = self.left // self.grain * self.grain
        too_much = left > 0 and Fraction(left, self.budget) > Fraction(
            self.deadline - now, self.period
        )
        if now >= self.deadline or too_much:
            self.renew(now + self.period)

    def run(self, cycles: int) -> None:
        """Charge it for what it ran, or was worked for."""
        self.left -= cycles

    def pass_to(self, now: int) -> int:
        """Let time pass while it is runnable; return what it did not get."""
        missed = 0
        while now >= self.deadline:
            missed += max(self.left, 0)
            self.renew(self.deadline + self.period)
        return missed


def demand(budget: int, period: int, overhead: int) -> Fraction:
    """Return the part of a hart that a budget needs, its costs included."""
    return Fraction(budget + overhead, period)


@dataclass(frozen=True)
class Table:
    """Fixed slots: rows of (VM, or 0 for nobody; ticks), from a time on."""

    rows: Sequence[tuple[int, int]]
    begins: int

    def turn(self, time: int) -> tuple[int, int, int]:
        """Return whose slot it is, and from when to when."""
        length = sum(ticks for _, ticks in self.rows)
        start = time - (time - self.begins) % length
        for vm, ticks in self.rows:
            if time < start + ticks:
                return vm, start, start + ticks
            start += ticks
        raise AssertionError("unreachable: the rows are as long as the table")
