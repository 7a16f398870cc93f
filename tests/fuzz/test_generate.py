"""Programs at random: the same everywhere, and of every kind."""

import hashlib
from collections import Counter

import pytest

from hv.errors import UsageError
from hv.fuzz import decode, ops
from hv.fuzz.format import Form, form_of
from hv.fuzz.native import generate, load, wheat
from tests.equivalence.core import compilers
from tests.fuzz.cores import fake_core

SEEDS = range(0, 19_200, 64)  # a world each


def digest(core: str = "wheat") -> str:
    """Return a hash of programs of all strategies, and of mutants of them."""
    loaded = load(core)
    sha = hashlib.sha256()
    for strategy in ops.STRATEGIES:
        for seed in range(200):
            program = loaded.generate(strategy, seed * 37)
            sha.update(program)
            sha.update(loaded.mutate(seed, program))
    return sha.hexdigest()


def test_a_seed_means_the_same_program_for_ever() -> None:
    assert digest()[:16] == "90845c6557e51774"


@pytest.mark.parametrize("compiler", sorted(compilers()))
def test_whatever_the_compiler(compiler: str) -> None:
    assert digest(fake_core(compiler=compiler)) == digest()


def test_a_ladder() -> None:
    operations = {
        strategy: Counter(
            record.row.name
            for seed in SEEDS
            for record in decode(generate(strategy, seed)).records
        )
        for strategy in ops.STRATEGIES
    }
    forms = {
        strategy: Counter(
            form_of(record.args[0])
            for seed in SEEDS
            for record in decode(generate(strategy, seed)).records
            if record.row.operands[0] == "GVA"
        )
        for strategy in ops.STRATEGIES
    }
    every = set(ops.by_name())
    assert all(set(found) == every for found in operations.values())
    assert operations["g1"]["load"] > 3 * operations["g1"]["scrub"]
    assert operations["g0"]["load"] < 3 * operations["g0"]["scrub"]
    assert not forms["g1"][Form.LIVE]
    assert forms["g2"][Form.LIVE] > 100
    for strategy in ("g3", "g4"):
        assert forms[strategy][Form.LIVE] > sum(forms[strategy].values()) / 2
        assert forms[strategy][Form.STALE] >= 10


def test_a_built_state_is_followed_by_a_little() -> None:
    for seed in SEEDS:
        program = decode(generate("g4", seed))
        assert len(program.build) >= 4
        assert 1 <= len(program.run) <= 8
        assert all(record.row.builds for record in program.build)


def test_only_a_twin_has_something_to_vary() -> None:
    twin, strict = ops.flags()["twin"], ops.flags()["strict"]
    for seed in SEEDS:
        program = decode(generate("g3", seed))
        if not program.flags & strict:
            assert bool(program.vary) == bool(program.flags & twin)
        assert all(record.vm == 0 for record in program.vary)


def test_eight_seeds_share_a_world() -> None:
    worlds = [generate("g3", seed)[4:12] for seed in range(640)]
    assert len(set(worlds[:8])) == 1
    assert len(set(worlds)) == 80
    assert len({generate("g3", seed) for seed in range(640)}) == 640


def test_a_mutant_is_another_program_and_bounded() -> None:
    program = generate("g3", 5)
    for seed in range(3000):
        mutant = wheat().mutate(seed, program)
        assert 24 <= len(mutant) <= ops.MAX_LENGTH
        assert len(mutant) % 8 == 0
        program = mutant
    program = generate("g3", 5)  # not what 3000 changes have left of it
    changed = sum(wheat().mutate(s, program) != program for s in range(100))
    assert changed > 75


@pytest.mark.parametrize("data", [b"", b"HVP1", b"x" * 100, bytes(9000)])
def test_any_bytes_can_be_mutated(data: bytes) -> None:
    assert 24 <= len(wheat().mutate(1, data)) <= ops.MAX_LENGTH


def test_a_strategy_that_is_none() -> None:
    with pytest.raises(UsageError, match="no strategy 'g9'"):
        generate("g9", 0)


def test_sequences_have_a_name_and_an_origin() -> None:
    known = ops.idioms()
    assert len(known) > 30
    assert all(known.values())
