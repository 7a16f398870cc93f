"""Events put in order: who was in which state, from when to when.

Rows, one per hart and one per vCPU, hold spans that follow each other without
overlap. Beside them lies the hypervisor's work: what it did for a vCPU lies
within a span in which that vCPU runs; what it did for nobody, between two runs.

A hart's clock only goes up, and so does a vCPU's, even if it moves. But what
one hart does to another's vCPU may come, by the clocks, a quantum too early:
then it counts from when the row has come to.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from hv.events import Event, EventKind
from hv.facts import Runstate
from hv.trace.causes import cause_name
from hv.trace.recording import Recording, Vcpu

# What one needs to know who ran when.
STATES = frozenset(
    (
        *(EventKind.RUN, EventKind.STOP, EventKind.WAKE, EventKind.SLEEP),
        *(EventKind.PARK, EventKind.UNPARK, EventKind.SLOT, EventKind.END),
    )
)


class Activity(StrEnum):
    """What a row shows: the states of a vCPU, and parked as one of its own."""

    RUNNING = "running"
    RUNNABLE = "runnable"  # it waits for a hart: stolen
    PARKED = "parked"  # a cap or budget forbids it to run
    BLOCKED = "blocked"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a row, from one cycle to another.

    :param vcpu: whom it is about.
    :param hart: on which it ran; None if on none.
    """

    begin: int
    end: int
    activity: Activity
    vcpu: Vcpu
    hart: int | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of the hypervisor's work on a hart.

    :param vcpu: whose exit it is, or who is about to run; None if nobody.
    :param cause: why the hypervisor came in, in words.
    """

    begin: int
    end: int
    hart: int
    vcpu: Vcpu | None
    cause: str


@dataclass(frozen=True, slots=True)
class Flow:
    """Something that one sends and another receives: a kick or an IPI.

    :param source: cycle, hart, and the vCPU that was there.
    :param target: the same, of the receiver.
    """

    kind: EventKind
    source: tuple[int, int, Vcpu | None]
    target: tuple[int, int, Vcpu | None]


@dataclass(slots=True)
class Row:
    """A row under construction: its spans, and the one that goes on."""

    at: int
    activity: Activity | None
    hart: int | None = None
    spans: list[Span] = field(default_factory=list)

    def change(
        self,
        cycle: int,
        vcpu: Vcpu,
        activity: Activity,
        hart: int | None = None,
    ) -> None:
        """Close the present span at a cycle, and begin another."""
        if (activity, hart) == (self.activity, self.hart):
            return
        cycle = max(cycle, self.at)
        if self.activity is not None and cycle > self.at:
            span = Span(self.at, cycle, self.activity, vcpu, self.hart)
            self.spans.append(span)
        self.at, self.activity, self.hart = cycle, activity, hart


_OF_STATE = {
    Runstate.RUNNING: Activity.RUNNING,
    Runstate.RUNNABLE: Activity.RUNNABLE,
    Runstate.BLOCKED: Activity.BLOCKED,
    Runstate.OFFLINE: Activity.OFFLINE,
}


class Timeline:
    """A recording as rows of spans.

    :ivar harts: the runs on each hart.
    :ivar vcpus: the states of each vCPU.
    :ivar work: what the hypervisor did, if exits and entries were noted.
    :ivar flows: kicks and IPIs that were received.
    :ivar slots: where a fixed slot began: cycle, hart, number of the VM.
    :ivar begin: the first cycle, of the earliest hart.
    :ivar end: the last cycle, of the latest hart.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.harts: list[list[Span]] = [[] for _ in range(recording.harts)]
        self.vcpus: dict[Vcpu, list[Span]] = {}
        self.work: list[Work] = []
        self.flows: list[Flow] = []
        self.slots: list[tuple[int, int, int]] = []
        self.begin = min(recording.begin.cycles)
        self.end = max(recording.end.cycles)
        _Builder(self).build()

    @property
    def order(self) -> list[Vcpu]:
        """The vCPUs, by VM in the order of creation."""
        vms = list(self.recording.names)
        return sorted(self.vcpus, key=lambda v: (vms.index(v[0]), v[1]))

    def name(self, vcpu: Vcpu) -> str:
        """Return what to call a vCPU: ``name.number``."""
        return f"{self.recording.names[vcpu[0]]}.{vcpu[1]}"


class _Builder:
    """The state while going through the events once."""

    def __init__(self, timeline: Timeline) -> None:
        self.out = timeline
        recording = timeline.recording
        self.recording = recording
        self.shows_work = {EventKind.EXIT, EventKind.ENTER} <= recording.kinds
        self.parked: set[Vcpu] = set()
        self.rows: dict[Vcpu, Row] = {}
        self.current: list[tuple[Vcpu, int] | None] = []
        # Where work has begun, and why; by hart.
        self.open: list[tuple[int, str] | None] = [None] * recording.harts
        self.sent: list[tuple[EventKind, int, Event, Vcpu | None]] = []
        for vcpu, (state, parked) in recording.begin.states.items():
            self.parked |= {vcpu} if parked else set()
            self.row(vcpu).activity = self.waiting(vcpu, _OF_STATE[state])
        for hart, vcpu_here in enumerate(recording.begin.running):
            cycle = recording.begin.cycles[hart]
            if vcpu_here is not None:
                self.row(vcpu_here).at = cycle
                self.row(vcpu_here).hart = hart
            self.current.append(vcpu_here and (vcpu_here, cycle))

    def build(self) -> None:
        steps = {
            EventKind.RUN: self.run,
            EventKind.STOP: self.stop,
            EventKind.WAKE: self.wake,
            EventKind.SLEEP: self.sleep,
            EventKind.PARK: self.park,
            EventKind.UNPARK: self.wake,
            EventKind.EXIT: self.exit,
            EventKind.ENTER: self.enter,
            EventKind.SLOT: self.slot,
            EventKind.END: self.gone,
            EventKind.KICK: self.send,
            EventKind.IPI: self.send,
        }
        for event in self.recording.events:
            self.receive(event)
            if step := steps.get(event.kind):
                step(event)
        self.finish()

    def row(self, vcpu: Vcpu) -> Row:
        if vcpu not in self.rows:
            self.rows[vcpu] = Row(self.out.begin, None)
        return self.rows[vcpu]

    def waiting(self, vcpu: Vcpu, activity: Activity) -> Activity:
        hidden = activity is Activity.RUNNABLE and vcpu in self.parked
        return Activity.PARKED if hidden else activity

    def runs(self, vcpu: Vcpu) -> bool:
        return self.row(vcpu).activity is Activity.RUNNING

    # -- states -------------------------------------------------------------

    def run(self, event: Event) -> None:
        vcpu = (event.vm, event.vcpu)
        self.parked.discard(vcpu)
        self.end_work(event, None)
        self.row(vcpu).change(event.cycle, vcpu, Activity.RUNNING, event.hart)
        self.current[event.hart] = (vcpu, event.cycle)
        self.begin_work(event, "switch")

    def stop(self, event: Event) -> None:
        vcpu = (event.vm, event.vcpu)
        cause = (self.open[event.hart] or (0, "switch"))[1]
        self.end_work(event, vcpu)
        self.end_run(event.hart, event.cycle)
        able = Activity.RUNNABLE if event.arg else Activity.BLOCKED
        self.row(vcpu).change(event.cycle, vcpu, self.waiting(vcpu, able))
        self.begin_work(event, cause)

    def wake(self, event: Event) -> None:
        vcpu = (event.vm, event.vcpu)
        if event.kind is EventKind.UNPARK:
            self.parked.discard(vcpu)
        if not self.runs(vcpu):
            state = self.waiting(vcpu, Activity.RUNNABLE)
            self.row(vcpu).change(event.cycle, vcpu, state)

    def sleep(self, event: Event) -> None:
        vcpu = (event.vm, event.vcpu)
        if not self.runs(vcpu):
            self.row(vcpu).change(
                event.cycle,
                vcpu,
                Activity.OFFLINE if event.arg else Activity.BLOCKED,
            )

    def park(self, event: Event) -> None:
        vcpu = (event.vm, event.vcpu)
        self.parked.add(vcpu)
        if self.row(vcpu).activity is Activity.RUNNABLE:
            self.row(vcpu).change(event.cycle, vcpu, Activity.PARKED)

    def gone(self, event: Event) -> None:
        for vcpu in [vcpu for vcpu in self.rows if vcpu[0] == event.vm]:
            if not self.runs(vcpu):
                self.row(vcpu).change(event.cycle, vcpu, Activity.OFFLINE)

    def slot(self, event: Event) -> None:
        self.out.slots.append((event.cycle, event.hart, event.vm))

    def end_run(self, hart: int, cycle: int) -> None:
        here = self.current[hart]
        if here is not None and cycle > here[1]:
            span = Span(here[1], cycle, Activity.RUNNING, here[0], hart)
            self.out.harts[hart].append(span)
        self.current[hart] = None

    # -- the hypervisor's work -----------------------------------------------

    def exit(self, event: Event) -> None:
        self.open[event.hart] = None
        self.begin_work(event, cause_name(event.arg))

    def enter(self, event: Event) -> None:
        self.end_work(event, (event.vm, event.vcpu))

    def begin_work(self, event: Event, cause: str) -> None:
        if self.shows_work:
            self.open[event.hart] = (event.cycle, cause)

    def end_work(self, event: Event, vcpu: Vcpu | None) -> None:
        begun = self.open[event.hart]
        self.open[event.hart] = None
        if begun is not None and event.cycle > begun[0]:
            self.out.work.append(
                Work(begun[0], event.cycle, event.hart, vcpu, begun[1])
            )

    # -- kicks and IPIs ------------------------------------------------------

    def send(self, event: Event) -> None:
        here = self.current[event.hart]
        to = event.arg
        if event.kind is EventKind.IPI and to == event.vcpu:
            return
        self.sent.append((event.kind, to, event, here and here[0]))

    def receive(self, event: Event) -> None:
        """See whether somebody has sent what this event answers to."""
        if not self.sent or event.kind not in _RECEIPTS:
            return
        here = (event.vm, event.vcpu) if event.vm else None
        for item in self.sent[:]:
            kind, to, source, sender = item
            if kind is EventKind.IPI:
                got = here == (source.vm, to) and event.kind in _OF_IPI
            else:
                got = event.hart == to and event.kind in _OF_KICK
            if got:
                self.sent.remove(item)
                at = min(source.cycle, event.cycle)
                self.out.flows.append(
                    Flow(
                        kind,
                        (at, source.hart, sender),
                        (event.cycle, event.hart, here),
                    )
                )

    # -- the end -------------------------------------------------------------

    def finish(self) -> None:
        recording = self.recording
        for hart, cycle in enumerate(recording.end.cycles):
            here = self.current[hart]
            begun = self.open[hart]
            if here and begun and cycle > begun[0]:
                self.out.work.append(
                    Work(begun[0], cycle, hart, here[0], begun[1])
                )
            self.end_run(hart, cycle)
        for vcpu, row in self.rows.items():
            end = self.out.end
            if row.activity is Activity.RUNNING and row.hart is not None:
                end = recording.end.cycles[row.hart]
            last = self.at_the_end(vcpu, row)
            row.activity = last
            if end > row.at and last is not None:
                row.spans.append(Span(row.at, end, last, vcpu, row.hart))
            self.out.vcpus[vcpu] = row.spans

    def at_the_end(self, vcpu: Vcpu, row: Row) -> Activity | None:
        """Say what it does in the end: events cannot tell that one is gone."""
        state = self.recording.end.states.get(vcpu)
        ended = state is None or state[0] is Runstate.OFFLINE
        return Activity.OFFLINE if ended else row.activity


_OF_IPI = (EventKind.INJECT, EventKind.ENTER, EventKind.RUN)
_OF_KICK = (EventKind.KICKED, EventKind.RUN, EventKind.EXIT)
_RECEIPTS = frozenset((*_OF_IPI, *_OF_KICK))


def within(spans: list[Span], begin: int, end: int) -> Iterator[Span]:
    """Return the spans of a row that lie between two cycles, cut to fit."""
    for span in spans:
        if span.end > begin and span.begin < end:
            yield Span(
                max(span.begin, begin),
                min(span.end, end),
                span.activity,
                span.vcpu,
                span.hart,
            )
