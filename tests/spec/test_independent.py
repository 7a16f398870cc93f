"""An oracle that asked the hypervisor would agree with it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import hv.spec
from hv.abi import Hypercall
from hv.spec.hypercalls import CALLS

FILES = sorted(Path(hv.spec.__file__).parent.glob("*.py"))
ALLOWED = ("hv.spec", "hv.abi")


def imported(file: Path) -> Iterator[str]:
    """Name what a module imports of hv."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_the_specification_imports_nothing_of_the_core() -> None:
    assert len(FILES) > 20
    for file in FILES:
        names = {n for n in imported(file) if n.split(".")[0] == "hv"}
        assert all(name.startswith(ALLOWED) for name in names), file


def test_every_hypercall_is_specified() -> None:
    assert set(CALLS) == set(Hypercall)
