"""A recording as a picture: a row per hart and per vCPU, time to the right.

Each VM has a colour. A hart's row has the colour of whom it runs; a vCPU's row
tells its states by the shape of the bar as well: full while it runs, half of it
while it waits for a hart, an empty frame while it may not run, a thin line
while it is blocked, nothing while it is off.

Where more happens than there are pixels, a row shows columns instead: how high
a colour reaches says which part of that column's time it had.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hv import svg
from hv.trace.recording import Recording
from hv.trace.timeline import Activity, Span, Timeline, within
from hv.units import TICKS

# Okabe and Ito's colours (see hv.svg), without those that the states have.
_VMS = ("#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#f0e442")
_DARK = frozenset(("#0072b2", "#009e73"))  # white text can be read on these
_STOLEN, _BLOCKED, _FRAME = "#d55e00", "#999999", "#000000"

_LEFT, _RIGHT, _TOP = 118, 30, 92
_ROW, _GAP, _GROUP = 20, 5, 12
_COLUMN = 2  # pixels
_DENSE = 400  # spans of a row; if there are more, columns are shown
_WIDTH = 900

_LEGEND = (
    ("running, in its VM's colour", Activity.RUNNING),
    ("waits for a hart: stolen", Activity.RUNNABLE),
    ("may not run: cap or budget", Activity.PARKED),
    ("blocked", Activity.BLOCKED),
)

Place = tuple[float, float, float]  # x, y, width, in a row
Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a cycle lies in the picture."""

    begin: int
    end: int
    width: float

    def x(self, cycle: float) -> float:
        return _LEFT + self.width * (cycle - self.begin) / (
            self.end - self.begin
        )


# Which part of a row's height a state takes, from the bottom up.
_HEIGHT = {
    Activity.RUNNING: 1.0,
    Activity.RUNNABLE: 0.5,
    Activity.PARKED: 0.5,
    Activity.BLOCKED: 0.1,
}


class _Picture:
    """The picture under construction."""

    def __init__(self, timeline: Timeline, scale: _Scale) -> None:
        self.timeline = timeline
        self.scale = scale
        rows = len(timeline.harts) + len(timeline.order)
        self.bottom = _TOP + rows * (_ROW + _GAP) + _GROUP
        recording = timeline.recording
        self.canvas = svg.Canvas(
            _LEFT + scale.width + _RIGHT,
            self.bottom + 44,
            f"Who ran when, under {recording.policy}",
        )
        self.colours = {
            vm: _VMS[i % len(_VMS)] for i, vm in enumerate(recording.names)
        }
        self.columns = False

    def draw(self) -> str:
        self.axis()
        y = float(_TOP)
        for hart, spans in enumerate(self.timeline.harts):
            self.label(y, f"hart {hart}")
            self.row(y, spans, by_vm=True)
            self.slots(y, hart)
            y += _ROW + _GAP
        y += _GROUP
        for vcpu in self.timeline.order:
            self.label(y, self.timeline.name(vcpu), self.colours[vcpu[0]])
            self.row(y, self.timeline.vcpus[vcpu], by_vm=False)
            y += _ROW + _GAP
        self.head()
        return self.canvas.render()

    # -- around the rows -----------------------------------------------------

    def head(self) -> None:
        recording = self.timeline.recording
        title, notes = self.canvas.title, []
        if self.timeline.slots:
            notes.append("lines across a hart's row: a slot begins")
        else:
            title += f": slices of {_time(recording.slice / TICKS)}"
        if self.columns:
            notes.append("dense rows: height is the part of the time")
        self.canvas.text(_LEFT, 22, title, size=14)
        x = float(_LEFT)
        for name, activity in _LEGEND:
            self.piece((x, 34, 22), activity, _VMS[0])
            self.canvas.text(x + 28, 48, name)
            x += 46 + 6.3 * len(name)
        self.canvas.text(
            *(_LEFT, 70, "; ".join(notes)), size=11, fill="#444444"
        )

    def label(self, y: float, name: str, colour: str = "") -> None:
        if colour:
            self.canvas.rectangle(_LEFT - 16, y + 4, 10, _ROW - 8, colour)
        shown = name if len(name) <= 14 else f"{name[:6]}…{name[-7:]}"
        at = _LEFT - (22 if colour else 8)
        self.canvas.text(at, y + _ROW - 6, shown, anchor="end")

    def axis(self) -> None:
        recording = self.timeline.recording
        begin, end = (
            recording.nanoseconds(cycle) / 1e9
            for cycle in (self.scale.begin, self.scale.end)
        )
        step = svg.ticks(end - begin, 8)[1]
        first, last = math.ceil(begin / step - 1e-9), math.floor(end / step)
        for n in range(first, last + 1):
            x = _LEFT + self.scale.width * (n * step - begin) / (end - begin)
            self.canvas.line((x, _TOP - 6), (x, self.bottom), "#dddddd")
            self.canvas.text(
                *(x, self.bottom + 16, _time(n * step)),
                size=11,
                anchor="middle",
            )
        right = _LEFT + self.scale.width
        self.canvas.line((_LEFT, self.bottom), (right, self.bottom), "#444444")
        self.canvas.text(
            *(_LEFT + self.scale.width / 2, self.bottom + 34),
            "machine time",
            size=11,
            anchor="middle",
        )

    # -- the rows ------------------------------------------------------------

    def row(self, y: float, spans: list[Span], *, by_vm: bool) -> None:
        seen = list(within(spans, self.scale.begin, self.scale.end))
        if len(seen) > _DENSE:
            self.columns = True
            self.dense(y, seen)
            return
        for span in seen:
            x = self.scale.x(span.begin)
            width = self.scale.x(span.end) - x
            colour = self.colours[span.vcpu[0]]
            name = self.timeline.name(span.vcpu)
            hint = self.hint(span, name)
            self.piece((x, y, width), span.activity, colour, hint)
            if by_vm:
                self.inside((x, y, width), name, colour)

    def slots(self, y: float, hart: int) -> None:
        """Mark where fixed slots begin, if there are not too many."""
        begins = [
            cycle
            for cycle, here, _ in self.timeline.slots
            if here == hart and self.scale.begin <= cycle <= self.scale.end
        ]
        for cycle in begins if len(begins) <= _DENSE // 4 else ():
            x = self.scale.x(cycle)
            self.canvas.line((x, y - 3), (x, y + _ROW + 2), "#000000")

    def piece(
        self, at: Place, activity: Activity, colour: str, hint: str = ""
    ) -> None:
        """Draw a state: by colour, and by shape."""
        x, y, width = at
        height = _ROW * _HEIGHT.get(activity, 0.0)
        y += _ROW - height
        match activity:
            case Activity.RUNNING:
                # A gap between two runs, where there is room for one.
                gap = 1 if width > 3 else 0
                self.canvas.rectangle(x, y, width - gap, height, colour, hint)
            case Activity.RUNNABLE:
                self.canvas.rectangle(x, y, width, height, _STOLEN, hint)
            case Activity.PARKED:
                self.canvas.rectangle(
                    *(x + 0.5, y + 0.5, max(width - 1, 0.5), height - 1),
                    "#ffffff",
                    hint,
                    stroke=_FRAME,
                )
            case Activity.BLOCKED:
                self.canvas.rectangle(x, y, width, height, _BLOCKED, hint)

    def inside(self, at: Place, name: str, colour: str) -> None:
        x, y, width = at
        if width > 7 * len(name) + 6:
            self.canvas.text(
                *(x + width / 2, y + _ROW - 6, name),
                size=11,
                anchor="middle",
                fill="#ffffff" if colour in _DARK else "#000000",
            )

    def hint(self, span: Span, name: str) -> str:
        recording = self.timeline.recording
        begin, end = (
            recording.nanoseconds(cycle) / 1000
            for cycle in (span.begin, span.end)
        )
        where = f" on hart {span.hart}" if span.hart is not None else ""
        return (
            f"{name} {span.activity}{where}, {begin:g} to {end:g} us "
            f"({end - begin:.2f} us)"
        )

    def dense(self, y: float, spans: Sequence[Span]) -> None:
        """Draw columns: of a hart's row by VM, of a vCPU's row by state."""
        count = max(1, int(self.scale.width / _COLUMN))
        shares: list[dict[str, float]] = [{} for _ in range(count)]
        for span in spans:
            colour = _colour(span, self.colours)
            for column, part in self.parts(span, count):
                have = shares[column]
                have[colour] = have.get(colour, 0.0) + part
        order = (*_VMS, _STOLEN, _FRAME, _BLOCKED)
        for colour in order:
            self.canvas.boxes(_stacked(shares, order, colour, y), colour)

    def parts(self, span: Span, count: int) -> Iterable[tuple[int, float]]:
        """Return which part of which columns a span fills."""
        if span.activity not in _HEIGHT:
            return
        scale = self.scale
        each = (scale.end - scale.begin) / count
        first = (span.begin - scale.begin) / each
        last = (span.end - scale.begin) / each
        for column in range(int(first), min(int(last), count - 1) + 1):
            part = min(last, column + 1) - max(first, column)
            if part > 0:
                yield column, part


def _colour(span: Span, colours: dict[int, str]) -> str:
    return {
        Activity.RUNNABLE: _STOLEN,
        Activity.PARKED: _FRAME,
        Activity.BLOCKED: _BLOCKED,
    }.get(span.activity, colours[span.vcpu[0]])


def _stacked(
    shares: Sequence[dict[str, float]],
    order: Sequence[str],
    colour: str,
    y: float,
) -> Iterable[Box]:
    """Return a colour's box in each column: above those before it in order."""
    for column, have in enumerate(shares):
        if not have.get(colour):
            continue
        below = sum(
            have.get(other, 0.0) for other in order[: order.index(colour)]
        )
        height = _ROW * have[colour] * (0.15 if colour == _BLOCKED else 1)
        top = y + _ROW * (1 - min(below, 1.0)) - height
        yield _LEFT + column * _COLUMN, max(top, y), _COLUMN, height


def _time(seconds: float) -> str:
    """Return a time in the unit that suits it.

    >>> _time(0), _time(0.00125), _time(2.5e-05), _time(3)
    ('0', '1.25 ms', '25 us', '3 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size * 0.999999:
            return f"{seconds / size:.6g} {unit}"
    return f"{seconds / 1e-9:.6g} ns" if seconds else "0"


def gantt(
    recording: Recording,
    *,
    begin: float = 0.0,
    end: float | None = None,
    width: int = _WIDTH,
) -> str:
    """Return a picture of who ran when, as the text of an SVG file.

    :param begin: where it begins, in seconds of machine time.
    :param end: where it ends; None is at the end.
    :param width: of the rows, in pixels.
    """
    timeline = Timeline(recording)
    first = max(timeline.begin, recording.cycle_at(begin))
    last = timeline.end
    if end is not None:
        last = min(last, recording.cycle_at(end))
    return _Picture(timeline, _Scale(first, max(last, first + 1), width)).draw()
