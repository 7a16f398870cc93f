"""Short programs on several harts, and what must come out for given rounds.

The model is memory as one thinks of it: one word after the other, operations
one at a time, in the order in which the rounds say that harts take turns. A
hart executes one operation a cycle, so a round of length n is n operations of
each hart.

The machine is started at a known place: all harts wait in wfi with the
operands in their registers, then all are woken at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.equivalence.core import Core
from tests.harts import world
from tests.harts.world import SHARED, Round, Words, World
from tests.machine import asm
from tests.machine.core import abi

WORDS = 2  # of memory that the programs share
FIRST = 16  # x16 ...: what the operations read; x8, x9: addresses
ADDRESS = (asm.S0, asm.S1)
VALUE = asm.A0


@dataclass(frozen=True)
class Op:
    """One operation: load, store, add, lr, sc; of a word, with a value."""

    kind: str
    word: int
    value: int = 1

    def encode(self, reads: int) -> int:
        """Return the instruction; what it reads goes to register `reads`."""
        address, value = ADDRESS[self.word], VALUE + self.value
        return {
            "load": lambda: asm.lw(reads, 0, address),
            "store": lambda: asm.sw(value, 0, address),
            "add": lambda: asm.amoadd_w(reads, value, address),
            "lr": lambda: asm.lr_w(reads, address),
            "sc": lambda: asm.sc_w(reads, value, address),
        }[self.kind]()


Programs = Sequence[Sequence[Op]]


@dataclass
class Result:
    """Memory, and what each hart read: None where nothing is read."""

    memory: list[int]
    reads: list[list[int | None]]


class Memory:
    """The words, and who holds a reservation of which."""

    def __init__(self) -> None:
        self.words = [0] * WORDS
        self._reserved: dict[int, int] = {}

    def execute(self, hart: int, op: Op) -> int | None:
        """Do one operation; return what it reads."""
        old = self.words[op.word]
        if op.kind == "sc":
            held = self._reserved.pop(hart, None) == op.word
            if held:
                self._write(op.word, op.value)
            return int(not held)
        if op.kind == "lr":
            self._reserved[hart] = op.word
        elif op.kind in ("store", "add"):
            self._write(op.word, op.value + old * (op.kind == "add"))
        return None if op.kind == "store" else old

    def _write(self, word: int, value: int) -> None:
        self.words[word] = value
        for hart in [h for h, at in self._reserved.items() if at == word]:
            del self._reserved[hart]


def model(programs: Programs, rounds: Sequence[Round]) -> Result:
    """Execute the operations in the order that the rounds give."""
    memory = Memory()
    reads: list[list[int | None]] = [[] for _ in programs]
    longest = max(map(len, programs))
    everybody = tuple(range(len(programs)))
    for length, order in [*rounds, (longest, everybody)]:
        for hart in order:
            at = len(reads[hart])
            for op in programs[hart][at : at + length]:
                reads[hart].append(memory.execute(hart, op))
    return Result(memory.words, reads)


def kernel(program: Sequence[Op]) -> Words:
    """Return what a hart executes: wait, the operations, wait."""
    return asm.program(
        *(asm.li(r, SHARED + 4 * i) for i, r in enumerate(ADDRESS)),
        *(asm.li(VALUE + i, i) for i in range(4)),
        asm.csrrwi(asm.ZERO, abi.CSR_SIE, abi.MIP_SSIP),
        asm.WFI,
        *(op.encode(FIRST + i) for i, op in enumerate(program)),
        asm.csrrwi(asm.ZERO, abi.CSR_SIP, 0),
        asm.WFI,
        asm.j(-4),
    )


def machine(
    core: Core, programs: Programs, rounds: Sequence[Round], engine: int = 0
) -> Result:
    """Execute them on the machine."""
    it = World(core, [kernel(p) for p in programs], engine=engine)
    assert it.run() == "IDLE"
    it.replay(rounds)
    for hart in range(it.harts):
        sip = world.CSR + abi.CSR_SIP
        assert core.lib.hv_reg_set(it.raw, 0, hart, sip, abi.MIP_SSIP) == 0
    assert it.run() == "IDLE"
    return Result(
        memory=[it.peek(SHARED + 4 * i) for i in range(WORDS)],
        reads=[
            [
                None if op.kind == "store" else it.reg(hart, FIRST + i)
                for i, op in enumerate(program)
            ]
            for hart, program in enumerate(programs)
        ],
    )
