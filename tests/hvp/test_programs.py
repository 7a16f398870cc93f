"""Programs of the good core: any bytes are one, and none finds anything."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hv.fuzz.format import encode
from hv.fuzz.text import parse
from tests.equivalence.core import (
    Core,
    build,
    compilers,
    good_core,
    planted,
)
from tests.hvp.programs import (
    ALL,
    EACH,
    RECORD,
    STYLES,
    SYNCS,
    Programs,
    live,
    program,
    world,
)

NIGHTLY = os.environ.get("HV_TEST_PROFILE") == "nightly"


@pytest.fixture(scope="module")
def programs() -> Programs:
    """All oracles, but for the audit after each operation."""
    return Programs(good_core(), ALL - EACH, 8)


@settings(deadline=None, max_examples=400 if NIGHTLY else 60)
@given(st.binary(max_size=40 * RECORD))
def test_any_bytes_are_a_program(data: bytes) -> None:
    verdict = SHARED.execute(data)

    assert verdict.property == ""
    assert verdict == Programs(good_core(), ALL - EACH, 8).execute(data)


SHARED = Programs(good_core(), ALL - EACH, 8)


def test_random_programs_find_nothing(programs: Programs) -> None:
    for seed in range(20000 if NIGHTLY else 800):
        verdict = programs.execute(programs.random(seed))
        assert verdict.property == "", (seed, verdict)


@pytest.mark.parametrize("compiler", ["clang"])
def test_compilers_agree(programs: Programs, compiler: str) -> None:
    if compiler not in compilers():
        pytest.skip(f"no {compiler} here")
    other = Programs(good_core(compiler), ALL - EACH, 8)
    for seed in range(60):
        data = programs.random(seed)
        assert programs.execute(data) == other.execute(data)


def test_engines_agree(programs: Programs) -> None:
    text = "config.engine = HV_ENGINE_{};"
    files = planted(
        "engine", "hvp/world.c", text.format("REF"), text.format("FAST")
    )
    fast = Programs(Core(build(files)), ALL - EACH, 8)
    for seed in range(100):
        data = programs.random(seed)
        assert programs.execute(data) == fast.execute(data)


def test_a_context_does_not_remember(programs: Programs) -> None:
    first = [programs.execute(programs.random(seed)) for seed in range(30)]
    again = [
        programs.execute(programs.random(seed)) for seed in reversed(range(30))
    ]
    assert first == again[::-1]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sync", SYNCS)
def test_every_style_does_what_it_is_told(
    programs: Programs, style: str, sync: str
) -> None:
    p = programs
    records = [
        p.record("store", live(0), 2, live(4)),
        p.record("load", live(0), 2),
        p.record("load", live(0), 2, kernel=False),
        p.record("map", 2, live(5), live(0)),
        p.record("load", live(32 * 2), 2, kernel=False),
        p.record("unmap", 2),
        p.record("load", 2 << 14, 2, kernel=False),
        p.record("lr", live(0), kernel=False),
        p.record("sc", live(0), 7, kernel=False),
        p.record("amo", live(0), 9, kernel=False),
        p.record("csr_write", live(4), 5),
        p.record("run", 20),
    ]
    verdict = p.execute(program(records, world=world(style=style, sync=sync)))
    assert verdict.property == ""
    assert verdict.done == len(records)


def test_a_store_to_a_table_with_a_shadow_out_of_sync() -> None:
    # One view of the root was idle, another in force but not watched.
    data = bytes.fromhex(
        "4856503100000fedbad9b63c000000000315abf052cacb991f01aa531d320239"
        "1615c9116b7cc15d"
    )
    assert Programs(good_core()).execute(data).property == ""


def test_steal_time_where_traps_are_told_is_no_trap() -> None:
    data = bytes.fromhex(
        "485650310000210011000000000000001d104040000000001010300020610000"
        "0210000000000000021000c000000000021000c000000000011000c000000000"
    )
    assert Programs(good_core()).execute(data).property == ""


def test_who_is_not_told_of_traps_cannot_return_from_one() -> None:
    data = bytes.fromhex(
        "4856503100000580a100fb0b0000000026100c67e51e00001f12000000000000"
        "0e12000000000000"
    )
    assert Programs(good_core()).execute(data).property == ""


def test_who_has_used_up_his_cap_is_no_measure_for_others() -> None:
    data = bytes.fromhex(
        "485650310000014005000000000000002e110100010000000f10000000000000"
        "0110000000000000"
    )
    assert Programs(good_core()).execute(data).property == ""


def test_who_has_no_slot_is_not_waited_for() -> None:
    data = bytes.fromhex(
        "4856503100000160010000000000000010d1663a56fdeb3005d54e4369bd606c"
        "24e9aa3e94114fac254c800dc0f714b826781b1251d5ce2213de0d2493683a25"
        "187e58618d66d99223c2d99424ef2340"
    )
    verdict = Programs(good_core()).execute(data)
    assert verdict.property == ""
    assert verdict.done == 8


def test_states_that_were_met_are_counted(programs: Programs) -> None:
    ffi, lib = programs.ffi, programs.lib
    states = ffi.new("uint8_t[]", lib.HVP_MAP)
    lib.hvp_watch(programs.context, states)
    met = []
    for seed in range(40):
        plain = Programs(good_core(), ALL - EACH, 8)
        data = programs.random(seed)
        assert programs.execute(data) == plain.execute(data)
        met.append(sum(1 for count in states if count))
    lib.hvp_watch(programs.context, ffi.NULL)
    assert met[0] > 0
    assert met == sorted(met)
    assert met[-1] > 2 * met[0]


RIGHT = tomllib.loads((Path(__file__).parent / "right.toml").read_text())


@pytest.mark.parametrize("row", RIGHT["program"], ids=lambda row: row["why"])
def test_what_is_in_order_is_not_complained_of(row: dict[str, str]) -> None:
    data = encode(parse(row["program"]))
    assert Programs(good_core(), ALL, 1).execute(data).property == ""
