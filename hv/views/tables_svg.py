"""The picture of a page table beside its shadows: a row for each range."""

from hv.svg import EDGE, INK, PALE, PALETTE, Canvas
from hv.views.compared import MARKS, Sync
from hv.views.stage2 import Below
from hv.views.sv32 import letters
from hv.views.tables import Cell, PageTable, Row, column

COLOURS = {
    Sync.SAME: PALETTE[3],
    Sync.FEWER: PALETTE[1],
    Sync.MISSING: "#ffffff",
    Sync.STALE: PALETTE[4],
    Sync.MMIO: PALETTE[2],
    Sync.NONE: PALE,
}
LEFT, TOP, LINE = 16, 66, 20
BITS, CELLS = 330, 384
CELL = 84
BELOW = 150  # width of the second stage's column
MOST = 100  # rows: a picture of thousands shows nobody anything


def draw(table: PageTable) -> str:
    """Return a page table as the text of an SVG file."""
    rows = table.rows[:MOST]
    more = len(table.rows) - len(rows)
    width = max(CELLS + CELL * len(table.roots) + LEFT, 720)
    height = TOP + LINE * (len(rows) + bool(more)) + 66
    canvas = Canvas(width, height, f"page table of {table.title}")
    canvas.text(LEFT, 26, table.title, size=15)
    _heads(canvas, table)
    for i, row in enumerate(rows):
        _row(canvas, TOP + LINE * i, row)
    if more:
        canvas.text(LEFT, TOP + LINE * len(rows) + 14, f"and {more} more rows")
    _legend(canvas, table, height - 44)
    return canvas.render()


def _heads(canvas: Canvas, table: PageTable) -> None:
    for x, name in (
        (LEFT, "gva"),
        (LEFT + 146, "pages"),
        (LEFT + 200, "gpa"),
        (BITS - 36, "guest"),
    ):
        canvas.text(x, TOP - 8, name)
    for i, root in enumerate(table.roots):
        canvas.text(CELLS + CELL * i, TOP - 8, column(root.made))
    if table.stage2 is not None:
        canvas.text(CELLS, TOP - 8, "second stage")


def _row(canvas: Canvas, y: float, row: Row) -> None:
    gpa = "-" if row.gpa is None else f"{row.gpa:08x}"
    bits = letters(row.pte) + "M" * row.mega
    for x, words, anchor in (
        (LEFT, f"{row.gva:08x}-{row.last:08x}", "start"),
        (LEFT + 180, str(row.pages), "end"),
        (LEFT + 200, gpa, "start"),
        (BITS - 36, bits, "start"),
    ):
        canvas.text(x, y + 14, words, anchor=anchor, mono=True)
    for i, cell in enumerate(row.cells):
        _cell(canvas, CELLS + CELL * i, y, cell)
    if row.below:
        _cell(canvas, CELLS, y, row.below, BELOW)


def _cell(
    canvas: Canvas, x: float, y: float, cell: Cell | Below, width: float = CELL
) -> None:
    canvas.rectangle(
        *(x, y, width - 6, LINE - 3, COLOURS[cell.state], str(cell.state)),
        stroke=EDGE,
    )
    canvas.text(x + 6, y + 13, cell.text, fill=INK, mono=True)


def _legend(canvas: Canvas, table: PageTable, y: float) -> None:
    counts = table.counts
    for i, state in enumerate(s for s in Sync if s is not Sync.NONE):
        x = LEFT + 132 * i
        canvas.rectangle(x, y, 16, 16, COLOURS[state], stroke=EDGE)
        words = f"{MARKS[state]} {state}: {counts[state]}"
        canvas.text(x + 22, y + 13, words)
