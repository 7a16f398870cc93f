"""docs/trv32.md against the sources: its tables of CSRs, causes and costs."""

import re
from pathlib import Path

from . import test_h_csr
from .core import Core, abi
from .test_csr import BITS, OF_H

PAGE = Path(__file__).parents[2] / "docs" / "trv32.md"


def rows(heading: str) -> list[list[str]]:
    """Return the cells of all table rows below a heading."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [re.split(r" +\| +| +\|(?= )", line) for line in lines]


def test_registers() -> None:
    documented, masks = {}, {}
    for names, numbers, bits, *_ in rows("Control and status registers")[1:]:
        pairs = zip(names.split(", "), numbers.split(", "), strict=True)
        for name, number in pairs:
            documented[f"CSR_{name.upper()}"] = int(number, 16)
            masks[name.upper()] = bits.split(" & ")[0]
    defined = {n: v for n, v in vars(abi).items() if n.startswith("CSR_")}
    assert documented == {n: v for n, v in defined.items() if not OF_H.match(n)}
    for name, (ones, zeros) in BITS.items():
        mask = 0 if masks[name] == "none" else int(masks[name], 16)
        assert mask == ones ^ zeros, name


def rows_of_h(cells: int) -> list[list[str]]:
    """Return the rows of that table of extension H which has so many cells."""
    return [row for row in rows("Extension H") if len(row) == cells][1:]


def test_registers_of_extension_h() -> None:
    documented = {}
    for names, numbers, bits, _ in rows_of_h(4):
        pairs = zip(names.split(", "), numbers.split(", "), strict=True)
        for name, number in pairs:
            documented[int(number, 16)] = name.upper()
            if name != "hgeip":
                ones, zeros = test_h_csr.BITS[name.upper()]
                mask = 0 if bits == "none" else int(bits.split(" & ")[0], 16)
                assert mask == ones ^ zeros, name
    assert documented == test_h_csr.OWN


def test_causes() -> None:
    documented = set()
    for causes, *_ in rows("Traps")[1:-1]:
        documented |= {int(cause) for cause in causes.split(", ")}
    documented |= {int(cells[0]) for cells in rows_of_h(3)}
    defined = {v for n, v in vars(abi).items() if n.startswith("CAUSE_")}
    assert documented == defined - {abi.CAUSE_INTERRUPT}


def test_costs(core: Core) -> None:
    documented = {step: int(cycles) for step, cycles, _ in rows("Costs")[1:]}
    assert documented.items() <= core.costs.items()
    assert list(documented) == list(core.costs)[: len(documented)]
