"""A bare machine of several harts, each with a program of its own.

Hart 0 boots and starts the others; then each runs the program at its own
address, with its number in s11. All see the same memory.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence

from tests.equivalence.core import CData, Core
from tests.machine import asm
from tests.machine.asm import A0, A6, A7, ECALL, S11, T0, T1, ZERO
from tests.machine.core import abi

BOOT = abi.RAM_BASE + 0x1000
SIZE = 4 << 20
SHARED = abi.RAM_BASE + 0x20_0000  # data, by convention
TABLES = abi.RAM_BASE + 0x21_0000
REASONS = ("DONE", "BUDGET", "BREAK", "IDLE", "CONSOLE", "ENDED")
PC, CSR = 32, 0x1000

Words = list[int]
Round = tuple[int, tuple[int, ...]]  # length, order


def place(hart: int) -> int:
    """Return where the program of a hart begins."""
    return abi.RAM_BASE + 0x10_0000 + 0x4000 * hart


def call(extension: int, function: int = 0, *arguments: int) -> Words:
    """Make an SBI call; what is not given stays as it is in a0, a1 ..."""
    return asm.program(
        *(asm.li(A0 + i, value) for i, value in enumerate(arguments)),
        asm.li(A7, extension),
        asm.li(A6, function),
        ECALL,
    )


def loop(times: int, counter: int, *body: int | Iterable[int]) -> Words:
    """Do something so many times."""
    words = asm.program(*body)
    return asm.program(
        asm.li(counter, times),
        words,
        asm.addi(counter, counter, -1),
        asm.bne(counter, ZERO, -4 * (len(words) + 1)),
    )


def wait_for(address: int, value: int) -> Words:
    """Read a word until it has this value."""
    return asm.program(
        asm.li(T0, address),
        asm.li(T1, value),
        asm.lw(T1 + 1, 0, T0),
        asm.bne(T1 + 1, T1, -4),
    )


def store(address: int, value: int) -> Words:
    """Store a constant."""
    return asm.program(
        asm.li(T0, address), asm.li(T1, value), asm.sw(T1, 0, T0)
    )


def finish(harts: int) -> Words:
    """Say that this hart is done; hart 0 powers off when all are."""
    done = SHARED + 0xF00
    return asm.program(
        asm.li(T0, done),
        asm.li(T1, 1),
        asm.amoadd_w(ZERO, T1, T0),
        asm.beq(S11, ZERO, 8),
        asm.j(0),
        wait_for(done, harts),
        store(abi.TEST_BASE, abi.TEST_PASS),
        asm.j(0),
    )


class World:
    """The machine; ``options`` are fields of struct hv_config.

    ``memory`` is what else is in it, by address.
    """

    def __init__(
        self,
        core: Core,
        programs: Sequence[Words],
        *,
        seed: int = 0,
        rounds: Sequence[Round] = (),
        memory: Mapping[int, Words] | None = None,
        **options: int,
    ) -> None:
        self.ffi, self.lib = core.ffi, core.lib
        self.harts = len(programs)
        self.quantum = options.get("quantum", 0)
        config = self.ffi.new("struct hv_config *")
        self.lib.hv_config_default(config)
        config.m_mode = self.lib.HV_M_FIRMWARE
        config.ram_size = SIZE
        config.harts = self.harts
        for name, value in options.items():
            setattr(config, name, value)
        out = self.ffi.new("hv_host **")
        assert self.lib.hv_host_new(config, out, self.ffi.NULL, 0) == 0
        self.raw: CData = self.ffi.gc(out[0], self.lib.hv_host_free)
        for hart, words in enumerate(programs):
            self.poke(place(hart), [asm.addi(S11, ZERO, hart), *words])
        self.poke(BOOT, self._boot_code())
        for address, words in (memory or {}).items():
            self.poke(address, words)
        assert self.lib.hv_interleave_seed(self.raw, seed) == 0
        self.replay(rounds)
        assert self.lib.hv_interleave_record(self.raw, 1) == 0
        assert self.lib.hv_vm_boot(self.raw, 0, BOOT, 0, 0) == 0

    def _boot_code(self) -> Words:
        start = [
            call(abi.SBI_EXT_HSM, abi.SBI_HSM_START, hart, place(hart), hart)
            for hart in range(1, self.harts)
        ]
        words = asm.program(*start)
        return [*words, asm.jal(ZERO, place(0) - BOOT - 4 * len(words))]

    # memory and registers

    def poke(self, address: int, words: Iterable[int]) -> None:
        data = b"".join(word.to_bytes(4, "little") for word in words)
        status = self.lib.hv_mem_write(self.raw, 0, address, data, len(data))
        assert status == 0

    def peek(self, address: int) -> int:
        out = self.ffi.new("uint32_t *")
        assert self.lib.hv_mem_read(self.raw, 0, address, out, 4) == 0
        return int(out[0])

    def reg(self, hart: int, number: int) -> int:
        out = self.ffi.new("uint32_t *")
        assert self.lib.hv_reg_get(self.raw, 0, hart, number, out) == 0
        return int(out[0])

    # running

    def run(self, max_insns: int = 1_000_000) -> str:
        """Run; return why it ended. What it did is in ``self.last``."""
        run = self.ffi.new("struct hv_run *", {"max_insns": max_insns})
        assert self.lib.hv_run(self.raw, run) == 0
        self.last = run
        return REASONS[run.reason]

    def step(self, hart: int) -> int:
        return int(self.lib.hv_step(self.raw, 0, hart))

    def stop_at(self, address: int) -> None:
        assert self.lib.hv_break(self.raw, 0, address, 1) == 0

    # looking

    def hash(self) -> int:
        out = self.ffi.new("uint64_t *")
        assert self.lib.hv_hash(self.raw, out) == 0
        return int(out[0])

    def count(self, hart: int, name: str) -> int:
        group = self.lib.HV_COUNTERS_HART
        n = self.lib.hv_counter_count(group)
        out = self.ffi.new("uint64_t[]", n)
        assert self.lib.hv_counters(self.raw, hart, group, out, n) == 0
        names = [
            self.ffi.string(self.lib.hv_counter_name(group, i)).decode()
            for i in range(n)
        ]
        return int(out[names.index(name)])

    def clocks(self) -> list[int]:
        return [self.count(hart, "cycles") for hart in range(self.harts)]

    # rounds

    def replay(self, rounds: Sequence[Round]) -> None:
        assert self.ask(rounds) == 0

    def ask(self, rounds: Sequence[Round]) -> int:
        """Ask for rounds, which may be wrong; return the status."""
        out = self.ffi.new("struct hv_round[]", len(rounds))
        for i, (length, order) in enumerate(rounds):
            out[i].length = length
            out[i].order[0 : len(order)] = list(order)
        return int(self.lib.hv_interleave_set(self.raw, out, len(rounds)))

    def rounds(self) -> list[Round]:
        count = self.ffi.new("uint32_t *")
        none = self.ffi.NULL
        assert self.lib.hv_interleave_get(self.raw, 0, none, 0, count) == 0
        out = self.ffi.new("struct hv_round[]", count[0])
        status = self.lib.hv_interleave_get(self.raw, 0, out, count[0], count)
        assert status == 0
        return [(it.length, tuple(it.order[0 : self.harts])) for it in out]


def orders(harts: int) -> list[tuple[int, ...]]:
    """Return every order of so many harts."""
    return list(itertools.permutations(range(harts)))
