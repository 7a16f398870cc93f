"""Memory of several harts: one word at a time, in the order of the rounds.

Harts interleave by whole instructions and each sees every store at once: the
memory is sequentially consistent. RVWMO, the memory model of RISC-V (The
RISC-V Instruction Set Manual, volume I, chapter "RVWMO Memory Consistency
Model"), allows more, and real harts with store buffers show it: of the two
tests here that have names, both outcomes that never happen on this machine.
"""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.equivalence.core import good_core
from tests.harts.litmus import WORDS, Op, Programs, machine, model
from tests.harts.world import Round, orders

ENGINES = (0, 1)
X, Y = 0, 1


def load(word: int) -> Op:
    return Op("load", word)


def store(word: int) -> Op:
    return Op("store", word)


def schedules(harts: int, length: int) -> list[list[Round]]:
    """Return all rounds in which harts make `length` operations each."""
    cuts = itertools.product([False, True], repeat=length - 1)
    found = []
    for cut in cuts:
        lengths, at = [], 0
        for i, ends in enumerate([*cut, True], 1):
            if ends:
                lengths.append(i - at)
                at = i
        found += [
            list(zip(lengths, them, strict=True))
            for them in itertools.product(orders(harts), repeat=len(lengths))
        ]
    return found


NAMED: dict[str, Programs] = {
    "message passing": [[store(X), store(Y)], [load(Y), load(X)]],
    "store buffering": [[store(X), load(Y)], [store(Y), load(X)]],
}
# What is read where each hart's own order need not be everybody's.
NEVER = {"message passing": (1, 0), "store buffering": (0, 0)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMED)
def test_all_interleavings(name: str, engine: int) -> None:
    programs = NAMED[name]
    outcomes = set()
    for rounds in schedules(2, 2):
        got = machine(good_core(), programs, rounds, engine=engine)
        assert got == model(programs, rounds), rounds
        outcomes.add(
            tuple(x for reads in got.reads for x in reads if x is not None)
        )
    assert outcomes == {(0, 0), (0, 1), (1, 0), (1, 1)} - {NEVER[name]}


ops = st.builds(
    Op,
    kind=st.sampled_from(["load", "store", "add", "lr", "sc"]),
    word=st.integers(0, WORDS - 1),
    value=st.integers(0, 3),
)


@st.composite
def races(draw: st.DrawFn) -> tuple[Programs, list[Round]]:
    """Programs of some harts, and rounds."""
    harts = draw(st.integers(2, 4))
    programs = draw(
        st.lists(
            st.lists(ops, min_size=1, max_size=6),
            min_size=harts,
            max_size=harts,
        )
    )
    rounds = draw(
        st.lists(
            st.tuples(
                st.integers(1, 3),
                st.permutations(range(harts)).map(tuple),
            ),
            max_size=6,
        )
    )
    return programs, rounds


@given(races(), st.sampled_from(ENGINES))
def test_rounds_mean_what_they_say(
    race: tuple[Programs, list[Round]], engine: int
) -> None:
    programs, rounds = race
    got = machine(good_core(), programs, rounds, engine=engine)
    assert got == model(programs, rounds)


def test_a_store_of_another_hart_ends_a_reservation() -> None:
    programs = [[Op("lr", X), Op("sc", X, 2)], [Op("store", X, 3)]]
    between: list[Round] = [(1, (0, 1))]  # lr, store, sc
    before: list[Round] = [(2, (1, 0))]
    for engine in ENGINES:
        got = machine(good_core(), programs, between, engine=engine)
        assert (got.memory[X], got.reads[0]) == (3, [0, 1])
        got = machine(good_core(), programs, before, engine=engine)
        assert (got.memory[X], got.reads[0]) == (2, [3, 0])
