"""Hypothesis strategies for hypervisor programs.

:func:`programs` draws what the generator's g3 draws, record by record, so that
Hypothesis can shrink it; :func:`generated` is the generator in C, by seed;
:func:`raw_programs` is any bytes at all.
"""

from hypothesis import strategies as st

from hv.fuzz import ops
from hv.fuzz.format import Form, Program, Record, decode, operand
from hv.fuzz.native import generate

RIGHTS = (0x03, 0x07, 0x0B, 0x0F, 0xC7, 0xCF, 0xD3, 0xD7, 0xDF, 0x57)
HANDLES = ("GVA", "GPA", "GFN", "SLOT", "ROOT", "VALUE", "CSR", "VCPU")
ADDRESSES = ("GVA", "GPA")

_forms = st.sampled_from(
    [Form.LIVE] * 5 + [Form.STALE, Form.EDGE, Form.LITERAL]
)


def _handle(kind: str) -> st.SearchStrategy[int]:
    number = st.integers(0, 3) | st.integers(0, 31)
    if kind in ADDRESSES:  # a page, and where in it
        offset = st.just(0) | st.integers(0, 31)
        number = st.builds(lambda page, at: page << 5 | at, number, offset)
    return st.builds(operand, _forms, number)


def operands(kind: str) -> st.SearchStrategy[int]:
    """Operands of a kind; ``""`` is looked at by nobody.

    :param kind: as in operands.def.
    """
    if not kind:
        return st.just(0)
    if kind == "INSN":
        return st.sampled_from([0x73, 0x13, 0x1020, 0x1050, 0x10, 0]) | (
            st.integers(0, 0xFFFF)
        )
    if kind == "RIGHTS":
        return st.sampled_from(RIGHTS) | st.integers(0, 0x3FF)
    if kind in HANDLES:
        return _handle(kind)
    edges = st.builds(operand, st.just(Form.EDGE), st.integers(0, 31))
    return st.integers(0, 24) | st.integers(0, 24) | edges


def actors(vms: int = 4) -> st.SearchStrategy[int]:
    """Who does it: mostly the kernel of a first vCPU."""
    kernels = st.integers(0, vms - 1).map(lambda vm: vm | 16)
    return (
        kernels
        | kernels
        | st.builds(
            lambda vm, rest: vm | rest << 2,
            st.integers(0, vms - 1),
            st.integers(0, 7),
        )
    )


def records(
    *, builds: bool = False, features: int = 0xFFFF, vms: int = 4
) -> st.SearchStrategy[Record]:
    """Single operations, by the weights of the table.

    :param builds: only those that may build a state.
    :param features: only those that one of these bits allows.
    """
    rows = [
        row
        for row in ops.table()
        if row.feature & features and (row.builds or not builds)
    ]
    weighted = [row for row in rows for _ in range(row.weight)]
    return st.sampled_from(weighted).flatmap(
        lambda row: st.builds(
            Record,
            st.just(row.number),
            actors(vms),
            st.tuples(*map(operands, row.operands)),
        )
    )


def programs(*, longest: int = 24) -> st.SearchStrategy[Program]:
    """Programs whose parts Hypothesis can shrink.

    :param longest: how many records they have in all, at most, about.
    """
    lists = st.lists
    flags = st.sampled_from([0, 0, *ops.flags().values()])
    return st.builds(
        Program,
        flags=flags,
        world=st.integers(0, 0xFFFF),
        features=st.just(0x1FFF),
        seed=st.integers(0, 3),
        build=lists(records(builds=True), max_size=longest // 3).map(tuple),
        vary=lists(records(vms=1), max_size=2).map(tuple),
        run=lists(records(), min_size=1, max_size=longest).map(tuple),
    )


def generated(
    strategies: tuple[str, ...] = ops.STRATEGIES,
) -> st.SearchStrategy[Program]:
    """Programs of the generator in C; they shrink to a smaller seed alone."""
    return st.builds(
        lambda strategy, seed: decode(generate(strategy, seed)),
        st.sampled_from(strategies),
        st.integers(0, (1 << 64) - 1),
    )


def raw_programs(*, longest: int = 256) -> st.SearchStrategy[bytes]:
    """Any bytes, sometimes with the magic: every string is a program."""
    magic = st.binary(max_size=longest).map(lambda data: b"HVP1" + data)
    return st.binary(max_size=longest) | magic
