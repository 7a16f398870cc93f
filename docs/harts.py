"""A Sphinx extension: what the chapter on several harts shows, out of a run.

Two harts that add to one word without an atomic instruction, under several
interleavings; and what spinning costs a kernel whose vCPUs are not always run.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import hv
from hv.images import find
from tests.machine import asm

if TYPE_CHECKING:  # solutions are run where there is no Sphinx
    from sphinx.application import Sphinx

OUT = Path(__file__).resolve().parent / "_generated"
BASE = 0x80000000
COUNTER, DONE = BASE + 0x2000, BASE + 0x2004
TIMES = 1000
HSM, SHUTDOWN = 0x48534D, 8
SEEDS = (0, 1, 2, 3, 4)
QUANTA = (1, 10, 100, 1000)


def program(*, atomic: bool) -> bytes:
    """Return code for two harts: each adds 1 to a word, a thousand times."""
    add: list[int] = (
        [asm.amoadd_w(asm.ZERO, asm.T2, asm.S0)]
        if atomic
        else [
            asm.lw(asm.T1, 0, asm.S0),
            asm.addi(asm.T1, asm.T1, 1),
            asm.sw(asm.T1, 0, asm.S0),
        ]
    )
    work = [
        *asm.li(asm.S0, COUNTER),
        asm.addi(asm.T2, asm.ZERO, 1),
        asm.addi(asm.T0, asm.ZERO, TIMES),
        *add,
        asm.addi(asm.T0, asm.T0, -1),
        asm.bne(asm.T0, asm.ZERO, -4 * (len(add) + 1)),
        *asm.li(asm.S0, DONE),
        asm.amoadd_w(asm.ZERO, asm.T2, asm.S0),
    ]
    start = [
        *asm.li(asm.A7, HSM),
        asm.addi(asm.A6, asm.ZERO, 0),
        asm.addi(asm.A0, asm.ZERO, 1),
        *asm.li(asm.A1, BASE + 0x1000),
        asm.ECALL,
    ]
    last = [
        asm.lw(asm.T1, 0, asm.S0),
        asm.addi(asm.T1, asm.T1, -2),
        asm.bne(asm.T1, asm.ZERO, -8),
        asm.addi(asm.A7, asm.ZERO, SHUTDOWN),
        asm.ECALL,
    ]
    second = [*work, asm.jal(asm.ZERO, 0)]
    first = words([*start, *work, *last])
    return first.ljust(0x1000, b"\0") + words(second)


def words(code: Iterable[int]) -> bytes:
    """Return code as it lies in memory."""
    return b"".join(word.to_bytes(4, "little") for word in code)


def counted(*, atomic: bool, quantum: int, seed: int) -> int:
    """Return what the two harts have made of the word."""
    with hv.Machine(harts=2, quantum=quantum, interleave=seed) as machine:
        machine.mem.write(BASE, program(atomic=atomic))
        machine.boot(BASE, 0, 0)
        machine.run(max_insns=10**6)
        return machine.mem.read32(COUNTER)


def race() -> str:
    """Return a table of the word's value: by quantum, and by seed."""
    head = "".join(
        f" | seed {seed}" if seed else " | in order" for seed in SEEDS
    )
    lines = [f"| quantum{head} | atomic |", "|---" * (len(SEEDS) + 2) + "|"]
    for quantum in QUANTA:
        cells = [
            str(counted(atomic=False, quantum=quantum, seed=seed))
            for seed in SEEDS
        ]
        atomic = counted(atomic=True, quantum=quantum, seed=SEEDS[-1])
        lines.append(f"| {quantum} | {' | '.join(cells)} | {atomic} |")
    return "\n".join(lines) + "\n"


def contention(
    image: str, append: str, *, vms: int = 2, gang: bool = False
) -> tuple[int, int]:
    """Return the spins of the first VM, and cycles, where all want a lock."""
    with hv.Hypervisor(harts=4) as host:
        for _ in range(vms):
            vm = host.create(
                style=find(image).style, mem="16MiB", vcpus=4, gang=gang
            )
            vm.load(find(image), append=f"run=locks scale=2 lockstat {append}")
            vm.boot()
        host.run()
        spins = sum(
            int(n) for n in re.findall(r"spins (\d+)", host.vms[0].console.text)
        )
        return spins, max(hart.cycles for hart in host.harts)


def locks() -> str:
    """Return a table of what waiting for a lock costs, in several ways."""
    native, pv = "kernel-native", "kernel-pv"
    found = {
        "alone: a hart for each vCPU": contention(native, "", vms=1),
        "two VMs, native": contention(native, ""),
        "two VMs, native, gang": contention(native, "", gang=True),
        "two VMs, pv, spinning": contention(pv, "pvlocks=0"),
        "two VMs, pv, pv locks": contention(pv, "pvlocks=1"),
        "two VMs, pv, gang": contention(pv, "pvlocks=0", gang=True),
    }
    lines = ["| | spins of a VM | million cycles |", "|---|---|---|"]
    lines += [
        f"| {name} | {spins:,} | {cycles / 1e6:.2f} |"
        for name, (spins, cycles) in found.items()
    ]
    return "\n".join(lines) + "\n"


def generate(_: "Sphinx") -> None:
    """Make the tables before the chapter is read."""
    OUT.mkdir(exist_ok=True)
    (OUT / "race.md").write_text(race())
    (OUT / "locks.md").write_text(locks())


def setup(app: "Sphinx") -> dict[str, object]:
    """Tell Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True}
