"""The flattened device tree that tells a kernel what computer it runs on.

The same board and the same shape as QEMU's ``virt``, so that a kernel that
boots there finds the same nodes here. Format: Devicetree Specification 0.4,
chapter 5.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hv.core import lib

_MAGIC = 0xD00DFEED
_BEGIN, _END, _PROP, _DONE = 1, 2, 3, 9

Value = None | int | str | list[int] | list[str]


class Blob:
    """Write a flattened device tree, node by node."""

    def __init__(self) -> None:
        self._struct = bytearray()
        self._strings = bytearray()
        self._offsets: dict[str, int] = {}

    @contextmanager
    def node(self, name: str, props: Mapping[str, Value]) -> Iterator[None]:
        """Open a node with properties; what is written inside is its child."""
        self._struct += struct.pack(">I", _BEGIN) + _padded(_cstring(name))
        for key, value in props.items():
            self.prop(key, value)
        yield
        self._struct += struct.pack(">I", _END)

    def leaf(self, name: str, props: Mapping[str, Value]) -> None:
        """Write a node without children."""
        with self.node(name, props):
            pass

    def prop(self, name: str, value: Value) -> None:
        """Write a property: nothing, cells, or strings."""
        if name not in self._offsets:
            self._offsets[name] = len(self._strings)
            self._strings += _cstring(name)
        data = _encode(value)
        self._struct += struct.pack(
            ">III", _PROP, len(data), self._offsets[name]
        )
        self._struct += _padded(data)

    def finish(self) -> bytes:
        """Return the blob: header, no reservations, nodes, names."""
        nodes = bytes(self._struct) + struct.pack(">I", _DONE)
        reservations = bytes(16)
        at_nodes = 40 + len(reservations)
        at_strings = at_nodes + len(nodes)
        total = at_strings + len(self._strings)
        header = struct.pack(
            ">10I",
            _MAGIC,
            total,
            at_nodes,
            at_strings,
            40,  # the reservations
            17,  # version
            16,  # last compatible version
            0,  # boot CPU
            len(self._strings),
            len(nodes),
        )
        return header + reservations + nodes + bytes(self._strings)


def _cstring(text: str) -> bytes:
    return text.encode() + b"\0"


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _encode(value: Value) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return _cstring(value)
    cells = [value] if isinstance(value, int) else value
    return b"".join(
        _cstring(cell) if isinstance(cell, str) else struct.pack(">I", cell)
        for cell in cells
    )


# Phandles: a number by which one node names another.
_PLIC, _TEST, _CPU = 1, 2, 0x10

_CELLS_64: Mapping[str, Value] = {"#address-cells": 2, "#size-cells": 2}
_INTERRUPTS: Mapping[str, Value] = {
    "#address-cells": 0,
    "#interrupt-cells": 1,
    "interrupt-controller": None,
}


def board(
    *,
    ram_size: int,
    harts: int = 1,
    bootargs: str = "",
    initrd: tuple[int, int] | None = None,
    pv: bool = False,
    devices: bool = True,
) -> bytes:
    """Return the device tree of the board.

    :param ram_size: bytes of RAM at RAM_BASE.
    :param initrd: first and one past last address of the initial RAM disk.
    :param pv: tell the kernel that hv's hypercalls are there.
    :param devices: whether there are any.
    """
    tree = Blob()
    root: dict[str, Value] = {
        **_CELLS_64,
        "compatible": "riscv-virtio",
        "model": "hv",
    }
    with tree.node("", root):
        _chosen(tree, bootargs, initrd, devices=devices)
        tree.leaf(
            f"memory@{lib.RAM_BASE:x}",
            {"device_type": "memory", "reg": _region(lib.RAM_BASE, ram_size)},
        )
        _cpus(tree, harts)
        if pv:
            tree.leaf("hypervisor", {"compatible": "hv,hv"})
        soc: dict[str, Value] = {
            **_CELLS_64,
            "compatible": "simple-bus",
            "ranges": None,
        }
        if devices:
            with tree.node("soc", soc):
                _devices(tree, harts)
            _power(tree, "poweroff", lib.TEST_PASS)
            _power(tree, "reboot", lib.TEST_RESET)
    return tree.finish()


def _region(base: int, size: int) -> list[int]:
    """Return the `reg` of an address range, in two cells each."""
    return [0, base, 0, size]


def _chosen(
    tree: Blob,
    bootargs: str,
    initrd: tuple[int, int] | None,
    *,
    devices: bool,
) -> None:
    props: dict[str, Value] = {"bootargs": bootargs}
    if devices:
        props["stdout-path"] = f"/soc/serial@{lib.UART_BASE:x}"
    with tree.node("chosen", props):
        if initrd:
            tree.prop("linux,initrd-start", initrd[0])
            tree.prop("linux,initrd-end", initrd[1])


def _power(tree: Blob, name: str, value: int) -> None:
    tree.leaf(
        name,
        {
            "compatible": f"syscon-{name}",
            "regmap": _TEST,
            "offset": 0,
            "value": value,
        },
    )


def _cpus(tree: Blob, harts: int) -> None:
    cpus: dict[str, Value] = {
        "#address-cells": 1,
        "#size-cells": 0,
        "timebase-frequency": lib.TIMEBASE_HZ,
    }
    with tree.node("cpus", cpus):
        for hart in range(harts):
            cpu: dict[str, Value] = {
                "device_type": "cpu",
                "reg": hart,
                "status": "okay",
                "compatible": "riscv",
                "riscv,isa": "rv32ima_zicsr_zifencei",
                "mmu-type": "riscv,sv32",
            }
            with tree.node(f"cpu@{hart:x}", cpu):
                tree.leaf(
                    "interrupt-controller",
                    {
                        **_INTERRUPTS,
                        "compatible": "riscv,cpu-intc",
                        "phandle": _CPU + hart,
                    },
                )


def _devices(tree: Blob, harts: int) -> None:
    def lines(*irqs: int) -> list[int]:
        """Return the interrupt lines of every hart: phandle, number ..."""
        return [
            cell
            for hart in range(harts)
            for irq in irqs
            for cell in (_CPU + hart, irq)
        ]

    tree.leaf(
        f"test@{lib.TEST_BASE:x}",
        {
            "compatible": ["sifive,test1", "sifive,test0", "syscon"],
            "reg": _region(lib.TEST_BASE, lib.TEST_SIZE),
            "phandle": _TEST,
        },
    )
    tree.leaf(
        f"clint@{lib.CLINT_BASE:x}",
        {
            "compatible": ["sifive,clint0", "riscv,clint0"],
            "reg": _region(lib.CLINT_BASE, lib.CLINT_SIZE),
            "interrupts-extended": lines(lib.IRQ_MSI, lib.IRQ_MTI),
        },
    )
    tree.leaf(
        f"plic@{lib.PLIC_BASE:x}",
        {
            **_INTERRUPTS,
            "compatible": ["sifive,plic-1.0.0", "riscv,plic0"],
            "reg": _region(lib.PLIC_BASE, lib.PLIC_SIZE),
            "interrupts-extended": lines(lib.IRQ_MEI, lib.IRQ_SEI),
            "riscv,ndev": 31,
            "phandle": _PLIC,
        },
    )
    tree.leaf(
        f"serial@{lib.UART_BASE:x}",
        {
            "compatible": "ns16550a",
            "reg": _region(lib.UART_BASE, lib.UART_SIZE),
            "interrupts": lib.UART_IRQ,
            "interrupt-parent": _PLIC,
            "clock-frequency": 3686400,
        },
    )
