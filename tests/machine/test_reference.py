"""docs/trv32.md against the sources: its tables of CSRs, causes and costs."""

import re
from pathlib import Path

from .core import Core, abi
from .test_csr import BITS

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
    assert documented == defined
    for name, (ones, zeros) in BITS.items():
        mask = 0 if masks[name] == "none" else int(masks[name], 16)
        assert mask == ones ^ zeros, name


def test_causes() -> None:
    documented = set()
    for causes, *_ in rows("Traps")[1:-1]:
        documented |= {int(cause) for cause in causes.split(", ")}
    defined = {v for n, v in vars(abi).items() if n.startswith("CAUSE_")}
    assert documented == defined - {abi.CAUSE_ECALL_VS, abi.CAUSE_INTERRUPT}


def test_costs(core: Core) -> None:
    documented = {step: int(cycles) for step, cycles, _ in rows("Costs")[1:]}
    assert documented.items() <= core.costs.items()
    assert list(documented) == list(core.costs)[: len(documented)]
