"""No guest reaches HV_ASSERT, whatever its memory, registers and CSRs hold.

Hosts with two VMs (one whose kernel does not know, in any of its styles, and
one paravirtual) are filled with hostile things: noise, words that are mostly
privileged, hypercalls with wild arguments, real programs with bits flipped,
page tables that point anywhere. They run for a while. A guest may be killed, or
hang until its budget ends; the host must not break, and the audit must hold. A
failure names its seed.
"""

import os
import random
from collections.abc import Callable

import pytest

from tests.equivalence.core import CData, Core, good_core
from tests.equivalence.lockstep import RAM_BASE, UNFENCED, Lockstep

SIZE = 0x2_0000
ROUNDS = 20 if os.environ.get("HV_SANITIZED") else 100
INSNS = 3000
PAGE = 0x1000
ECALL = 0x0000_0073
HV_EXTENSION = 0x0A00_4856
SBI = [HV_EXTENSION] * 6 + [
    *(0x10, 0x5449_4D45, 0x73_5049, 0x5246_4E43, 0x48_534D),
    *(0x5352_5354, 0x4442_434E, *range(9), 0xFFFF_FFFF),
]
CSRS = (0x100, 0x104, 0x105, 0x106, 0x140, 0x141, 0x142, 0x143, 0x144, 0x180)


def value(rng: random.Random) -> int:
    """Return a number of the kind that hurts."""
    base = rng.choice(
        [0, RAM_BASE, RAM_BASE + SIZE, 1 << 31, 1 << 32, 0x1000_0000, PAGE]
    )
    off = rng.choice([0, 0, 1, -1, 4, -4, rng.randrange(SIZE), PAGE, -PAGE])
    return (rng.choice([base + off, rng.getrandbits(32)])) & 0xFFFF_FFFF


def entry(rng: random.Random) -> int:
    """Return a page-table entry: often valid, often strange."""
    page = rng.choice(
        [
            (RAM_BASE >> 12) + rng.randrange(34),
            *(0x80000, 0x10000, 0x0C000, 0x100, 0x02000, 0xFFFFF),
            rng.getrandbits(22),
        ]
    )
    return page << 10 | rng.choice([1, 1, 0xDF, 0xCF, rng.getrandbits(10)])


def noise(rng: random.Random) -> bytes:
    """Every word anything."""
    return rng.randbytes(SIZE)


def privileged(rng: random.Random) -> bytes:
    """Words of the system opcode, AMOs, loads and stores."""
    words = bytearray()
    for _ in range(SIZE // 4):
        opcode = rng.choice([0x73, 0x73, 0x73, 0x2F, 0x03, 0x23, 0x13, 0x67])
        word = rng.getrandbits(25) << 7 | opcode
        if rng.random() < 0.2:
            word = rng.choice(
                [ECALL, 0x10200073, 0x10500073, 0x12000073, 0x30200073]
            )
        words += word.to_bytes(4, "little")
    return bytes(words)


def calls(rng: random.Random) -> bytes:
    """Every SBI call and hypercall, with arguments from the registers."""
    words = bytearray()
    while len(words) < SIZE:
        code = [rng.randrange(20) << 20 | 0x813]  # addi a6, zero, number
        code += [rng.getrandbits(20) << 12 | rng.randrange(10, 16) << 7 | 0x37]
        for _ in range(2):  # a register into another
            rs, rd = rng.randrange(32), rng.randrange(10, 16)
            code.append(rs << 15 | rd << 7 | 0x13)
        if rng.random() < 0.2:
            ext = rng.choice(SBI)
            code.append((ext + 0x800 & 0xFFFFF000) | 17 << 7 | 0x37)
            code.append((ext & 0xFFF) << 20 | 17 << 15 | 17 << 7 | 0x13)
        code.append(ECALL)
        for word in code:
            words += word.to_bytes(4, "little")
    return bytes(words[:SIZE])


def tables(rng: random.Random) -> bytes:
    """Half code, half page tables."""
    half = SIZE // 2
    entries = b"".join(
        entry(rng).to_bytes(4, "little") for _ in range(half // 4)
    )
    return privileged(rng)[:half] + entries


def mutated(rng: random.Random) -> bytes:
    """A sensible program, and some bits of it flipped."""
    lockstep = Lockstep(good_core(), flags=UNFENCED)
    image = bytearray(lockstep.image(rng.getrandbits(32)))
    for _ in range(rng.choice([1, 10, 200])):
        image[rng.randrange(0x8000)] ^= 1 << rng.randrange(8)
    return bytes(image)


KINDS = [noise, privileged, calls, tables, mutated]


class Host:
    """A host with a native VM and a pv one, both filled by one seed."""

    def __init__(
        self, core: Core, kind: Callable[[random.Random], bytes], seed: int
    ) -> None:
        self.ffi, self.lib = core.ffi, core.lib
        rng = random.Random(seed)
        config = self.ffi.new("struct hv_config *")
        self.lib.hv_config_default(config)
        config.ram_size = 1 << 20
        config.slice = rng.choice([1, 20, 1000])
        config.ad_fault = rng.randrange(2)
        config.profile = rng.randrange(8) == 0
        config.fill = rng.randrange(256)
        out = self.ffi.new("hv_host **")
        assert self.lib.hv_host_new(config, out, self.ffi.NULL, 0) == 0
        self.host: CData = self.ffi.gc(out[0], self.lib.hv_host_free)
        native = rng.choice(["EMULATE", "ASSIST", "NESTED"])
        for name in (native, "PV"):
            style = getattr(self.lib, f"HV_STYLE_{name}")
            vm, image = self._vm(rng, style), kind(rng)
            self.lib.hv_mem_write(self.host, vm, RAM_BASE, image, len(image))
            if kind is mutated:  # its own boot sets it up
                assert self.lib.hv_vm_boot(self.host, vm, RAM_BASE, 0, 0) == 0
            else:
                self._scribble(vm, rng)

    def _vm(self, rng: random.Random, style: int) -> int:
        number = self.ffi.new("uint32_t *")
        config = self.ffi.new("struct hv_vm_config *")
        self.lib.hv_vm_config_default(config)
        config.style = style
        config.mem_size = SIZE
        config.vcpus = rng.choice([1, 1, 2])
        config.shadow_frames = rng.choice([4, 5, 8, 30])
        config.max_insns = INSNS // 2
        status = self.lib.hv_vm_create(
            self.host, config, number, self.ffi.NULL, 0
        )
        assert status == 0
        return int(number[0])

    def _scribble(self, vm: int, rng: random.Random) -> None:
        """Boot somewhere, with wild registers, and perhaps wild CSRs."""
        lib = self.lib
        start = rng.randrange(RAM_BASE, RAM_BASE + SIZE, 4)
        assert lib.hv_vm_boot(self.host, vm, start, 0, 0) == 0
        for register in range(1, 32):
            lib.hv_reg_set(self.host, vm, 0, register, value(rng))
        lib.hv_reg_set(self.host, vm, 0, 17, rng.choice(SBI))
        if rng.random() < 0.5:
            return
        for csr in CSRS:
            if rng.random() < 0.7:
                lib.hv_reg_set(self.host, vm, 0, 0x1000 + csr, value(rng))
        if rng.random() < 0.5:
            root = 1 << 31 | (RAM_BASE >> 12) + rng.randrange(SIZE // PAGE)
            lib.hv_reg_set(self.host, vm, 0, 0x1180, root)
        lib.hv_reg_set(self.host, vm, 0, lib.HV_REG_PRIV, rng.randrange(2))

    def run(self) -> None:
        """Let both run to their ends, in pieces; audit after each."""
        why = self.ffi.new("char[]", 200)
        run = self.ffi.new("struct hv_run *")
        for _ in range(40):
            run.max_insns = INSNS // 8
            status = self.lib.hv_run(self.host, run)
            reason = self.ffi.string(self.lib.hv_host_reason(self.host))
            assert status == self.lib.HV_OK, reason.decode()
            audit = self.lib.hv_audit(self.host, why, len(why))
            assert audit == self.lib.HV_OK, self.ffi.string(why).decode()
            if run.reason in (self.lib.HV_RUN_DONE, self.lib.HV_RUN_IDLE):
                return


def attack(kind: Callable[[random.Random], bytes], first: int) -> None:
    for seed in range(first, first + ROUNDS):
        try:
            Host(good_core(), kind, seed).run()
        except AssertionError as error:
            raise AssertionError(f"{kind.__name__}, seed {seed}") from error


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_guest_breaks_the_host(
    kind: Callable[[random.Random], bytes],
) -> None:
    attack(kind, 0)


@pytest.mark.nightly
@pytest.mark.parametrize("chunk", range(40))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_guest_breaks_the_host_in_a_night(
    kind: Callable[[random.Random], bytes], chunk: int
) -> None:
    attack(kind, 10**6 + chunk * ROUNDS)
