"""No guest reaches an assertion: random memory, random registers.

A guest may be killed, may switch itself off, may run for ever. What it may not
do is to break the hypervisor: that would raise HypervisorBug here, and the
audit after each run would find what an assertion missed.
"""

import os
import random

import pytest

import hv

BASE = 0x8000_0000
SIZE = 1 << 16
GUESTS = {"ci": 100, "nightly": 5000}.get(
    os.environ.get("HV_TEST_PROFILE", "dev"), 60
)
CSRS = ["sstatus", "sie", "stvec", "sscratch", "sepc", "scause", "satp"]

# Beginnings of instructions that matter to a hypervisor; the rest is random.
OPCODES = [0x73, 0x73, 0x73, 0x03, 0x23, 0x2F, 0x13, 0x33, 0x37, 0x63, 0x6F]
CALLS = [0x00000073, 0x10200073, 0x10500073, 0x12000073, 0x0000100F]
NUMBERS = [0, 1, 8, 0x10, 0x0A004856, 0x54494D45, 0x4442434E, 0x48534D]


def word(rng: random.Random) -> int:
    """Return something that could be an instruction, an entry, or nothing."""
    kind = rng.randrange(10)
    if kind < 4:
        return rng.getrandbits(25) << 7 | rng.choice(OPCODES)
    if kind < 6:
        return rng.choice(CALLS)
    if kind < 7:  # li a7, number (its upper part): which call to make
        return rng.choice(NUMBERS) & 0xFFFFF000 | 17 << 7 | 0x37
    if kind < 9:  # a page-table entry of this memory, or around it
        page = (BASE >> 12) + rng.randrange(-2, 0x102)
        return (page << 10 | rng.getrandbits(10)) & 0xFFFFFFFF
    return rng.getrandbits(32)


def value(rng: random.Random) -> int:
    """Return what a register may hold: rather an address than not."""
    if rng.randrange(3):
        return BASE + rng.randrange(SIZE) & ~3
    return rng.choice([0, 1, *NUMBERS, 0xFFFFFFFF, rng.getrandbits(32)])


def start(hypervisor: hv.Hypervisor, style: str, rng: random.Random) -> hv.VM:
    """Boot a guest that nobody wrote."""
    vm = hypervisor.create(
        style=style,
        mem="1MiB",
        vcpus=rng.choice([1, 1, 2]),
        shadow_frames=rng.choice([4, 5, 16]),
    )
    content = [word(rng) for _ in range(SIZE // 4)]
    vm.mem.write(BASE, b"".join(w.to_bytes(4, "little") for w in content))
    vm.boot(BASE + rng.randrange(SIZE) & ~3)
    cpu = vm.cpu[0]
    for number in range(1, 32):
        cpu.set_reg(f"x{number}", value(rng))
    for csr in CSRS:
        if rng.randrange(2):
            cpu.set_reg(csr, rng.choice([value(rng), rng.getrandbits(32)]))
    if rng.randrange(2):
        root = BASE + rng.randrange(SIZE)
        cpu.set_reg("satp", 1 << 31 | root >> 12)
    return vm


@pytest.mark.parametrize("style", ["emulate", "pv"])
@pytest.mark.parametrize("profile", ["clean", "leaky"])
@pytest.mark.parametrize("part", range(2))
def test_no_guest_reaches_an_assertion(
    style: str, profile: str, part: int
) -> None:
    for number in range(GUESTS):
        rng = random.Random(f"{style} {profile} {part} {number}")
        with hv.Hypervisor(
            ram="8MiB", profile=profile, slice=rng.choice([20, 10_000])
        ) as hypervisor:
            vms = [start(hypervisor, style, rng) for _ in range(2)]
            hypervisor.run(2000)
            hypervisor.audit()
            for vm in vms:
                vm.destroy()
            hypervisor.audit()
            assert hypervisor.info.frames_free == hypervisor.info.frames
