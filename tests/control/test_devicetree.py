"""The device tree: read back by another parser, and by dtc."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hv.devicetree import board
from tests.control.fdt import Node, parse


@pytest.fixture
def tree() -> Node:
    return parse(board(ram_size=16 << 20, bootargs="scale=2 quiet"))


def test_the_kernel_learns_its_memory_and_command_line(tree: Node) -> None:
    assert tree.at("memory@80000000").cells("reg") == [
        0,
        0x80000000,
        0,
        1 << 24,
    ]
    assert tree.at("memory@80000000").strings("device_type") == ["memory"]
    assert tree.at("chosen").strings("bootargs") == ["scale=2 quiet"]
    (stdout,) = tree.at("chosen").strings("stdout-path")
    assert tree.at(stdout).strings("compatible") == ["ns16550a"]


def test_a_hart_is_described(tree: Node) -> None:
    assert tree.at("cpus").cells("timebase-frequency") == [10_000_000]
    cpu = tree.at("cpus/cpu@0")
    assert cpu.strings("riscv,isa")[0].startswith("rv32ima")
    assert cpu.strings("mmu-type") == ["riscv,sv32"]
    assert cpu.at("interrupt-controller").strings("compatible") == [
        "riscv,cpu-intc"
    ]


def test_every_phandle_that_is_named_exists() -> None:
    tree = parse(board(ram_size=1 << 24, harts=8))
    cpus = [tree.at(f"cpus/cpu@{i}/interrupt-controller") for i in range(8)]
    handles = [cpu.cells("phandle")[0] for cpu in cpus]
    assert len(set(handles)) == 8
    plic, test = tree.at("soc/plic@c000000"), tree.at("soc/test@100000")
    assert len({*handles, *plic.cells("phandle"), *test.cells("phandle")}) == 10
    assert plic.cells("interrupts-extended")[::2] == sorted(handles * 2)
    assert tree.at("soc/serial@10000000").cells(
        "interrupt-parent"
    ) == plic.cells("phandle")
    assert tree.at("poweroff").cells("regmap") == test.cells("phandle")
    assert tree.at("poweroff").cells("value") == [0x5555]


def test_only_a_paravirtual_kernel_is_told_of_the_hypervisor(
    tree: Node,
) -> None:
    assert "hypervisor" not in tree.children
    pv = parse(board(ram_size=1 << 24, pv=True))
    assert pv.at("hypervisor").strings("compatible") == ["hv,hv"]


@given(
    args=st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    ),
    initrd=st.none()
    | st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    harts=st.integers(1, 8),
    ram=st.integers(0, 2**32 - 1),
    pv=st.booleans(),
)
def test_every_configuration_is_read_back(
    args: str, initrd: tuple[int, int] | None, harts: int, ram: int, *, pv: bool
) -> None:
    tree = parse(
        board(ram_size=ram, harts=harts, bootargs=args, initrd=initrd, pv=pv)
    )
    chosen = tree.at("chosen")
    assert chosen.strings("bootargs") == [args]
    assert ("linux,initrd-start" in chosen.props) == (initrd is not None)
    if initrd:
        assert chosen.cells("linux,initrd-start") == [initrd[0]]
        assert chosen.cells("linux,initrd-end") == [initrd[1]]


def test_dtc_has_nothing_to_complain_about() -> None:
    dtc = shutil.which("dtc")
    if dtc is None:
        pytest.skip("dtc is not installed (apt install device-tree-compiler)")
    for harts in (1, 8):
        blob = board(ram_size=1 << 24, harts=harts, initrd=(1, 2), pv=True)
        done = subprocess.run(
            [dtc, "-I", "dtb", "-O", "dts"],
            input=blob,
            capture_output=True,
            check=True,
        )
        assert done.stderr == b""
