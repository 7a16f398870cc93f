"""The picture of a walk: the address, three columns of tables, the verdict."""

from textwrap import wrap

from hv.svg import EDGE, INK, PALE, PALETTE, Canvas
from hv.views.sv32 import Entry, Lookup
from hv.views.walk import Verdict, Walk

DARK_GREEN = "#00694d"  # to be read on a pale ground
ORANGE, SKY, GREEN, RED, PINK, BLUE = PALETTE[1:7]
COLOURS = {
    Verdict.OK: GREEN,
    Verdict.STALE: PINK,
    Verdict.FAULT: RED,
    Verdict.OUTSIDE: RED,
    Verdict.MISSING: ORANGE,
    Verdict.MMIO: SKY,
}
WIDTH, MARGIN, TOP = 1000, 16, 112
# Where each column begins, and how wide it is.
GUEST, P2M, MACHINE = (MARGIN, 330), (370, 200), (594, 390)
STEP, BIT = 84, 17


def draw(walk: Walk) -> str:
    """Return a walk as the text of an SVG file."""
    steps = max(len(walk.own.entries), len(walk.real.lookup.entries), 1)
    height = TOP + 30 + steps * STEP + 150
    canvas = Canvas(WIDTH, height, f"{walk.title}: {walk.verdict}")
    canvas.text(MARGIN, 26, walk.title, size=15)
    _address(canvas, walk.gva)
    bottom = TOP + 30 + steps * STEP
    _column(canvas, GUEST, "guest's tables: gva to gpa", bottom)
    _column(canvas, P2M, "p2m: gpa to hpa", bottom)
    _column(canvas, MACHINE, f"the machine: {walk.real.title}", bottom)
    _steps(canvas, GUEST[0], walk.own)
    _result(canvas, GUEST[0], bottom, "gpa", walk.own)
    _p2m(canvas, walk, bottom)
    _steps(canvas, MACHINE[0], walk.real.lookup)
    _result(canvas, MACHINE[0], bottom, "hpa", walk.real.lookup)
    canvas.arrow((GUEST[0] + GUEST[1], bottom + 24), (P2M[0], bottom + 24))
    _notes(canvas, walk, bottom + 62)
    _verdict(canvas, walk, height)
    return canvas.render()


def _address(canvas: Canvas, gva: int) -> None:
    """Draw the address, cut into its three parts."""
    parts = (
        ("VPN1", gva >> 22, 10, BLUE),
        ("VPN0", gva >> 12 & 0x3FF, 10, GREEN),
        ("offset", gva & 0xFFF, 12, "#666666"),
    )
    canvas.text(MARGIN, 62, f"gva {gva:08x}", size=15, mono=True)
    x = 160.0
    for name, value, bits, fill in parts:
        width = bits * 13.0
        canvas.rectangle(x, 44, width, 26, fill)
        canvas.text(
            *(x + width / 2, 62, f"{value:0{bits}b}"),
            size=15,
            anchor="middle",
            fill="#ffffff",
            mono=True,
        )
        label = f"{name} = {value}"
        canvas.text(x + width / 2, 86, label, anchor="middle")
        x += width + 4


def _column(
    canvas: Canvas, place: tuple[int, int], title: str, bottom: float
) -> None:
    x, width = place
    canvas.rectangle(x, TOP - 8, width, bottom - TOP + 48, PALE, stroke=EDGE)
    canvas.text(x + 10, TOP + 12, title, size=13)


def _steps(canvas: Canvas, x: float, found: Lookup) -> None:
    if not found.entries:
        words = found.why if found.result is None else "no translation"
        canvas.text(x + 10, TOP + 48, words)
    for i, entry in enumerate(found.entries):
        _entry(canvas, x + 10, TOP + 30 + i * STEP, entry)


def _entry(canvas: Canvas, x: float, y: float, entry: Entry) -> None:
    """Draw one page-table entry: where it is, its bits, where it leads."""
    fill = BLUE if entry.level else DARK_GREEN
    where = f"level {entry.level} [{entry.index}] at {entry.address:08x}"
    canvas.text(x, y + 10, entry.table.partition(";")[0], size=10)
    canvas.text(x, y + 26, where, fill=fill, mono=True)
    if entry.value is None:
        canvas.text(x, y + 46, "no memory there")
        return
    canvas.text(x, y + 46, f"{entry.value:08x}", size=14, mono=True)
    for i, (name, shown) in enumerate(zip("VRWXUGAD", entry.bits, strict=True)):
        lit = shown != "."
        at = x + 80 + i * BIT
        canvas.rectangle(
            *(at, y + 33, BIT - 2, 17, SKY if lit else "#ffffff"),
            hint=f"{name} is {'set' if lit else 'clear'}",
            stroke=EDGE,
        )
        canvas.text(
            *(at + BIT / 2 - 1, y + 46, name),
            anchor="middle",
            fill=INK if lit else "#767676",
        )
    if entry.leaf or entry.pointer:
        canvas.text(x + 222, y + 46, f"to {entry.frame:05x}", mono=True)


def _result(
    canvas: Canvas, x: float, bottom: float, space: str, found: Lookup
) -> None:
    if found.result is None:
        words, fill = "stops", RED
    else:
        words, fill = f"{space} {found.result:08x}", INK
    canvas.text(x + 10, bottom + 28, words, size=15, fill=fill, mono=True)


def _p2m(canvas: Canvas, walk: Walk, bottom: float) -> None:
    x = P2M[0] + 10
    lines = ["(nothing to look up)"]
    if walk.own.result is not None:
        lines = [f"gfn {walk.own.result >> 12:05x}"]
        lines.append("has no frame" if walk.hpa is None else "")
    if walk.hpa is not None:
        lines[1] = f"hfn {walk.hpa >> 12:05x}"
        text = f"hpa {walk.hpa:08x}"
        canvas.text(x, bottom + 28, text, size=15, mono=True)
        same = walk.real.lookup.result == walk.hpa
        canvas.text(
            *((P2M[0] + P2M[1] + MACHINE[0]) / 2, bottom + 29),
            "=" if same else "\N{NOT EQUAL TO}",
            size=18,
            anchor="middle",
        )
    for i, line in enumerate(lines):
        canvas.text(x, TOP + 56 + 22 * i, line, size=14, mono=True)


def _notes(canvas: Canvas, walk: Walk, y: float) -> None:
    """Write why a walk stopped, and what would be done about it."""
    notes = [
        f"the guest's tables: {walk.own.why}" * bool(walk.own.why),
        f"the machine: {walk.real.lookup.why}"
        * bool(walk.real.lookup.why and walk.style != "bare"),
        f"to be filled: {walk.real.would}" * bool(walk.real.would),
    ]
    lines = [line for note in notes if note for line in wrap(note, 130)]
    for i, line in enumerate(lines[:3]):
        canvas.text(MARGIN, y + 16 * i, line)


def _verdict(canvas: Canvas, walk: Walk, height: float) -> None:
    y = height - 40
    canvas.rectangle(MARGIN, y, 26, 26, COLOURS[walk.verdict], stroke=EDGE)
    canvas.text(MARGIN + 36, y + 18, walk.outcome, size=15)
