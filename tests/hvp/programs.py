"""Hypervisor programs, written down: the format of csrc/include/hvp.h."""

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tests.equivalence.core import CData, Core

MAGIC = b"HVP1"
HEADER, RECORD = 16, 8
TWIN, FILL, STRICT, UNFENCED = 1, 2, 8, 16
AUDIT, EACH, ALL = 1, 2, 511
STYLES = ("EMULATE", "PV", "ASSIST", "NESTED", "DIRECT")
SYNCS = ("LAZY", "TRACE", "TRACE_STRICT", "TOLD")

# Worlds that random programs draw from: few, since making one takes longer
# than a program does.
WORLDS = tuple(random.Random(9).randrange(1 << 16) for _ in range(24))


def live(number: int) -> int:
    """Return the operand: handle ``number`` of those that are live."""
    return 1 << 14 | number


def stale(number: int) -> int:
    """Return the operand: handle ``number`` of those that were."""
    return 2 << 14 | number


def edge(number: int) -> int:
    """Return the operand: entry ``number`` of the kind's table of edges."""
    return 3 << 14 | number


def world(
    *,
    vms: int = 2,
    memory: int = 3,
    harts: int = 1,
    style: str = "EMULATE",
    others: str = "EMULATE",
    sync: str = "LAZY",
    policy: int = 0,
    overcommit: bool = False,
) -> int:
    """Return the header's ``world``."""
    return (
        (vms - 1)
        | memory << 2
        | (harts - 1) << 4
        | STYLES.index(style) << 5
        | STYLES.index(others) << 8
        | SYNCS.index(sync) << 11
        | policy << 13
        | overcommit << 15
    )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What hvp_execute() found, as Python sees it."""

    property: str
    what: str
    op: int
    kind: int
    done: int
    hash: int
    traces: tuple[int, ...]


class Programs:
    """A core, and what is needed to write and to execute programs for it."""

    def __init__(
        self, core: Core, oracles: int = ALL, audit_every: int = 1
    ) -> None:
        self.ffi, self.lib = core.ffi, core.lib
        context = self.lib.hvp_new(oracles, audit_every)
        assert context != self.ffi.NULL
        self.context = self.ffi.gc(context, self.lib.hvp_free)
        count = range(self.lib.hvp_op_count())
        names = [self._text(self.lib.hvp_op_name(i)) for i in count]
        self.number = {name: i for i, name in enumerate(names)}
        self.weights = [self.lib.hvp_op_weight(i) for i in count]

    def _text(self, pointer: CData) -> str:
        return str(self.ffi.string(pointer).decode())

    def record(
        self,
        name: str,
        *operands: int,
        vm: int = 0,
        vcpu: int = 0,
        kernel: bool = True,
    ) -> bytes:
        """Return the bytes of one operation."""
        a, b, c = (*operands, 0, 0, 0)[:3]
        actor = vm | vcpu << 2 | kernel << 4
        return struct.pack("<BBHHH", self.number[name], actor, a, b, c)

    def random(self, seed: int, count: int = 48) -> bytes:
        """Return a random program: any operations, some of them often."""
        dice = random.Random(seed)
        numbers = range(len(self.weights))
        often = dice.sample(numbers, 12)
        records = []
        for _ in range(count):
            if dice.random() < 0.6:
                op = dice.choice(often)
            else:
                op = dice.choices(numbers, self.weights)[0]
            operands = [
                dice.choice((0, 1, 1, 1, 2, 3)) << 14
                | dice.randrange(1 << 14 if dice.random() < 0.5 else 64)
                for _ in range(3)
            ]
            vm = dice.randrange(4) if dice.random() < 0.4 else 0
            actor = vm | dice.randrange(2) << 2 | (dice.random() < 0.7) << 4
            records.append(struct.pack("<BBHHH", op, actor, *operands))
        flags = dice.choice((0, 0, 0, TWIN, FILL, UNFENCED, STRICT | TWIN))
        return program(records, world=dice.choice(WORLDS), flags=flags)

    def execute(self, data: bytes) -> Verdict:
        """Execute a program in this context."""
        out = self.ffi.new("struct hvp_verdict *")
        status = self.lib.hvp_execute(self.context, data, len(data), out)
        assert status == self.lib.HV_OK
        return Verdict(
            property=self._text(out.property),
            what=self._text(out.what),
            op=out.op,
            kind=out.kind,
            done=out.done,
            hash=out.hash,
            traces=tuple(out.trace),
        )


def program(
    records: Sequence[bytes],
    *,
    world: int,
    flags: int = 0,
    build: int = 0,
    vary: int = 0,
) -> bytes:
    """Put a header before these records."""
    header = MAGIC + struct.pack("<HHIHH", flags, world, 0, build, vary)
    return header + b"".join(records)
