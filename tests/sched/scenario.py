"""Lives of a host, drawn at random and played on simulated harts.

A scenario is a list of actions from outside (VMs come and go, are paused,
pinned and given other parameters) with time between them, while the guests do
what their lists of steps say. sim_check() looks at queues and books after every
step; here the rest is compared with the specification.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hv.spec.sched import RoundRobin, Vcpu
from tests.sched.simlib import (
    BLOCK,
    IPI,
    RUN,
    RUN_TO,
    SLEEP,
    SLEEP_TO,
    WORK,
    YIELD,
    Failed,
    Library,
    Refused,
    Sim,
    Step,
)

SHARING = ("rr", "credit", "fair")
MAX_VMS = 12
ALL = 0xFF


@dataclass(frozen=True)
class Action:
    """Something from outside; which VM and vCPU: modulo those there are."""

    kind: str
    vm: int = 0
    vcpu: int = 0
    value: int = 0
    programs: tuple[tuple[Step, ...], ...] = ()
    cycles: int = 0  # that pass afterwards


KINDS = (
    "create", "create", "create", "destroy", "pause", "resume", "weight",
    "cap", "pin", "interrupt", "wait",
)  # fmt: skip
OPS = (RUN, RUN, RUN, SLEEP, SLEEP, RUN_TO, SLEEP_TO, BLOCK, YIELD, IPI, WORK)


def _step(rng: random.Random, vcpus: int) -> Step:
    op = rng.choice(OPS)
    if op in (RUN_TO, SLEEP_TO):
        return op, rng.choice((3, 10, 1000)), rng.randrange(1000)
    if op == IPI:
        return op, rng.randrange(1, 1 << vcpus), 0
    return op, rng.choice((1, 10, 100, 1000, 20_000)), 0


def draw(rng: random.Random, harts: int) -> list[Action]:
    """Return a random list of actions."""
    actions = []
    for _ in range(rng.randrange(5, 50)):
        vcpus = rng.randrange(1, min(8, 2 * harts) + 1)
        programs = tuple(
            tuple(_step(rng, vcpus) for _ in range(rng.randrange(1, 8)))
            for _ in range(vcpus)
        )
        actions.append(
            Action(
                kind=rng.choice(KINDS),
                vm=rng.randrange(100),
                vcpu=rng.randrange(100),
                value=rng.choice((0, 1, 25, 150, 256, 65535)),
                programs=programs,
                cycles=rng.choice((0, 10, 1000, 30_000)),
            )
        )
    return actions


def host(
    rng: random.Random, policy: str, harts: int, library: Library | None = None
) -> Sim:
    """Return a host with a random configuration."""
    slice_ = rng.choice((1, 10, 100, 1000, 5000))
    return Sim(
        policy,
        harts,
        slice_=slice_,
        period=rng.choice((slice_, slice_ * 10, slice_ * 3 + 7)),
        tick=rng.choice((1, 10, 37)),
        quantum=rng.choice((50, 1000, 20_000)),
        library=library,
    )


class Play:
    """A scenario under way."""

    def __init__(self, sim: Sim) -> None:
        self.sim = sim
        self.weight: dict[int, int] = {}
        self.cap: dict[int, int] = {}
        self.pins: dict[Vcpu, int] = {}
        sim.watch("run")

    def act(self, action: Action) -> None:
        """Do one thing, let time pass, and look."""
        vms = list(self.sim.vcpus)
        if action.kind == "create" and len(vms) < MAX_VMS:
            self._create(action)
        elif action.kind not in ("create", "wait") and vms:
            vm = vms[action.vm % len(vms)]
            getattr(self, f"_{action.kind}")(vm, action)
        self.sim.run(self.sim.now + action.cycles)
        self._look()

    def _create(self, action: Action) -> None:
        weight = max(action.value, 1)
        programs = action.programs
        vm = self.sim.vm(len(programs), steps=programs, weight=weight)
        self.weight[vm], self.cap[vm] = weight, 0
        for i in range(len(programs)):
            self.pins[Vcpu(vm, i)] = ALL

    def _destroy(self, vm: int, _: Action) -> None:
        self.sim.destroy(vm)

    def _pause(self, vm: int, _: Action) -> None:
        self.sim.pause(vm)

    def _resume(self, vm: int, _: Action) -> None:
        self.sim.pause(vm, on=False)

    def _weight(self, vm: int, action: Action) -> None:
        self.weight[vm] = max(action.value, 1)
        self._change(vm)

    def _cap(self, vm: int, action: Action) -> None:
        self.cap[vm] = action.value % 200
        self._change(vm)

    def _change(self, vm: int) -> None:
        try:
            self.sim.change(vm, weight=self.weight[vm], cap=self.cap[vm])
        except Refused as why:
            raise Failed(str(why)) from None

    def _pin(self, vm: int, action: Action) -> None:
        vcpu = Vcpu(vm, action.vcpu % self.sim.vcpus[vm])
        harts = action.value % 256
        if self.sim.pin(vm, vcpu.number, harts):
            self.pins[vcpu] = harts

    def _interrupt(self, vm: int, action: Action) -> None:
        self.sim.interrupt(vm, action.vcpu % self.sim.vcpus[vm])

    def _look(self) -> None:
        for event in self.sim.take():
            vcpu = Vcpu(event.vm, event.vcpu)
            if not self.pins[vcpu] >> event.hart & 1:
                raise Failed("a vCPU runs on a hart that it may not run on")
        harts = [self.sim.hart(i) for i in range(self.sim.harts)]
        busy = sum(int(h.guest + h.hypervisor) for h in harts)
        guest = sum(int(h.guest) for h in harts)
        if not guest <= self.sim.all_charged <= busy:
            raise Failed("charges do not add up to what the harts have spent")


def play(seed: int, policy: str, library: Library | None = None) -> int:
    """Play the scenario of a seed; return how many decisions it took.

    :raises Failed: if something does not hold.
    """
    rng = random.Random(seed)
    harts = rng.choice((1, 2, 3, 4, 8))
    sim = host(rng, policy, harts, library)
    run(sim, draw(rng, harts))
    return sim.decisions


def run(sim: Sim, actions: Sequence[Action]) -> None:
    """Play these actions."""
    scene = Play(sim)
    for action in actions:
        scene.act(action)


def in_turn(seed: int, library: Library | None = None) -> None:
    """Check that round robin on one hart takes turns as specified.

    :raises Failed: if it does not.
    """
    rng = random.Random(seed)
    sim = Sim("rr", slice_=rng.choice((10, 1000)), library=library)
    sim.watch("run", "stop", "wake")
    for _ in range(rng.randrange(2, 6)):
        steps = [
            (rng.choice((RUN, RUN, SLEEP)), rng.choice((10, 900, 20_000)), 0)
            for _ in range(4)
        ]
        sim.vm(steps=[*steps, (RUN, 5, 0)])
    sim.run(300_000)
    model = RoundRobin()
    for event in sim.take():
        vcpu = Vcpu(event.vm, event.vcpu)
        if event.kind == "wake" or (event.kind == "stop" and event.arg):
            # Who stops with others waiting is put behind them.
            model.wait(vcpu)
        elif event.kind == "run":
            if model.next_of(model.came) != vcpu:
                raise Failed("round robin: not the one who waited longest")
            model.go(vcpu)
