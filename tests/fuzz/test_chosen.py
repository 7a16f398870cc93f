"""What bytes choose: all that there is, and the simplest for the smallest."""

from collections import Counter
from random import Random

from hypothesis import find, given, settings
from hypothesis import strategies as st

from hv.fuzz import chosen, ops
from hv.fuzz.chosen import Taste, chosen_operand, chosen_world
from hv.fuzz.format import Form, Program, form_of
from hv.fuzz.idioms import HANDLES, Wanted, idioms
from hv.fuzz.strategies import LINES, WORLDS, families, programs

RANDOM = Random(1)
DRAWN = [RANDOM.randbytes(chosen.LINE) for _ in range(4_000)]
TASTE = Taste(last=16)


def test_sequences_are_those_of_the_table() -> None:
    assert {i.name: i.doc for i in idioms()} == ops.idioms()
    for idiom in idioms():
        assert 1 <= len(idiom.steps) <= 8
        assert idiom.features
        for step in idiom.steps:
            assert step.op != ops.by_name()["nop"].number
            for want, number in step.operands:
                shared = want in (Wanted.LIVE, Wanted.STALE)
                assert number < HANDLES if shared else number < 1 << 16
    first = idioms()[0]
    assert [ops.table()[step.op].name for step in first.steps] == [
        *("map", "store", "unmap", "sfence", "load", "load"),
    ]


def test_everything_is_chosen_at_times() -> None:
    lines = [TASTE.line(data) for data in DRAWN]
    count = Counter(r.row.name for line, _ in lines for r in line)
    assert set(count) == set(ops.by_name())
    assert count["load"] > 5 * count["scrub"]
    ends = sum(not more for _, more in lines)
    assert len(DRAWN) // 20 < ends < len(DRAWN) // 12
    orders = {
        tuple(r.op for r in line[at : at + n])
        for line, _ in lines
        for at in range(len(line))
        for n in range(1, 9)
    }
    for idiom in idioms():
        assert tuple(step.op for step in idiom.steps) in orders


def test_operands_name_all_kinds_of_handles() -> None:
    forms = Counter(form_of(chosen_operand("GVA", d[4], d[5])) for d in DRAWN)
    assert forms[Form.LIVE] > forms[Form.STALE] > forms[Form.LITERAL] > 0
    assert forms[Form.EDGE] > 0


@given(st.sampled_from(sorted({k for o in ops.table() for k in o.operands})))
def test_nothing_chooses_the_simplest(kind: str) -> None:
    assert chosen_operand(kind, 0, 0) & 0x3FFF in (0, 0xD7)


@given(st.binary(min_size=chosen.WORLD, max_size=chosen.WORLD), st.just(2))
def test_no_second_run_is_made_twice(data: bytes, vms: int) -> None:
    flags, world, _ = chosen_world(data, vms)
    twin, fill = ops.flags()["twin"], ops.flags()["fill"]
    assert flags & (twin | fill) != twin | fill
    assert world & 3 == vms - 1


def test_what_is_zero_is_left_out() -> None:
    assert TASTE.line(bytes(chosen.LINE)) == ([], False)
    for kind in (chosen.EMPTY, 255):  # a record; a sequence
        data = bytes([0, kind]).ljust(chosen.LINE, b"\0")
        assert len(TASTE.line(data)[0]) == (kind < 255)


@settings(max_examples=30)
@given(families())
def test_a_family_shares_its_records(family: tuple[Program, ...]) -> None:
    assert 1 <= len(family) <= WORLDS * LINES[1]
    assert len({program.run for program in family}) <= LINES[1]
    assert len({program.build for program in family}) == 1


def test_what_shows_something_is_made_small() -> None:
    """It is alone in the end, whatever it was drawn with."""
    program = find(
        programs(),
        lambda p: "reset" in [r.row.name for r in p.records],
        settings=settings(max_examples=2_000, database=None),
        random=Random(3),
    )
    assert len(program.records) == 1
    assert program.flags == program.world == 0
