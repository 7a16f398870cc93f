"""A recording in the Chrome trace format, which Perfetto's viewer reads, too.

The format: "Trace Event Format" (Google, 2016); JSON, times in microseconds.
One process is the machine, with a track per hart; each VM is a process with a
track per vCPU. Slices of a track only ever nest: a run, and in it what the
hypervisor did. Kicks and IPIs are arrows, queues and credits are counters.

Times are written to the nanosecond, rounded down from cycles. So they never go
back on a track, and one slice's end never passes another's beginning, which
begin-and-duration pairs cannot promise.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from operator import itemgetter

from hv.events import Event, EventKind
from hv.trace.causes import cause_name
from hv.trace.recording import Recording, Vcpu
from hv.trace.timeline import Activity, Flow, Span, Timeline, Work

CLOCK = (
    "machine time: ts in microseconds, from the hart's cycles; "
    "1 tick of the 10 MHz timebase is 0.1 us is {} cycles"
)
MACHINE = 1  # the process of the harts; VMs come after it
_PER_PROCESS = 64  # tracks at most, so that their ids are unique

# At the same cycle: what is inside ends first and begins last.
_END_INNER, _END_OUTER, _BEGIN_OUTER, _BEGIN_INNER, _MARK = range(5)

_SHOWN = (Activity.RUNNING, Activity.RUNNABLE, Activity.PARKED)

Track = tuple[int, int]  # pid, tid
Line = tuple[int, int, str]  # cycle, order at that cycle, the JSON


class _Writer:
    """What all lines need to know."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.recording = timeline.recording
        names = self.recording.names
        self.pids = {vm: MACHINE + 1 + i for i, vm in enumerate(names)}

    def lines(self) -> Iterator[str]:
        """Return every event of the file as JSON."""
        yield from self.names()
        tracks: list[Line] = []
        for hart, runs in enumerate(self.timeline.harts):
            tracks += self.hart(hart, runs)
        works: dict[Vcpu, list[Work]] = {v: [] for v in self.timeline.order}
        for work in self.timeline.work:
            if work.vcpu is not None:
                works[work.vcpu].append(work)
        for vcpu in self.timeline.order:
            tracks += self.vcpu(vcpu, works[vcpu])
        tracks += self.marks()
        tracks += self.flows()
        tracks.sort(key=itemgetter(0, 1))
        yield from map(itemgetter(2), tracks)

    # -- names ---------------------------------------------------------------

    def names(self) -> Iterator[str]:
        yield from self.named(MACHINE, None, "process", "harts")
        for hart in range(self.recording.harts):
            track = self.on_hart(hart)
            yield from self.named(*track, "thread", f"hart {hart}")
        for vm, pid in self.pids.items():
            name = f"VM {self.recording.names[vm]}"
            yield from self.named(pid, None, "process", name)
        for vcpu in self.timeline.order:
            yield from self.named(
                *self.on_vcpu(vcpu), "thread", f"vCPU {vcpu[1]}"
            )

    def named(
        self, pid: int, tid: int | None, what: str, name: str
    ) -> Iterator[str]:
        where = {"ph": "M", "pid": pid, "tid": pid if tid is None else tid}
        order = pid if tid is None else tid
        for key, args in (
            (f"{what}_name", {"name": name}),
            (f"{what}_sort_index", {"sort_index": order}),
        ):
            yield json.dumps({"name": key, **where, "args": args})

    def on_hart(self, hart: int) -> Track:
        return MACHINE, MACHINE * _PER_PROCESS + hart

    def on_vcpu(self, vcpu: Vcpu) -> Track:
        pid = self.pids[vcpu[0]]
        return pid, pid * _PER_PROCESS + vcpu[1]

    # -- slices --------------------------------------------------------------

    def hart(self, hart: int, runs: list[Span]) -> Iterator[Line]:
        track = self.on_hart(hart)
        for run in runs:
            name = self.timeline.name(run.vcpu)
            yield from self.outer(track, run.begin, run.end, "run", name)
        for work in self.timeline.work:
            if work.hart != hart:
                continue
            shape = self.outer if work.vcpu is None else self.inner
            yield from shape(
                track, work.begin, work.end, "hypervisor", work.cause
            )

    def vcpu(self, vcpu: Vcpu, works: list[Work]) -> Iterator[Line]:
        track = self.on_vcpu(vcpu)
        runs = []
        for span in self.timeline.vcpus[vcpu]:
            if span.activity not in _SHOWN:
                continue
            name = str(span.activity)
            if span.activity is Activity.RUNNING:
                runs.append(span)
                name = f"on hart {span.hart}"
            yield from self.outer(
                track, span.begin, span.end, str(span.activity), name
            )
        for begin, end, work in _clipped(works, runs):
            yield from self.inner(track, begin, end, "hypervisor", work.cause)

    def outer(
        self, track: Track, begin: int, end: int, cat: str, name: str
    ) -> Iterator[Line]:
        yield begin, _BEGIN_OUTER, self.one("B", track, begin, cat, name)
        yield end, _END_OUTER, self.one("E", track, end, cat, name)

    def inner(
        self, track: Track, begin: int, end: int, cat: str, name: str
    ) -> Iterator[Line]:
        yield begin, _BEGIN_INNER, self.one("B", track, begin, cat, name)
        yield end, _END_INNER, self.one("E", track, end, cat, name)

    def one(
        self,
        phase: str,
        track: Track,
        cycle: int,
        cat: str,
        name: str,
        more: str = "",
    ) -> str:
        pid, tid = track
        return (
            f'{{"ph": "{phase}", "pid": {pid}, "tid": {tid}, '
            f'"ts": {self.time(cycle)}, "cat": "{cat}", '
            f'"name": {json.dumps(name)}{more}}}'
        )

    def time(self, cycle: int) -> str:
        whole, part = divmod(self.recording.nanoseconds(cycle), 1000)
        return f"{whole}.{part:03}"

    # -- the rest ------------------------------------------------------------

    def marks(self) -> Iterator[Line]:
        for event in self.recording.events.of(
            *(EventKind.INJECT, EventKind.QUEUE, EventKind.CREDIT),
            *(EventKind.SLOT, EventKind.END),
        ):
            if event.vm in self.pids or not event.vm:
                yield event.cycle, _MARK, self.mark(event)

    def mark(self, event: Event) -> str:
        hart = self.on_hart(event.hart)
        vcpu = (event.vm, event.vcpu)
        match event.kind:
            case EventKind.QUEUE:
                name = f"waiting for hart {event.hart}"
                args = f', "args": {{"vCPUs": {event.arg}}}'
                return self.one("C", hart, event.cycle, "queue", name, args)
            case EventKind.CREDIT:
                name = f"credit of vCPU {event.vcpu}"
                args = f', "args": {{"cycles": {event.arg}}}'
                track = self.on_vcpu(vcpu)
                return self.one("C", track, event.cycle, "credit", name, args)
            case EventKind.INJECT:
                track, name = self.on_vcpu(vcpu), cause_name(event.arg)
                name = f"delivered: {name}"
            case EventKind.SLOT:
                whose = self.recording.names.get(event.vm, "nobody")
                track, name = hart, f"slot of {whose}"
            case _:
                track, name = self.on_vcpu(vcpu), "the VM has ended"
        scope = ', "s": "t"'
        return self.one("i", track, event.cycle, event.kind, name, scope)

    def flows(self) -> Iterator[Line]:
        """Return arrows, of those whose both ends lie in a slice."""
        covers = self.covers()
        for number, flow in enumerate(self.timeline.flows, 1):
            ends = [
                (self.track(flow, hart, vcpu), cycle)
                for cycle, hart, vcpu in (flow.source, flow.target)
            ]
            if not all(t in covers and at in covers[t] for t, at in ends):
                continue
            for phase, (track, cycle) in zip("sf", ends, strict=True):
                more = f', "id": {number}' + ', "bp": "e"' * (phase == "f")
                line = self.one(phase, track, cycle, "flow", flow.kind, more)
                yield cycle, _MARK, line

    def covers(self) -> dict[Track, "_Cover"]:
        """Return where there are slices, by track."""
        alone = [work for work in self.timeline.work if work.vcpu is None]
        covers: dict[Track, _Cover] = {}
        for hart, runs in enumerate(self.timeline.harts):
            works = [work for work in alone if work.hart == hart]
            covers[self.on_hart(hart)] = _Cover([*runs, *works])
        for vcpu, spans in self.timeline.vcpus.items():
            shown = [span for span in spans if span.activity in _SHOWN]
            covers[self.on_vcpu(vcpu)] = _Cover(shown)
        return covers

    def track(self, flow: Flow, hart: int, vcpu: Vcpu | None) -> Track:
        """Say on which track an arrow ends: kicks are between harts."""
        if flow.kind is EventKind.KICK or vcpu is None:
            return self.on_hart(hart)
        return self.on_vcpu(vcpu)


class _Cover:
    """The cycles of a track at which there is a slice."""

    def __init__(self, pieces: Sequence[Span | Work]) -> None:
        self._edges = sorted((piece.begin, piece.end) for piece in pieces)

    def __contains__(self, cycle: int) -> bool:
        at = bisect_right(self._edges, (cycle, inf)) - 1
        return at >= 0 and cycle < self._edges[at][1]


def _clipped(
    works: Iterable[Work], runs: Sequence[Span]
) -> Iterator[tuple[int, int, Work]]:
    """Cut work to the run that it lies in: a row may begin a little late."""
    at = 0
    for work in works:
        while at < len(runs) and runs[at].end <= work.begin:
            at += 1
        if at == len(runs):
            return
        begin = max(work.begin, runs[at].begin)
        end = min(work.end, runs[at].end)
        if end > begin:
            yield begin, end, work


def chrome_lines(timeline: Timeline) -> Iterator[str]:
    """Return the lines of the file."""
    cycles = timeline.recording.time_div
    about = {"source": "hv", "clock": CLOCK.format(cycles)}
    yield (
        f'{{"displayTimeUnit": "ns", "otherData": {json.dumps(about)}, '
        '"traceEvents": ['
    )
    lines = _Writer(timeline).lines()
    last = next(lines)
    for line in lines:
        yield last + ","
        last = line
    yield last
    yield "]}"


def to_chrome(recording: Recording) -> str:
    """Return a recording as a file for Perfetto (https://ui.perfetto.dev)."""
    return "\n".join([*chrome_lines(Timeline(recording)), ""])
