"""Pictures as SVG, written by hand: boxes, lines, text, and bars.

A picture is a pure function of its figures: the same text on every computer, so
that it can be compared, and needs no library to be drawn with.

The colours are those of Okabe and Ito, made to be told apart by people who see
colours differently (https://jfly.uni-koeln.de/color/, 2008).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

PALETTE = (
    "#000000",
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#0072b2",
    "#f0e442",
)
FONT = "font-family='sans-serif'"
MONO = "font-family='monospace'"
INK, PALE, EDGE = "#000000", "#f2f2f2", "#888888"


def colour(index: int) -> str:
    """Return the colour of a series; after the last comes the first again."""
    return PALETTE[index % len(PALETTE)]


def number(value: float) -> str:
    """Return a coordinate as text: short, and the same everywhere.

    >>> number(12.0), number(0.125), number(-0.001)
    ('12', '0.12', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def ticks(limit: float, count: int = 5) -> list[float]:
    """Return round numbers from 0 to the first that is not below a limit.

    :param limit: the largest value; 0 or less counts as 1.
    :param count: how many steps there are to be at most, about.

    >>> ticks(7.3)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    >>> ticks(1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    limit = limit if limit > 0 and math.isfinite(limit) else 1.0
    power = 10.0 ** math.floor(math.log10(limit / count))
    wide = (power * factor for factor in (1, 2, 5, 10, 20))
    step = next(width for width in wide if limit / width <= count)
    return [
        round(i * step, 12) for i in range(math.ceil(limit / step - 1e-9) + 1)
    ]


@dataclass(slots=True)
class Canvas:
    """An SVG picture, from the upper left corner; lengths are in pixels.

    :param title: what a screen reader says of the picture.
    """

    width: float
    height: float
    title: str
    parts: list[str] = field(default_factory=list)

    def rectangle(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        hint: str = "",
        *,
        stroke: str = "",
    ) -> None:
        """Fill a rectangle; a hint is shown when the mouse is over it.

        :param stroke: the colour of its edge, if it is to have one.
        """
        inside = f"<title>{escape(hint)}</title>" if hint else ""
        edge = f" stroke='{stroke}'" if stroke else ""
        self.parts.append(
            f"<rect x='{number(x)}' y='{number(y)}' width='{number(width)}' "
            f"height='{number(height)}' fill='{fill}'{edge}>{inside}</rect>"
        )

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        stroke: str = "#888888",
        dashes: str = "",
    ) -> None:
        """Draw a line of one pixel, dashed if lengths are given."""
        pattern = f" stroke-dasharray='{dashes}'" if dashes else ""
        self.parts.append(
            f"<line x1='{number(start[0])}' y1='{number(start[1])}' "
            f"x2='{number(end[0])}' y2='{number(end[1])}' "
            f"stroke='{stroke}'{pattern}/>"
        )

    def boxes(
        self,
        boxes: Iterable[tuple[float, float, float, float]],
        fill: str,
        hint: str = "",
    ) -> None:
        """Fill many rectangles (x, y, width, height) in one colour, as one."""
        path = "".join(
            f"M{number(x)} {number(y)}h{number(w)}v{number(h)}h{number(-w)}z"
            for x, y, w, h in boxes
        )
        inside = f"<title>{escape(hint)}</title>" if hint else ""
        if path:
            self.parts.append(f"<path d='{path}' fill='{fill}'>{inside}</path>")

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float]
    ) -> None:
        """Draw a line to the right with a head at its end."""
        self.line(start, end, "#444444")
        x, y = end
        points = " ".join(
            f"{number(x - dx)},{number(y + dy)}"
            for dx, dy in ((0, 0), (7, -4), (7, 4))
        )
        self.parts.append(f"<polygon points='{points}' fill='#444444'/>")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 12,
        anchor: str = "start",
        turn: int = 0,
        fill: str = "",
        mono: bool = False,
    ) -> None:
        """Write a line of text.

        :param anchor: what of it lies at x: ``start``, ``middle``, ``end``.
        :param turn: degrees, clockwise.
        :param fill: its colour; default black.
        :param mono: all letters of one width, for numbers below each other.
        """
        at = f"{number(x)} {number(y)}"
        turned = f" transform='rotate({turn} {at})'" if turn else ""
        ink = f" fill='{fill}'" if fill else ""
        self.parts.append(
            f"<text x='{number(x)}' y='{number(y)}' {MONO if mono else FONT} "
            f"font-size='{size}' text-anchor='{anchor}'{ink}{turned}>"
            f"{escape(text)}</text>"
        )

    def render(self) -> str:
        """Return the whole picture, on white."""
        box = f"0 0 {number(self.width)} {number(self.height)}"
        head = (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='{box}' "
            f"width='{number(self.width)}' height='{number(self.height)}' "
            "role='img'>"
        )
        body = [
            f"<title>{escape(self.title)}</title>",
            "<rect width='100%' height='100%' fill='#ffffff'/>",
            *self.parts,
        ]
        return "\n".join([head, *body, "</svg>", ""])


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a bar chart: a value for each group, None for no bar."""

    name: str
    values: Sequence[float | None]


LEFT, RIGHT, TOP, BOTTOM = 56, 12, 58, 34
PLOT_HEIGHT = 240
BAR, GAP = 26, 22


def bars(
    title: str,
    groups: Sequence[str],
    series: Sequence[Series],
    *,
    axis: str = "",
    mark: float | None = None,
) -> str:
    """Return a chart of groups of bars, as the text of an SVG file.

    :param groups: what is written below each group.
    :param series: the bars of each group, from left to right; one colour each.
    :param axis: what the values are.
    :param mark: a value at which to draw a dashed line across.
    """
    shown = [v for s in series for v in s.values if v is not None]
    scale = ticks(max([*shown, mark or 0.0], default=1.0))
    inner = max(len(groups) * (len(series) * BAR + GAP), 240)
    canvas = Canvas(LEFT + inner + RIGHT, TOP + PLOT_HEIGHT + BOTTOM, title)
    bottom = TOP + PLOT_HEIGHT

    def height(value: float) -> float:
        return PLOT_HEIGHT * value / scale[-1]

    canvas.text(LEFT, 18, title, size=14)
    _legend(canvas, [s.name for s in series])
    for tick in scale:
        y = bottom - height(tick)
        canvas.line((LEFT, y), (LEFT + inner, y), "#dddddd")
        canvas.text(LEFT - 6, y + 4, f"{tick:g}", size=11, anchor="end")
    middle = TOP + PLOT_HEIGHT / 2
    canvas.text(16, middle, axis, size=11, anchor="middle", turn=-90)
    each = inner / max(len(groups), 1)
    for g, group in enumerate(groups):
        centre = LEFT + (g + 0.5) * each
        canvas.text(centre, bottom + 18, group, anchor="middle")
        for i, one in enumerate(series):
            value = one.values[g]
            if value is None:
                continue
            x = centre + (i - len(series) / 2) * BAR
            top = bottom - height(value)
            hint = f"{group}, {one.name}: {value:.3g}"
            canvas.rectangle(x, top, BAR - 3, height(value), colour(i), hint)
            canvas.text(
                *(x + (BAR - 3) / 2, top - 3),
                _short(value),
                size=9,
                anchor="middle",
            )
    if mark is not None:
        y = bottom - height(mark)
        canvas.line((LEFT, y), (LEFT + inner, y), "#444444", "4 3")
    canvas.line((LEFT, bottom), (LEFT + inner, bottom), "#444444")
    return canvas.render()


def _legend(canvas: Canvas, names: Sequence[str]) -> None:
    x = float(LEFT)
    for i, name in enumerate(names):
        canvas.rectangle(x, 28, 11, 11, colour(i))
        canvas.text(x + 16, 38, name)
        x += 34 + 7 * len(name)


def _short(value: float) -> str:
    """Return a value to stand above a narrow bar.

    >>> _short(1.0), _short(6.904), _short(12.34), _short(250)
    ('1.0', '6.9', '12', '250')
    """
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
