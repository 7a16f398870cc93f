"""The floors stand on each other as the README draws them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hv.guestcc import NoCompiler, find_compiler
from tools import check_floors as floors

Check = Callable[[Path], Iterator[str]]


@pytest.mark.parametrize(
    "check",
    [c for c in floors.CHECKS if c is not floors.riscv32_link],
    ids=lambda c: c.__name__,
)
def test_the_tree_keeps_the_floors(check: Callable[[], Iterator[str]]) -> None:
    assert list(check()) == []


@pytest.fixture(scope="session")
def riscv32() -> None:
    try:
        find_compiler()
    except NoCompiler as missing:
        pytest.skip(str(missing))


@pytest.mark.usefixtures("riscv32")
def test_the_hypervisor_links_for_the_bare_machine() -> None:
    assert list(floors.riscv32_link()) == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree's floors, to be broken."""
    for name in ("csrc", "guestkernel"):
        shutil.copytree(floors.ROOT / name, tmp_path / name)
    return tmp_path


# Each row plants one mistake that its check must find: the check, the file,
# what is added to it, and a piece of the complaint.
PLANTED: list[tuple[Check, str, str, str]] = [
    (
        floors.include_floors,
        "csrc/hyp/planted.c",
        '#include "machine/machine.h"\n',
        "hyp may see only abi, dev, hyp",
    ),
    (
        floors.include_floors,
        "csrc/machine/planted.c",
        '  #  include "hyp/hal.h"\n',
        "machine may see only abi, dev, machine",
    ),
    (
        floors.include_floors,
        "csrc/dev/planted.h",
        "#include <string.h>\n",
        "dev must do without a C library",
    ),
    (
        floors.include_floors,
        "csrc/abi/planted.h",
        '#include "hyp/hal.h"\n',
        "abi may see only abi",
    ),
    (
        floors.include_floors,
        "csrc/hyp/planted.c",
        '#include "../machine/machine.h"\n',
        "hyp may see only",
    ),
    (
        floors.header_users,
        "csrc/port/planted.c",
        '#include "include/hv.h"\n',
        "planted.c includes include/hv.h",
    ),
    (
        floors.guest_includes,
        "guestkernel/planted.c",
        '#include "../csrc/hyp/hal.h"\n',
        "a guest may see only csrc/abi and itself",
    ),
    (
        floors.guest_includes,
        "guestkernel/planted.c",
        "#include <stdio.h>\n",
        "a guest has no C library",
    ),
    (
        floors.headers_alone,
        "csrc/hyp/planted.h",
        "uint32_t planted(void);\n",
        "uint32_t",
    ),
    (
        floors.abi_is_constants,
        "csrc/abi/planted.h",
        "typedef int planted;\n",
        "typedef int planted",
    ),
    (
        floors.python_floors,
        "tests/planted.py",
        "from hv import _native\n",
        "use the public API",
    ),
    (
        floors.python_floors,
        "hv/spec/planted.py",
        "import hv.machine\n",
        "must be independent",
    ),
    (
        floors.line_budget,
        "csrc/hyp/planted.c",
        "int planted;\n" * 5600,
        "the budget is",
    ),
    (
        floors.riscv32_link,
        "csrc/hyp/planted.c",
        """int puts(const char *s);
        int planted(void);
        int planted(void) { return puts("?"); }""",
        "need puts",
    ),
]


@pytest.mark.parametrize(("check", "file", "text", "complaint"), PLANTED)
def test_a_broken_floor_is_found(
    tree: Path,
    request: pytest.FixtureRequest,
    check: Check,
    file: str,
    text: str,
    complaint: str,
) -> None:
    if check is floors.riscv32_link:
        request.getfixturevalue("riscv32")
    path = tree / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert any(complaint in problem for problem in check(tree))


def test_a_path_of_this_machine_is_found(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text(f"see {tmp_path}/csrc\n")
    assert list(floors.no_machine_paths(tmp_path))
