"""A recorded run: its events, and what they alone do not say.

Events name VMs by number and begin in the middle of things; so a recording
also knows the names, and who ran where when it began and when it ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from hv.core import lib
from hv.events import CAPACITY, EventKind, Events
from hv.facts import Policy, Runstate

if TYPE_CHECKING:
    from hv.hypervisor import Hypervisor

Vcpu = tuple[int, int]  # the number of its VM, and its own in there


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everybody's state between two runs.

    :param cycles: the clock of each hart.
    :param running: the vCPU on each hart, or None.
    :param states: of each vCPU, and whether it is parked.
    """

    cycles: tuple[int, ...]
    running: tuple[Vcpu | None, ...]
    states: dict[Vcpu, tuple[Runstate, bool]]


@dataclass(frozen=True, slots=True)
class Recording:
    """What happened between two moments.

    :param kinds: those that were noted.
    :param policy: how the scheduler chose.
    :param slice: its time slice, in ticks of ``time``.
    :param names: of the VMs, by number, in the order of their creation.
    :param time_div: cycles of a tick of ``time``.
    """

    events: Events
    kinds: frozenset[EventKind]
    policy: Policy
    slice: int
    names: dict[int, str]
    time_div: int
    begin: Snapshot
    end: Snapshot

    @property
    def harts(self) -> int:
        """How many harts the machine has."""
        return len(self.begin.cycles)

    def nanoseconds(self, cycle: int) -> int:
        """Return the machine time of a cycle, from the machine's start.

        A tick of ``time`` is 100 ns (the timebase is 10 MHz), so a cycle is
        that divided by ``time_div``; rounded down.
        """
        return cycle * 10**9 // (self.time_div * lib.TIMEBASE_HZ)

    def cycle_at(self, seconds: float) -> int:
        """Return the cycle at which so much machine time is over."""
        return round(seconds * self.time_div * lib.TIMEBASE_HZ)


class Recorder:
    """Note events while it is open; :func:`record` makes it."""

    def __init__(
        self,
        hypervisor: "Hypervisor",
        kinds: Iterable[str] | None,
        capacity: int,
    ) -> None:
        chosen = tuple(EventKind if kinds is None else kinds)
        self._hypervisor = hypervisor
        self._watch = hypervisor.watch(chosen, capacity=capacity)
        self._kinds = frozenset(map(EventKind, chosen))
        self._names: dict[int, str] = {}
        self._begin = self._end = self._look()

    def __enter__(self) -> Self:
        """Begin to note.

        :raises UsageError: if somebody watches already.
        """
        self._watch.__enter__()
        self._begin = self._end = self._look()
        return self

    def __exit__(self, *raised: object) -> None:
        """Note no more."""
        self._watch.__exit__(*raised)
        if not self._hypervisor.host.closed:
            self._end = self._look()

    @property
    def recording(self) -> Recording:
        """What was noted while it was open."""
        return Recording(
            events=self._watch.events,
            kinds=self._kinds,
            policy=self._hypervisor.policy,
            slice=self._hypervisor.host.slice,
            names=dict(self._names),
            time_div=self._hypervisor.host.time_div,
            begin=self._begin,
            end=self._end,
        )

    def _look(self) -> Snapshot:
        harts = self._hypervisor.harts
        vms = self._hypervisor.vms
        self._names |= {vm.number: vm.name for vm in vms}
        return Snapshot(
            cycles=tuple(hart.cycles for hart in harts),
            running=tuple(
                None if hart.vm is None else (hart.vm, hart.vcpu or 0)
                for hart in harts
            ),
            states={
                (vm.number, i): (vcpu.state, vcpu.parked)
                for vm in vms
                for i, vcpu in enumerate(vm.vcpus)
            },
        )


def record(
    hypervisor: "Hypervisor",
    kinds: Iterable[str] | None = None,
    *,
    capacity: int = CAPACITY,
) -> Recorder:
    """Record what happens from here on: a context manager.

    :param kinds: which of :class:`hv.EventKind`; None is all of them.
    :raises UsageError: as :meth:`hv.Hypervisor.watch`.

    >>> from hv import Hypervisor
    >>> with Hypervisor() as hypervisor:
    ...     hypervisor.create(name="a").boot(0x80000000)
    ...     with record(hypervisor, ["run", "stop"]) as recorder:
    ...         result = hypervisor.run(10)
    >>> recording = recorder.recording
    >>> recording.names, recording.events[0].kind.value
    ({1: 'a'}, 'run')
    """
    return Recorder(hypervisor, kinds, capacity)
