"""Plots as SVG, written by hand: bars for a report, lines for the history.

Readable on a light and on a dark page: text and axes are a grey that both
show, the background is left alone. The colours are those of Okabe and Ito,
which colour-blind people can tell apart; markers differ as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from hv.bench.history import Entry
from hv.bench.report import Figure, Report

# Okabe and Ito, Color Universal Design (2008), without black and yellow.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#808080"
MISSED = PALETTE[1]
MET = PALETTE[0]

XMLNS = 'xmlns="http://www.w3.org/2000/svg"'
FONT = 'font-family="sans-serif" font-size="12"'
WIDTH = 720
LEFT = 260
RIGHT = 70
ROW = 22
TOP = 34


@dataclass
class Drawing:
    """Pieces of SVG on a canvas."""

    title: str
    height: float
    pieces: list[str] = field(default_factory=list)

    def add(self, name: str, text: str = "", **attributes: object) -> None:
        """Add an element; an underscore in an attribute's name is a dash."""
        pairs = "".join(
            f' {key.replace("_", "-")}="{_number(value)}"'
            for key, value in attributes.items()
        )
        body = f">{escape(text)}</{name}>" if text else "/>"
        self.pieces.append(f"<{name}{pairs}{body}")

    def text(self, x: float, y: float, what: str, anchor: str) -> None:
        """Write in grey; ``anchor`` is start, middle or end."""
        self.add("text", what, x=x, y=y, text_anchor=anchor, fill=GREY)

    def line(self, x: float, y: float, x2: float, y2: float) -> None:
        """Draw a thin grey line."""
        self.add(
            "line", x1=x, y1=y, x2=x2, y2=y2, stroke=GREY, stroke_opacity=0.4
        )

    def svg(self) -> str:
        """Return the whole document."""
        box = f'viewBox="0 0 {WIDTH} {self.height:g}" role="img"'
        return "\n".join(
            [
                f"<svg {XMLNS} {box} {FONT}>",
                f"<title>{escape(self.title)}</title>",
                *self.pieces,
                "</svg>",
                "",
            ]
        )


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return escape(str(value), {'"': "&quot;"})


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic axis: from ratios to places on the canvas."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value lies; one beyond an end lies there."""
        value = min(max(value, self.low), self.high)
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Return the powers of two on it."""
        first = math.ceil(math.log2(self.low) - 1e-9)
        last = math.floor(math.log2(self.high) + 1e-9)
        step = max(1, (last - first) // 8)
        return [2.0**n for n in range(first, last + 1, step)]


def scale(values: Sequence[float], begin: float, end: float) -> Scale:
    """Return an axis that has these values, and 1, on it."""
    good = [value for value in values if value > 0] or [1.0]
    low = 2.0 ** math.floor(math.log2(min(*good, 0.5)))
    high = 2.0 ** math.ceil(math.log2(max(*good, 2.0)))
    return Scale(low, high, begin, end)


def plot_report(report: Report) -> str:
    """Return the ratios of a report as bars, each with its aim.

    A bar begins at the aim, or at 1 where there is none, and points right if
    the figure is better than that.
    """
    ratios = [f for f in report.figures if f.unit == "x"]
    values = [_goodness(f) for f in ratios]
    axis = scale(values, LEFT, WIDTH - RIGHT)
    height = TOP + ROW * len(ratios) + 30
    drawing = Drawing(
        "Ratios, by how much they are better than the aim", height
    )
    drawing.text(LEFT, 14, "times better than the aim (* or than 1)", "start")
    for tick in axis.ticks():
        drawing.line(axis(tick), TOP - 6, axis(tick), height - 26)
        drawing.text(axis(tick), height - 10, f"{tick:g}", "middle")
    for i, (figure, value) in enumerate(zip(ratios, values, strict=True)):
        _bar(drawing, axis, TOP + ROW * i, figure, value)
    return drawing.svg()


def _goodness(figure: Figure) -> float:
    """Return how many times better than its aim a figure is."""
    if figure.margin is not None:
        return 1 + figure.margin
    return figure.value if figure.better == "more" else 1 / figure.value


def _bar(
    drawing: Drawing, axis: Scale, y: float, figure: Figure, value: float
) -> None:
    start, end = sorted((axis(1.0), axis(value)))
    colour = GREY if figure.met is None else MET if figure.met else MISSED
    star = "*" if figure.aim is None else ""
    drawing.text(LEFT - 8, y + 11, figure.what + star, "end")
    drawing.add(
        "rect",
        x=start,
        y=y,
        width=max(end - start, 1.0),
        height=ROW - 8,
        fill=colour,
    )
    drawing.text(WIDTH - RIGHT + 8, y + 11, f"{figure.value:.2f} x", "start")


def plot_history(entries: Sequence[Entry], names: Sequence[str]) -> str:
    """Return how ratios changed from commit to commit, one line each.

    :param names: the figures to draw, at most as many as there are colours.
    """
    names = names[: len(PALETTE)]
    legend = ROW * len(names)
    height = 300.0 + legend
    values = [e.ratios[n] for e in entries for n in names if n in e.ratios]
    axis = scale(values, 270, TOP)
    drawing = Drawing("Ratios by commit", height)
    for tick in axis.ticks():
        drawing.line(60, axis(tick), WIDTH - 20, axis(tick))
        drawing.text(52, axis(tick) + 4, f"{tick:g}", "end")
    step = (WIDTH - 120) / max(len(entries) - 1, 1)
    for i, name in enumerate(names):
        points = [
            (80 + step * k, axis(entry.ratios[name]))
            for k, entry in enumerate(entries)
            if name in entry.ratios
        ]
        _curve(drawing, points, PALETTE[i], i)
        y = 300.0 + ROW * i
        _marker(drawing, 70, y, PALETTE[i], i)
        drawing.text(84, y + 4, name, "start")
    if entries:
        drawing.text(80, 288, entries[0].date, "middle")
    if len(entries) > 1:
        drawing.text(
            80 + step * (len(entries) - 1), 288, entries[-1].date, "end"
        )
    return drawing.svg()


def _curve(
    drawing: Drawing, points: list[tuple[float, float]], colour: str, kind: int
) -> None:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    drawing.add(
        "polyline", points=path, fill="none", stroke=colour, stroke_width=2
    )
    for x, y in points:
        _marker(drawing, x, y, colour, kind)


def _marker(
    drawing: Drawing, x: float, y: float, colour: str, kind: int
) -> None:
    """Draw a disc, a square or a diamond."""
    if kind % 3 == 0:
        drawing.add("circle", cx=x, cy=y, r=4, fill=colour)
        return
    turn = f"rotate(45 {x:.1f} {y:.1f})" if kind % 3 == 2 else ""
    drawing.add(
        "rect",
        x=x - 4.0,
        y=y - 4.0,
        width=8,
        height=8,
        fill=colour,
        transform=turn,
    )
