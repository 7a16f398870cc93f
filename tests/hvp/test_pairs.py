"""Two runs that differ in one VM's secrets: no other VM can tell (P19)."""

import os
from dataclasses import replace

import pytest

from hv.fuzz import native
from hv.fuzz.format import Program, decode, encode
from tests.hvp.programs import STRICT, STYLES, TWIN, UNFENCED

PAIRS = 10_000 if os.environ.get("HV_TEST_PROFILE") == "nightly" else 150
STYLE_OF_ALL = 1 << 5 | 1 << 8
STYLE_BITS = 7 * STYLE_OF_ALL
OVERCOMMIT = 1 << 15  # who takes memory from others tells them by it


def pair(seed: int, style: str, *, strict: bool) -> Program:
    """Return a program of two VMs or more of a style, to be run twice.

    Strict: under fixed slots, and the schedule counts as well; so nobody does
    more in the second run.
    """
    program = decode(native.generate(("g3", "g4")[seed & 1], seed * 65))
    world = program.world & ~(STYLE_BITS | OVERCOMMIT)
    world |= STYLES.index(style) * STYLE_OF_ALL
    if strict:
        records = program.records
        program = program.with_records(records, len(program.build), 0)
    return replace(
        program,
        flags=program.flags & UNFENCED | TWIN | (STRICT if strict else 0),
        world=world if world & 3 else world | 1,
    )


def no_difference(style: str, *, strict: bool) -> None:
    """Run pairs of a style; in none may another VM see something else."""
    with native.wheat().context(oracles=native.ALL_BUT_EACH) as context:
        for seed in range(PAIRS):
            program = pair(seed, style, strict=strict)
            verdict = context.execute(encode(program))
            assert verdict.ok, (seed, verdict)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("style", STYLES)
def test_what_others_see_is_the_same(style: str) -> None:
    no_difference(style, strict=False)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("style", [s for s in STYLES if s != "DIRECT"])
def test_under_slots_the_schedule_is_the_same(style: str) -> None:
    no_difference(style, strict=True)
