"""A program is made short and stays what it was: a way to break this."""

import pytest
from hypothesis import given, settings

from hv.fuzz import Program, decode, encode
from hv.fuzz.native import generate
from hv.fuzz.shrink import shrink
from hv.fuzz.strategies import programs
from tests.fuzz.fake import Broken, executor, find, op

LONG = tuple(op("load", 0x4020 + i, 2) for i in range(40))


def unmap_then_load(program: Program) -> Broken:
    at = find(program, "unmap", "load")
    return None if at is None else ("P7", at)


def test_what_does_not_matter_goes() -> None:
    program = Program(
        flags=3,
        world=0xFFFF,
        seed=99,
        build=(*LONG, op("map", 3, 4, 5)),
        vary=(op("store", 1, 2, 3),),
        run=(op("unmap", 0x4007), *LONG, op("load", 0x8000, 2, actor=3)),
    )
    shrunk = shrink(program, executor(unmap_then_load))
    assert shrunk.minimal
    assert shrunk.program == Program(features=3, run=(op("unmap"), op("load")))
    assert shrunk.verdict.key == ("P7", "load")


def test_it_does_not_slip_to_another_bug() -> None:
    def judge(program: Program) -> Broken:
        at = find(program, "destroy")
        if at is not None:
            return "P6", at
        return unmap_then_load(program)

    both = Program(run=(op("unmap"), *LONG, op("destroy")))
    shrunk = shrink(both, executor(judge))
    assert shrunk.verdict.key == ("P6", "destroy")
    only = Program(run=(op("unmap"), op("store", 1, 2, 3), *LONG))
    assert shrink(only, executor(judge)).verdict.key == ("P7", "load")


def test_an_operand_that_matters_stays() -> None:
    def judge(program: Program) -> Broken:
        for i, record in enumerate(program.records):
            if record.row.name == "store" and record.args[0] >= 0x4025:
                return "P1", i
        return None

    program = Program(world=2, run=(op("store", 0xC0FF, 2, 77, actor=6),))
    shrunk = shrink(program, executor(judge))
    (record,) = shrunk.program.records
    assert record.args[1:] == (0, 0)
    assert record.args[0] in (0xC000, 0x4025, 0x8000)
    assert record.actor == 16


def test_what_a_twin_varies_can_be_all_there_is() -> None:
    def judge(program: Program) -> Broken:
        if program.flags & 1 and program.vary:
            return "P18", len(program.records) - 1
        return None

    program = decode(generate("g3", 0))
    program = Program(flags=1, vary=(op("store"), op("load")), run=LONG)
    shrunk = shrink(program, executor(judge))
    assert shrunk.program.flags == 1
    assert len(shrunk.program.records) == 1


def test_a_limit_is_kept() -> None:
    calls = 0

    def judge(program: Program) -> Broken:
        nonlocal calls
        calls += 1
        return unmap_then_load(program)

    program = Program(run=(op("unmap"), *LONG, op("load")))
    shrunk = shrink(program, executor(judge), limit=5)
    assert not shrunk.minimal
    assert calls == shrunk.tries <= 6


def test_what_breaks_nothing_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="nothing broke"):
        shrink(Program(run=LONG), executor(lambda _: None))


@settings(max_examples=30)
@given(programs())
def test_shrinking_ends_and_keeps_the_verdict(program: Program) -> None:
    def judge(program: Program) -> Broken:
        return ("P1", 0) if len(program.records) > 2 else None

    execute = executor(judge)
    if execute(program).ok:
        return
    shrunk = shrink(program, execute)
    assert shrunk.minimal
    assert len(shrunk.program.records) == 3
    again = shrink(shrunk.program, execute)
    assert again.program == shrunk.program
    assert encode(again.program) == encode(shrunk.program)
