"""Hypervisor programs as values: decoding is total, encoding is exact.

The format is that of csrc/include/hvp.h; that C and this module read bytes the
same way is tested.
"""

import struct
from dataclasses import dataclass, field, replace
from enum import IntEnum

from hv.errors import UsageError
from hv.fuzz.ops import HEADER, MAX_RECORDS, RECORD, Op, table

MAGIC = b"HVP1"
DEFAULT_FEATURES = 0x1FFF
_HEADER = struct.Struct("<4sHHHHHH")
_RECORD = struct.Struct("<BBHHH")
NUMBER = 0x3FFF


class Form(IntEnum):
    """How the other 14 bits of an operand are read (operands.def)."""

    LITERAL = 0
    LIVE = 1
    STALE = 2
    EDGE = 3


def operand(form: Form, number: int) -> int:
    """Return an operand: how it is read, and its number (14 bits)."""
    return form << 14 | number & NUMBER


def form_of(value: int) -> Form:
    """Return how an operand is read."""
    return Form(value >> 14)


@dataclass(frozen=True, slots=True)
class Record:
    """One operation: who does what, with which operands.

    :param op: number of the operation.
    :param actor: VM in bits 0-1, vCPU in bits 2-3, kernel mode in bit 4.
    :param args: a, b and c; 16 bits each.
    :raises UsageError: if a number does not fit its field.
    """

    op: int
    actor: int = 0
    args: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if not (
            0 <= self.op < len(table())
            and 0 <= self.actor < 256
            and all(0 <= arg < 1 << 16 for arg in self.args)
        ):
            raise UsageError(f"{self!r} does not fit into a record")

    @property
    def row(self) -> Op:
        """What the table says of this operation."""
        return table()[self.op]

    @property
    def vm(self) -> int:
        """The VM that does it, or to which it is done."""
        return self.actor & 3

    @property
    def vcpu(self) -> int:
        """The vCPU of that VM."""
        return self.actor >> 2 & 3

    @property
    def kernel(self) -> bool:
        """Whether it is done in kernel mode."""
        return bool(self.actor & 16)

    @property
    def insn(self) -> int:
        """The instruction word, of an operation that has one."""
        return self.args[2] << 16 | self.args[1]


# Fields of `world`: name, lowest bit, width (hvp.h).
WORLD = (
    ("vms", 0, 2),
    ("memory", 2, 2),
    ("harts", 4, 1),
    ("first", 5, 3),
    ("others", 8, 3),
    ("sync", 11, 2),
    ("policy", 13, 2),
    ("overcommit", 15, 1),
)


@dataclass(frozen=True, slots=True)
class Program:
    """A program: its header, and three lists of records.

    :param flags: of ``enum hvp_flags``.
    :param world: the host and its VMs, see ``WORLD``.
    :param features: what a generator was to draw from.
    :param seed: bits 16 to 31 of the header's ``seed``: see hvp.h.
    :param build: what builds a state.
    :param vary: what only the second run of a twin does.
    :raises UsageError: if a number does not fit its field, or there are more
        than 512 records.
    """

    flags: int = 0
    world: int = 0
    features: int = DEFAULT_FEATURES
    seed: int = 0
    build: tuple[Record, ...] = ()
    vary: tuple[Record, ...] = ()
    run: tuple[Record, ...] = field(default=())

    def __post_init__(self) -> None:
        head = (self.flags, self.world, self.features, self.seed)
        if not all(0 <= half < 1 << 16 for half in head):
            raise UsageError(f"{head} does not fit into a header")
        if len(self.records) > MAX_RECORDS:
            raise UsageError(
                f"{len(self.records)} records are more than {MAX_RECORDS}"
            )

    @property
    def records(self) -> tuple[Record, ...]:
        """All records, in the order of the file."""
        return self.build + self.vary + self.run

    def with_records(
        self, records: tuple[Record, ...], nbuild: int, nvary: int
    ) -> "Program":
        """Return the program with other records, cut into three so."""
        return replace(
            self,
            build=records[:nbuild],
            vary=records[nbuild : nbuild + nvary],
            run=records[nbuild + nvary :],
        )


def decode(data: bytes) -> Program:
    """Return what these bytes mean; every string of bytes means something."""
    head = Program()
    nbuild = nvary = at = 0
    if len(data) >= HEADER and data.startswith(MAGIC):
        _, flags, world, features, seed, nbuild, nvary = _HEADER.unpack_from(
            data
        )
        head = Program(flags, world, features, seed)
        at = HEADER
    count = min((len(data) - at) // RECORD, MAX_RECORDS)
    body = data[at : at + count * RECORD]
    records = tuple(
        Record(op % len(table()), actor, (a, b, c))
        for op, actor, a, b, c in _RECORD.iter_unpack(body)
    )
    nbuild = min(nbuild, count)
    return head.with_records(records, nbuild, min(nvary, count - nbuild))


def encode(program: Program) -> bytes:
    """Return a program as bytes; :func:`decode` gives it back."""
    head = _HEADER.pack(
        MAGIC,
        *(program.flags, program.world, program.features, program.seed),
        *(len(program.build), len(program.vary)),
    )
    return head + b"".join(
        _RECORD.pack(r.op, r.actor, *r.args) for r in program.records
    )
