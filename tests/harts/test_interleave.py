"""The interleaving is an input: drawn, given, noted, and given again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.equivalence.core import Core, good_core
from tests.harts.world import SHARED, Round, Words, World, call, loop, orders
from tests.machine import asm
from tests.machine.asm import A0, S0, T0, T1, WFI, ZERO
from tests.machine.core import abi

ENGINES = (0, 1)


def race(harts: int) -> list[Words]:
    """Return programs whose outcome is another in each interleaving."""
    add = asm.program(
        asm.lw(T1, 0, S0),
        asm.slli(T1, T1, 1),
        asm.add(T1, T1, A0),
        asm.sw(T1, 0, S0),
        asm.lr_w(T1, S0),
        asm.addi(T1, T1, 1),
        asm.sc_w(T0, T1, S0),
    )
    begin = asm.li(S0, SHARED)
    tell = call(abi.SBI_EXT_IPI, abi.SBI_IPI_SEND, (1 << harts) - 1, 0)
    ready = asm.csrrwi(ZERO, abi.CSR_SIE, abi.MIP_SSIP)
    clear = asm.csrrwi(ZERO, abi.CSR_SIP, 0)
    busy = [*begin, *loop(50, asm.S1, add, tell), asm.j(0)]
    sleepy = [*begin, ready, *loop(50, asm.S1, WFI, clear, add), asm.j(0)]
    return [busy, *([sleepy, busy] * harts)[: harts - 1]]


def world(
    seed: int = 0,
    *,
    harts: int = 3,
    quantum: int = 20,
    rounds: list[Round] | None = None,
    engine: int = 0,
    core: Core | None = None,
) -> World:
    return World(
        core or good_core(),
        race(harts),
        seed=seed,
        rounds=rounds or [],
        quantum=quantum,
        engine=engine,
    )


LONG = 3000


def final(it: World, pieces: tuple[int, ...] = (LONG,)) -> int:
    """Run so many instructions, in pieces; return the state."""
    for piece in pieces:
        left = piece
        while left and it.run(left) in ("BUDGET", "BREAK"):
            left -= it.last.insns
    return it.hash()


def pieces(seed: int) -> tuple[int, ...]:
    """Cut LONG instructions somewhere, at most 40 times."""
    rng = random.Random(seed)
    ends = sorted({LONG, *(rng.randrange(1, LONG) for _ in range(40))})
    return tuple(b - a for a, b in zip([0, *ends], ends, strict=False))


# --- checks, which test_planted.py makes too --------------------------------


def seeds_differ(core: Core) -> None:
    # The lengths and orders of a seed, and what comes of them.
    made = []
    for seed in (1, 2):
        it = world(seed, core=core)
        made.append((final(it), it.rounds()))
        lengths = {length for length, _ in it.rounds()}
        assert lengths == set(range(1, 21))
        assert {order for _, order in it.rounds()} == set(orders(3))
    (one, rounds), (other, others) = made
    assert one != other
    assert rounds != others


def by_default_they_take_turns(core: Core) -> None:
    it = world(core=core)
    final(it)
    lengths = [length for length, _ in it.rounds()]
    assert {order for _, order in it.rounds()} == {(0, 1, 2)}
    # Where all were in the firmware, a round begins, and is cut, later.
    assert max(lengths) == 20
    assert lengths.count(20) > len(lengths) // 2


def a_record_makes_the_same_run(core: Core) -> None:
    for seed in range(1, 6):
        for engine in ENGINES:
            first = world(seed, core=core)
            state = final(first)
            again = world(rounds=first.rounds(), engine=engine, core=core)
            assert final(again) == state
            assert again.rounds() == first.rounds()


def pieces_make_the_same_run(core: Core) -> None:
    for seed in range(5):
        state = final(world(seed, core=core))
        for engine in ENGINES:
            again = world(seed, engine=engine, core=core)
            assert final(again, pieces(seed)) == state


CHECKS = (
    seeds_differ,
    by_default_they_take_turns,
    a_record_makes_the_same_run,
    pieces_make_the_same_run,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_interleaving(check: object) -> None:
    assert callable(check)
    check(good_core())


# --- more of them ------------------------------------------------------------


def rounds_of(harts: int) -> st.SearchStrategy[list[Round]]:
    one = st.tuples(
        st.integers(1, 60), st.permutations(range(harts)).map(tuple)
    )
    return st.lists(one, max_size=60)


@given(st.data(), st.integers(2, 8), st.integers(0, 2**64 - 1))
def test_given_rounds_are_made(
    data: st.DataObject, harts: int, seed: int
) -> None:
    asked = data.draw(rounds_of(harts))
    first = world(seed, harts=harts, rounds=asked)
    state = final(first)
    made = first.rounds()
    assert made[: len(asked)] == asked[: len(made)]
    again = world(harts=harts, rounds=made, engine=1)
    cut = data.draw(st.integers(0, 1000))
    assert final(again, pieces(cut)) == state


@given(st.integers(1, 2**64 - 1), st.integers(1, 9), st.integers(1, 500))
def test_a_seed_is_of_the_round(seed: int, skipped: int, budget: int) -> None:
    # Round n of a seed is what it is, whatever the rounds before it were.
    drawn = world(seed)
    final(drawn, (budget,))
    given_first: list[Round] = [(1, (2, 1, 0))] * skipped
    other = world(seed, rounds=given_first)
    final(other, (budget,))
    ours, theirs = drawn.rounds(), other.rounds()
    assert theirs[:skipped] == given_first[: len(theirs)]
    both = min(len(ours), len(theirs))
    assert theirs[skipped:both] == ours[skipped:both]


BAD: list[tuple[str, list[Round]]] = [
    ("no length", [(10, (0, 1, 2)), (0, (0, 1, 2))]),
    ("one twice", [(10, (0, 1, 1))]),
    ("one missing", [(10, (1, 2, 3))]),
    ("far out", [(10, (0, 1, 255))]),
]


@pytest.mark.parametrize("bad", [b for _, b in BAD], ids=[n for n, _ in BAD])
def test_bad_rounds_change_nothing(bad: list[Round]) -> None:
    rounds: list[Round] = [(7, (2, 0, 1))] * 9
    plain, other = world(rounds=rounds), world(rounds=rounds)
    assert other.ask(bad) == other.lib.HV_ERR_INVALID
    assert final(plain) == final(other)
    assert other.rounds()[:9] == rounds


def test_misuse_of_the_c_interface() -> None:
    it = world()
    lib, none = it.lib, it.ffi.NULL
    count = it.ffi.new("uint32_t *")
    out = it.ffi.new("struct hv_round *")
    bad = lib.HV_ERR_INVALID
    assert lib.hv_interleave_seed(none, 1) == bad
    assert lib.hv_interleave_set(none, out, 1) == bad
    assert lib.hv_interleave_set(it.raw, none, 1) == bad
    assert lib.hv_interleave_set(it.raw, none, 0) == 0
    assert lib.hv_interleave_record(none, 1) == bad
    assert lib.hv_interleave_get(none, 0, out, 1, count) == bad
    assert lib.hv_interleave_get(it.raw, 0, none, 1, count) == bad
    assert lib.hv_interleave_get(it.raw, 0, out, 1, none) == bad
    assert lib.hv_interleave_get(it.raw, 1 << 31, out, 1, count) == 0
    assert count[0] == 0


def test_a_record_begins_anew_and_stops() -> None:
    it = world(5)
    final(it, (500,))
    earlier = it.rounds()
    assert it.lib.hv_interleave_record(it.raw, 1) == 0
    assert it.rounds() == []
    final(it, (500,))
    later = it.rounds()
    assert it.lib.hv_interleave_record(it.raw, 0) == 0
    final(it, (500,))
    assert it.rounds() == later
    whole = world(5)
    final(whole, (500, 500))
    assert whole.rounds() == earlier + later


def test_one_hart_has_no_rounds() -> None:
    words = [*loop(100, S0, asm.NOP), asm.j(0)]
    states = []
    asked: list[Round] = [(5, (0,))]
    for seed, quantum, rounds in ((0, 10, []), (3, 10, []), (0, 1, asked)):
        it = World(
            good_core(), [words], seed=seed, quantum=quantum, rounds=rounds
        )
        assert it.run(1000) == "BUDGET"
        assert it.rounds() == []
        states.append(it.hash())
    assert len(set(states)) == 1
