"""A kernel that does nothing but change its page tables, as machine code.

Its tables: the root maps RAM and devices by itself (megapages), and a window of
4 MiB through a table of leaves. The table lies in RAM, so the kernel can store
to its entries by their physical addresses. Each page of the window is first
touched, so that every entry has a shadow; then the kernel changes all entries
of a stretch, with or without fences; then it powers off.
"""

import hv
from tests.control import programs
from tests.machine import asm
from tests.machine.asm import (
    A0,
    A1,
    A6,
    A7,
    ECALL,
    S0,
    S1,
    S2,
    T0,
    T1,
    T2,
    ZERO,
    add,
    addi,
    bne,
    csrw,
    li,
    lw,
    program,
    sfence_vma,
    sw,
)

RAM = 0x8000_0000
ROOT, LEAVES, LIST, FRAMES = (RAM + n * 0x1000 for n in (16, 17, 18, 32))
WINDOW = 0x4000_0000
PAGES = 256  # of the window
ALIAS = WINDOW + PAGES * 0x1000  # where the table is mapped, too
V, R, W, X, A, D = 1, 2, 4, 8, 64, 128
RWX = V | R | W | X | A | D
SATP = 0x180
SV32 = 1 << 31


def pte(pa: int, bits: int) -> int:
    """Return the entry that names this physical page."""
    return pa >> 12 << 10 | bits


def tables(vm: hv.VM) -> None:
    """Write the tables into a VM's memory, before it boots."""
    root = bytearray(4096)

    def put(table: bytearray, index: int, entry: int) -> None:
        table[4 * index : 4 * index + 4] = entry.to_bytes(4, "little")

    put(root, 0, pte(0, V | R | W | A | D))  # the test device, to power off
    put(root, RAM >> 22, pte(RAM, RWX))
    put(root, WINDOW >> 22, pte(LEAVES, V))
    leaves = bytearray(4096)
    for n in range(PAGES):
        put(leaves, n, pte(FRAMES + n * 0x1000, V | R | W | A | D))
    put(leaves, PAGES, pte(LEAVES, V | R | W | A | D))
    vm.mem.write(hv.GuestPhys(ROOT), bytes(root))
    vm.mem.write(hv.GuestPhys(LEAVES), bytes(leaves))


def loop(register: int, times: int, body: list[int]) -> list[int]:
    """Repeat the body, counting down in a register."""
    code = program(body, addi(register, register, -1))
    return program(
        li(register, times), code, bne(register, ZERO, -4 * len(code))
    )


def translate() -> list[int]:
    """Turn translation on."""
    return program(
        li(T0, SV32 | ROOT >> 12), csrw(SATP, T0), sfence_vma(ZERO, ZERO)
    )


def touch() -> list[int]:
    """Load a word of each page of the window, and of the one behind it."""
    step = program(lw(T2, 0, T0), add(T0, T0, T1))
    return program(li(T0, WINDOW), li(T1, 0x1000), loop(S0, PAGES + 1, step))


def update(*, at: int = LEAVES, fence_each: bool = False) -> list[int]:
    """Make every entry of the window read-only, then fence."""
    step = program(
        lw(T2, 0, T0),
        asm.andi(T2, T2, ~W),
        sw(T2, 0, T0),
        addi(T0, T0, 4),
        [sfence_vma(ZERO, ZERO)] if fence_each else [],
    )
    return program(li(T0, at), loop(S0, PAGES, step), sfence_vma(ZERO, ZERO))


def update_with_sc() -> list[int]:
    """Change every entry by LR and SC, again until it succeeds."""
    lr, sc = asm.lr_w(T2, T0), asm.sc_w(S1, S2, T0)
    step = program(
        lr,
        asm.andi(S2, T2, ~W),
        sc,
        bne(S1, ZERO, -12),
        addi(T0, T0, 4),
    )
    return program(
        li(T0, LEAVES), loop(S0, PAGES, step), sfence_vma(ZERO, ZERO)
    )


def native(change: list[int]) -> list[int]:
    """Make a kernel that touches every page and then changes all entries."""
    return program(translate(), touch(), change, programs.off())


def run(
    code: list[int],
    *,
    style: str,
    sync: str = "default",
    data: bytes = b"",
) -> hv.Counters:
    """Run a kernel over these tables; return what was counted.

    :param data: what is in memory at LIST.
    """
    with hv.Hypervisor(ram="16MiB") as hypervisor:
        vm = hypervisor.create(
            style=style, sync=sync, mem="4MiB", shadow_frames=16
        )
        tables(vm)
        image = b"".join(word.to_bytes(4, "little") for word in code)
        vm.mem.write(hv.GuestPhys(RAM), image)
        vm.mem.write(hv.GuestPhys(LIST), data)
        vm.boot(RAM)
        vm.run_until("halt")
        vm.check()
        hypervisor.audit()
        for n in range(PAGES):
            assert vm.mem.read32(hv.GuestPhys(LEAVES + 4 * n)) & W == 0
        return vm.counters


def hypercall(number: int, a0: int, a1: int = 0) -> list[int]:
    """Make one of hv's own calls."""
    return program(
        li(A0, a0),
        li(A1, a1),
        li(A7, programs.SBI_EXT_HV),
        li(A6, number),
        ECALL,
    )


if __name__ == "__main__":
    # Run on a core that may have a bug: see tests/guest/bugged.py.
    counted = run(
        native(update(at=ALIAS)), style="emulate", sync="trace-strict"
    )
    print("exits:", counted["exit_trace"])
