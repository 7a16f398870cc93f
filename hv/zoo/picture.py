"""An attack as a drawing: who does what to which page, frame, slot.

One column for each VM, and one for each thing that the program names; one row
for each operation, from above. An arrow goes from who does it to the first
thing named, and on to the next; the last row is the one at which the property
broke.
"""

from collections.abc import Iterator
from itertools import pairwise

from hv.facts import Style
from hv.fuzz.format import WORLD, Form, Program, Record, form_of
from hv.svg import EDGE, PALE, Canvas, colour

COLUMN, ROW, TOP, LEFT, LETTER = 104.0, 30.0, 62.0, 190.0, 6.6
NUMBER = 0x3FFF
OFFSET_BITS = 5  # of an address: below the handle of its page
NOUNS = {
    "GVA": "page",
    "GPA": "memory",
    "GFN": "frame",
    "SLOT": "slot",
    "ROOT": "root",
    "CSR": "register",
    "CALL": "call",
}
FORMS = {
    Form.LITERAL: "",
    Form.LIVE: "",
    Form.STALE: "former ",
    Form.EDGE: "edge ",
}
BROKE = colour(4)


def _thing(kind: str, value: int) -> str:
    """Name what an operand names."""
    number = value & NUMBER
    if kind in ("GVA", "GPA") and form_of(value) != Form.LITERAL:
        number >>= OFFSET_BITS
    return f"{FORMS[form_of(value)]}{NOUNS[kind]} {number}"


def things(record: Record) -> Iterator[str]:
    """Yield what an operation names, in the order of its operands."""
    for kind, value in zip(record.row.operands, record.args, strict=True):
        if kind in NOUNS:
            yield _thing(kind, value)


def _styles(program: Program, vms: list[int]) -> Iterator[str]:
    fields = {name: (low, width) for name, low, width in WORLD}
    order = [str(style) for style in Style]  # as in enum hv_style
    for vm in vms:
        low, width = fields["first" if vm == 0 else "others"]
        number = program.world >> low & (1 << width) - 1
        yield order[number % len(order)]


def picture(program: Program, title: str, broke: str = "") -> str:
    """Return a program as SVG.

    :param title: what a screen reader says of it.
    :param broke: the property that the last operation breaks.
    """
    records = program.records
    vms = sorted({record.vm for record in records})
    named = list(dict.fromkeys(t for r in records for t in things(r)))
    columns = {f"VM {vm}": i for i, vm in enumerate(vms)}
    columns |= {name: len(vms) + i for i, name in enumerate(named)}
    width = max(LEFT + COLUMN * len(columns), 8.0 + LETTER * len(broke))
    height = TOP + ROW * len(records) + (ROW if broke else 6)
    canvas = Canvas(width, height, title)
    for (name, i), style in zip(
        columns.items(),
        [*_styles(program, vms), *[""] * len(named)],
        strict=True,
    ):
        _head(canvas, LEFT + COLUMN * i, name, style, height)
    for row, record in enumerate(records):
        last = row == len(records) - 1
        _row(
            canvas, TOP + ROW * row, record, columns, last=bool(broke) and last
        )
    if broke:
        canvas.text(8, height - 10, broke, size=12, fill=BROKE)
    return canvas.render()


def _head(
    canvas: Canvas, x: float, name: str, style: str, height: float
) -> None:
    middle = x + COLUMN / 2
    canvas.line((middle, 44), (middle, height - ROW), EDGE, "2 4")
    canvas.rectangle(
        x + 4, 6, COLUMN - 8, 38, PALE if style else "#ffffff", stroke=EDGE
    )
    canvas.text(middle, 22 if style else 29, name, anchor="middle")
    if style:
        canvas.text(middle, 38, style, size=10, anchor="middle")


def _row(
    canvas: Canvas,
    y: float,
    record: Record,
    columns: dict[str, int],
    *,
    last: bool,
) -> None:
    middle = y + ROW / 2
    ink = BROKE if last else "#000000"
    who = f"{'kernel' if record.kernel else 'user'}, vCPU {record.vcpu}"
    canvas.text(8, middle + 1, record.row.name, fill=ink)
    canvas.text(8, middle + 12, who, size=9, fill=EDGE)
    at = [columns[f"VM {record.vm}"], *(columns[t] for t in things(record))]
    spots = [LEFT + COLUMN * (i + 0.5) for i in at]
    for start, end in pairwise(spots):
        canvas.line((start, middle), (end, middle), ink)
    for i, spot in enumerate(spots):
        size = 8.0 if i == 0 else 6.0
        canvas.rectangle(
            *(spot - size / 2, middle - size / 2, size, size),
            ink,
            record.row.doc,
        )
