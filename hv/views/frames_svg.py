"""The picture of a frame map: a square for each cell, and a bar of totals."""

from hv.core import lib
from hv.svg import EDGE, INK, PALETTE, Canvas
from hv.units import format_size
from hv.views.frames import FREE, HYP, MARKS, FrameMap, Square

SIDE, ROW = 20, 32
LEFT, TOP = 66, 50
OWNERS = (*PALETTE[1:6], PALETTE[7], PALETTE[6])  # of VMs, in their order


def draw(frames: FrameMap) -> str:
    """Return a frame map as the text of an SVG file."""
    squares = frames.squares()
    lines = -(-len(squares) // ROW)
    bottom = TOP + lines * SIDE
    height = bottom + 34 + 22 * len(frames.owners) + 12
    size = format_size(frames.cell * lib.PAGE_SIZE)
    title = f"{frames.count} machine frames, {size} to a square"
    canvas = Canvas(LEFT + ROW * SIDE + 16, height, title)
    canvas.text(16, 26, title, size=15)
    colours = _colours(frames)
    letters = {owner.number: owner.letter for owner in frames.owners}
    names = {owner.number: owner.name for owner in frames.owners}
    for i, square in enumerate(squares):
        x, y = LEFT + i % ROW * SIDE, TOP + i // ROW * SIDE
        if i % ROW == 0:
            words = f"{square.first:05x}"
            canvas.text(LEFT - 8, y + 14, words, anchor="end", mono=True)
        hint = f"{square.first:05x}: {names[square.whose]}, {square.use}"
        canvas.rectangle(
            *(x, y, SIDE, SIDE, colours[square.whose], hint), stroke="#ffffff"
        )
        if square.whose != FREE:
            words = letters[square.whose] + _mark(square)
            fill = _ink(square.whose, colours)
            canvas.text(
                *(x + SIDE / 2, y + 14, words.strip()),
                size=11,
                anchor="middle",
                fill=fill,
            )
    _totals(canvas, frames, colours, bottom + 26)
    return canvas.render()


def _colours(frames: FrameMap) -> dict[int, str]:
    """Return the colour of each owner.

    More VMs than colours share them: a square has its owner's letter, too.
    """
    colours = {FREE: "#eeeeee", HYP: "#444444"}
    vms = [o.number for o in frames.owners if o.number not in colours]
    for i, number in enumerate(vms):
        colours[number] = OWNERS[i % len(OWNERS)]
    return colours


def _ink(whose: int, colours: dict[int, str]) -> str:
    dark = whose == HYP or colours[whose] == PALETTE[6]
    return "#ffffff" if dark else INK


def _mark(square: Square) -> str:
    return "+" if square.mixed else MARKS[square.use]


def _totals(
    canvas: Canvas, frames: FrameMap, colours: dict[int, str], y: float
) -> None:
    """Write a line for each owner: how many frames, used as what."""
    totals = frames.totals
    for i, owner in enumerate(frames.owners):
        at = y + 22 * i
        by = totals[owner.name]
        uses = ", ".join(f"{n} {use}" for use, n in by.items() if n)
        canvas.rectangle(16, at, 16, 16, colours[owner.number], stroke=EDGE)
        words = f"{owner.letter} {owner.name}: {uses or 'none'}"
        canvas.text(40, at + 13, words)
    canvas.text(
        *(LEFT + ROW * SIDE, y + 13, f"{frames.count} in all"), anchor="end"
    )
    canvas.text(
        *(
            LEFT + ROW * SIDE,
            y + 35,
            "s shadow, 2 second stage, t table, + several",
        ),
        anchor="end",
    )
