"""Hosts with many small guests: what the tests of labs about time look at.

Each guest is a few instructions, poked in, that take what they need to know
from registers; so nothing else counts, and no compiler is needed. Who was on
which hart, and when, is read from the events `run` and `stop`, which carry the
clock of the hart. No policy has a hand in them: they are the oracle of what a
policy has charged.
"""

from collections.abc import Iterable
from itertools import pairwise

from hv.closing import Closing
from hv.errors import UsageError
from hv.hypervisor import Hypervisor
from hv.labs.points import fail
from hv.vm import VM

RAM = 0x80000000
TICK = 10  # cycles of a tick
SLICE, PERIOD = 1000, 10_000  # ticks, of a crowd's host
ROUND = 20_000  # instructions that all of a host execute at a stretch
PATIENCE = 100  # of those
EVENTS = 1 << 13  # noted at a stretch

# Only computes.
HOG = (0x0000006F,)  # j .

# Has two vCPUs, of which both compute.
PAIR = (
    0x02051063,  # bnez a0, +32     the second one is there
    0x00100513,  # li   a0, 1       hart_start(1, RAM)
    0x800005B7,  # lui  a1, 0x80000
    0x00000613,  # li   a2, 0
    0x004858B7, 0x34D88893,  # li a7, HSM
    0x00000813,  # li   a6, 0
    0x00000073,  # ecall
    0x0000006F,  # j    .
)  # fmt: skip

LISTEN = (0x02000293, 0x10429073)  # li t0, 0x20; csrw sie, t0: the timer
SLEEP = (  # until a0
    0x00000593,  # li   a1, 0
    0x544958B7, 0xD4588893,  # li a7, TIME
    0x00000813,  # li   a6, 0       set_timer
    0x00000073,  # ecall
    0x10500073,  # wfi
)  # fmt: skip
WORK = (  # two instructions, s2 times
    0x00090293,  # mv   t0, s2
    0xFFF28293,  # addi t0, t0, -1
    0xFE029EE3,  # bnez t0, -4
)

# Is woken every s1 ticks, and works.
WAKER = (
    *LISTEN,
    0xC0102473,  # rdtime s0
    0x00940433,  # add  s0, s0, s1
    0x00040513,  # mv   a0, s0
    *SLEEP,
    *WORK,
    0xFD5FF06F,  # j    -44
)

# Works, and sleeps for s1 ticks.
NAPPER = (
    *LISTEN,
    *WORK,
    0xC0102573,  # rdtime a0
    0x00950533,  # add  a0, a0, s1
    *SLEEP,
    0xFD5FF06F,  # j    -44
)

# Computes, but from s2 ticks before each multiple of s1 until s3 behind it.
THIEF = (
    *LISTEN,
    0xC01022F3,  # rdtime t0
    0x0292F333,  # remu t1, t0, s1
    0x412483B3,  # sub  t2, s1, s2
    0xFE736AE3,  # bltu t1, t2, -12
    0x406282B3,  # sub  t0, t0, t1
    0x009282B3,  # add  t0, t0, s1
    0x01328533,  # add  a0, t0, s3
    *SLEEP,
    0xFCDFF06F,  # j    -52
)

# Asks the hypervisor for something, again and again.
CALLER = (
    0x000008B7, 0x01088893,  # li a7, BASE
    0x00000813,  # li   a6, 0       the version of the specification
    0x00000073,  # ecall
    0xFF1FF06F,  # j    -16
)  # fmt: skip


class Crowd(Closing):
    """A host of several VMs, and a record of who ran when."""

    def __init__(self, policy: str, harts: int = 1) -> None:
        self.host = Hypervisor(
            ram="64MiB", policy=policy, harts=harts, slice=SLICE, period=PERIOD
        )
        self._watch = self.host.watch(
            ["run", "stop", "wake", "exit"], capacity=EVENTS
        )
        self._watch.__enter__()
        self._drain = self.host.host.tap
        self._seen = self._until = 0
        self.host.host.tap = self._look

    def close(self) -> None:
        """Free the host."""
        self._watch.__exit__()
        self.host.close()

    def add(
        self,
        code: Iterable[int],
        registers: tuple[int, ...] = (),
        *,
        vcpus: int = 1,
        **schedule: int,
    ) -> VM:
        """Boot a VM.

        :param registers: what s1, s2 ... hold.
        :param schedule: as :meth:`hv.Hypervisor.create` takes it.
        :raises UsageError: the policy cannot promise so much.
        """
        vm = self.host.create(mem="1MiB", vcpus=vcpus, **schedule)  # type: ignore[arg-type]
        vm.mem.write(RAM, b"".join(w.to_bytes(4, "little") for w in code))
        vm.boot(RAM, 0, 0)
        for number, value in enumerate(registers, 1):
            vm.cpu[0].set_reg(f"s{number}", value)
        return vm

    def admits(self, budget: int, period: int) -> bool:
        """Say if a VM that only computes is let in with this budget."""
        try:
            self.add(HOG, budget=budget, period=period)
        except UsageError:
            return False
        return True

    @property
    def now(self) -> int:
        """Cycles of the hart that is furthest behind."""
        return min(hart.cycles for hart in self.host.harts)

    def run(self, ticks: int) -> None:
        """Let time pass on all harts, up to so many ticks.

        :raises Failed: nobody gets to run, or a hart's time stands still.
        """
        still, self._until = 0, ticks * TICK
        while (before := self.now) < self._until:
            result = self.host.run(ROUND)
            still = 0 if self.now > before else still + 1
            if still and (not result.insns or still > PATIENCE):
                fail(
                    f"after {before // TICK} ticks no vCPU runs any more, "
                    "though some want to"
                )

    def _look(self) -> None:
        """Take the events; the core returns whenever there are too many.

        A run is so many instructions long. If none is executed, but there is
        one exit after the other, it has no end.
        """
        if self._drain is not None:
            self._drain()
        new = self._watch.events[self._seen :]
        self._seen += len(new)
        if len(new) > EVENTS // 2 and new[-1].cycle > self._until:
            fail(
                f"{len(new)} exits and switches, one after the other, and "
                "hardly an instruction: nobody gets to run for any time"
            )

    def spans(self, vm: VM) -> list[tuple[int, int]]:
        """Return from when to when its vCPUs were on harts, in cycles."""
        found, began = [], dict[int, int]()
        for event in self._watch.events.of("run", "stop"):
            if event.vm != vm.number:
                continue
            if event.kind == "run":
                began[event.vcpu] = event.cycle
            elif event.vcpu in began:
                found.append((began.pop(event.vcpu), event.cycle))
        return found + [
            (begin, max(begin, self.now)) for begin in began.values()
        ]

    def used(self, vm: VM, every: int, periods: int) -> list[int]:
        """Return for how many ticks its vCPUs were on harts in each period.

        :param every: a period's ticks; the first begins at time 0.
        """
        sums, length = [0] * periods, every * TICK
        for begin, end in self.spans(vm):
            for i in range(begin // length, min(end // length + 1, periods)):
                first, last = i * length, (i + 1) * length
                sums[i] += max(0, min(end, last) - max(begin, first))
        return [total // TICK for total in sums]

    def got(self, vm: VM, ticks: int) -> int:
        """Return for how many ticks it was on harts until then."""
        return self.used(vm, ticks, 1)[0]

    def waits(self, vm: VM) -> list[int]:
        """Return how many ticks passed from each wake until it ran."""
        found, woken = [], None
        for event in self._watch.events.of("wake", "run"):
            if event.vm != vm.number:
                continue
            if event.kind == "wake":
                woken = event.cycle
            elif woken is not None:
                found.append((event.cycle - woken) // TICK)
                woken = None
        return found

    def gaps(self, vm: VM) -> list[int]:
        """Return for how many ticks each time it was not on a hart."""
        return [
            (after[0] - before[1]) // TICK
            for before, after in pairwise(self.spans(vm))
        ]
