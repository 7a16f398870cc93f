"""Time: what the accounts must add up to.

Who gets the hart is the scheduler's choice, within :mod:`hv.spec.sched`. That
nothing is lost and nothing is charged twice is no choice. At rest:

- a hart's time is its guests', the hypervisor's, or idle: to the cycle (P24);
- what was charged to vCPUs is what harts spent on guests and on their exits;
- a vCPU's four sums (ran, waited for a hart, slept, was off) are the time since
  its VM was made, and none ever shrinks;
- who runs is on one hart, and a hart runs one.

Xen has the four sums as ``struct vcpu_runstate_info``, Linux on KVM the second
as steal time. Sampling at ticks satisfies none of these; so a guest that sleeps
at the tick runs for nothing (Zhou et al., Scheduler vulnerabilities and
coordinated attacks in cloud computing, 2011).

>>> hart = HartAccount(cycles=100, guest=60, hypervisor=30, idle=9)
>>> list(violations([hart], [], now=10))
['P24: hart 0 spent 99 of 100 cycles']
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

RAN, WAITED, SLEPT, WAS_OFF = range(4)


@dataclass(frozen=True, kw_only=True)
class HartAccount:
    """Cycles of a hart since the machine was switched on.

    :ivar runs: the VM and vCPU that has it.
    """

    cycles: int
    guest: int
    hypervisor: int
    idle: int
    runs: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class VcpuAccount:
    """What a vCPU did with its time.

    :ivar state: RAN (it runs now), WAITED, SLEPT, WAS_OFF.
    :ivar times: ticks in each.
    :ivar charged: cycles.
    :ivar born: the tick at which its VM was made.
    """

    vm: int
    number: int
    state: int
    times: tuple[int, int, int, int]
    charged: int
    born: int


def violations(
    harts: Sequence[HartAccount],
    vcpus: Sequence[VcpuAccount],
    *,
    now: int,
    slack: int = 0,
    gone: int = 0,
) -> Iterator[str]:
    """Say what does not add up.

    :param now: the time, in ticks.
    :param slack: ticks that clocks of harts may be apart.
    :param gone: cycles that were charged to vCPUs which are no more.
    """
    for number, hart in enumerate(harts):
        yield from spent(number, hart)
    yield from charged(harts, vcpus, gone)
    for vcpu in vcpus:
        yield from lived(vcpu, now, slack)
    runs = [hart.runs for hart in harts if hart.runs]
    running = [(v.vm, v.number) for v in vcpus if v.state == RAN]
    if sorted(runs) != sorted(running):
        yield f"who runs: harts say {runs}, vCPUs say {running}"


def spent(number: int, hart: HartAccount) -> Iterator[str]:
    """Say whether a hart's time is somebody's, to the cycle."""
    total = hart.guest + hart.hypervisor + hart.idle
    if total != hart.cycles:
        yield f"P24: hart {number} spent {total} of {hart.cycles} cycles"


def charged(
    harts: Sequence[HartAccount], vcpus: Sequence[VcpuAccount], gone: int
) -> Iterator[str]:
    """Guests pay for all that they ran, and for no more than was worked.

    What the hypervisor does for its host (a scan, say) nobody pays. What a
    vCPU has run since its last exit is not in its account yet.
    """
    total = sum(vcpu.charged for vcpu in vcpus) + gone
    most = sum(hart.guest + hart.hypervisor for hart in harts)
    if total > most:
        yield f"P24: {total} cycles were charged, {most} were spent"


def lived(vcpu: VcpuAccount, now: int, slack: int) -> Iterator[str]:
    """Say whether a vCPU's sums are its life."""
    total, life = sum(vcpu.times), now - vcpu.born
    if not life - slack <= total <= life + slack:
        yield f"vCPU {vcpu.vm}.{vcpu.number}: {total} of {life} ticks"


def shrunk(before: VcpuAccount, after: VcpuAccount, slack: int = 0) -> bool:
    """Say whether any account went down.

    A sum that is still growing is told by the clock of some hart, and clocks
    may be apart.
    """
    times = zip(before.times, after.times, strict=True)
    less = any(later < earlier - slack for earlier, later in times)
    return less or after.charged < before.charged
