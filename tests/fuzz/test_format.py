"""Bytes, values and text mean the same program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hv.errors import UsageError
from hv.fuzz import Program, Record, decode, encode, ops, parse, render
from hv.fuzz.native import generate
from hv.fuzz.strategies import generated, programs, raw_programs
from tests.fuzz.fake import op


@given(raw_programs())
def test_every_string_of_bytes_is_a_program(data: bytes) -> None:
    program = decode(data)
    assert decode(encode(program)) == program


any_program = programs(longest=12) | generated() | raw_programs().map(decode)


@given(any_program, st.booleans())
def test_bytes_text_and_back(program: Program, explain: bool) -> None:  # noqa: FBT001
    assert decode(encode(program)) == program
    assert parse(render(program, explain=explain)) == program


def test_what_is_beyond_the_end_counts_for_nothing() -> None:
    data = encode(Program(run=(op("load"), op("store"))))
    assert decode(data + b"1234567") == decode(data)
    cut = decode(data[:-1])
    assert cut.run == (op("load"),)


def test_counts_are_cut_to_what_is_there() -> None:
    program = Program(build=(op("map"),), vary=(op("store"),), run=())
    data = bytearray(encode(program))
    data[12:16] = b"\x01\x00\xff\xff"
    assert decode(bytes(data)) == program
    data[12:16] = b"\xff\xff\xff\xff"
    assert len(decode(bytes(data)).build) == 2


def test_no_more_records_than_are_executed() -> None:
    data = bytes(8) * 600
    assert len(decode(data).records) == ops.MAX_RECORDS
    with pytest.raises(UsageError, match="600 records"):
        Program(run=(op("nop"),) * 600)


def test_the_generator_writes_what_is_read() -> None:
    for strategy in ops.STRATEGIES[1:]:
        for seed in range(50):
            data = generate(strategy, seed)
            assert encode(decode(data)) == data


def test_a_text_is_to_be_read() -> None:
    program = Program(
        flags=ops.flags()["twin"],
        world=1,
        build=(op("map", 0x4003, 0x4001, 0xD7),),
        vary=(op("store", 0x4060, 2, 7, actor=0),),
        run=(op("insn", 0, 0x73, 0x1020),),
    )
    assert render(program, notes={1: "P18: seen"}) == (
        "hvp 1\n"
        "flags twin\n"
        "world vms=1 memory=0 harts=0 first=0 others=0 sync=0 policy=0"
        " overcommit=0\n"
        "features base paging sched smp calls balloon direct life share log"
        " move fault snap\n"
        "seed 0\n"
        "build\n"
        "  vm0.0 kernel map slot=live:3 gfn=live:1 rights=215 # "
        f"{ops.by_name()['map'].doc}\n"
        "vary\n"
        "  vm0.0 user   store gva=live:96 size=2 value=7  # <-- P18: seen\n"
        "run\n"
        f"{'  vm0.0 kernel insn insn=0x10200073':47} # sret\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: a program begins"),
        ("# nothing\nload", "line 2: a program begins"),
        ("hvp 1\nflags twix", "line 2: 'twix': expected twin"),
        ("hvp 1\nworld vms=4", "line 2: 4 is not in 0..3"),
        ("hvp 1\nworld vm=1", "'vm': expected vms"),
        ("hvp 1\nseed x", "'x' is no number"),
        ("hvp 1\nwhat", "line 2: 'what': expected flags"),
        ("hvp 1\nrun\n load gva=1", "line 3: expected `vm0.0 kernel"),
        ("hvp 1\nrun\n vm9.0 user load", "expected `vm0.0 kernel`"),
        ("hvp 1\nrun\n vm0.0 user lode", "no operation 'lode'"),
        ("hvp 1\nrun\n vm0.0 user load gva=1", "load lacks size="),
        ("hvp 1\nrun\n vm0.0 user load gfn=1", "no operand 'gfn' here"),
        ("hvp 1\nrun\n vm0.0 user lr gva=old:1", "'old': expected live"),
        ("hvp 1\nrun\n vm0.0 user lr gva=99999", "99999 is not in 0..16383"),
    ],
)
def test_what_is_no_program_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=f"(?s).*{says}"):
        parse(text)


def test_a_record_holds_what_fits() -> None:
    with pytest.raises(UsageError):
        Record(len(ops.table()))
    with pytest.raises(UsageError):
        Record(0, 0, (0, 0, 1 << 16))
    with pytest.raises(UsageError):
        Program(world=1 << 16)
