"""The table of operations and the names of flags, as C has them."""

from dataclasses import dataclass
from functools import cache

from hv.core import ffi, lib, text

HEADER = 16
RECORD = 8
MAX_RECORDS = 512
MAX_LENGTH = HEADER + RECORD * MAX_RECORDS
STRATEGIES = ("g0", "g1", "g2", "g3", "g4", "g5")


@dataclass(frozen=True, slots=True)
class Op:
    """One row of ops.def.

    :param operands: the kinds of a, b and c; empty where it has none.
    :param feature: the bit of the swarm mask that allows it.
    :param builds: whether it may stand among the records that build a state.
    """

    number: int
    name: str
    doc: str
    operands: tuple[str, str, str]
    weight: int
    feature: int
    builds: bool

    @property
    def injects(self) -> bool:
        """Whether its b and c are the two halves of an instruction."""
        return self.operands[1:] == ("INSN", "INSN")


def _operand(op: int, i: int) -> str:
    return text(lib.hvp_op_operand(op, i))


@cache
def table() -> tuple[Op, ...]:
    """Return all operations, in the order of their numbers."""
    return tuple(
        Op(
            number=n,
            name=text(lib.hvp_op_name(n)),
            doc=text(lib.hvp_op_doc(n)),
            operands=(_operand(n, 0), _operand(n, 1), _operand(n, 2)),
            weight=lib.hvp_op_weight(n),
            feature=lib.hvp_op_feature(n),
            builds=bool(lib.hvp_op_builds(n)),
        )
        for n in range(lib.hvp_op_count())
    )


@cache
def by_name() -> dict[str, Op]:
    """Return all operations by their names."""
    return {op.name: op for op in table()}


def _bits(enum: str, prefix: str) -> dict[str, int]:
    members: dict[str, int] = ffi.typeof(f"enum {enum}").relements
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in sorted(members.items(), key=lambda m: m[1])
    }


@cache
def flags() -> dict[str, int]:
    """Return the bits of a program's flags, by name."""
    return _bits("hvp_flags", "HVP_")


@cache
def features() -> dict[str, int]:
    """Return the bits of the swarm mask, by name."""
    return _bits("hvp_feature", "HVP_FEATURE_")


@cache
def oracles() -> dict[str, int]:
    """Return the bits of the checks that can be chosen, by name."""
    return _bits("hvp_oracle", "HVP_ORACLE_")


@cache
def idioms() -> dict[str, str]:
    """Return the sequences that the generator knows: name and origin."""
    return {
        text(lib.hvp_idiom_name(i)): text(lib.hvp_idiom_doc(i))
        for i in range(lib.hvp_idiom_count())
    }
