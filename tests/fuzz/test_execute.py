"""A program's verdict is a function of its bytes, whoever asks."""

from dataclasses import replace

import pytest
from hypothesis import given

from hv.errors import ClosedError
from hv.fuzz import Program, decode, encode, native
from hv.fuzz.native import generate, wheat
from hv.fuzz.piece import Task, run_task
from hv.fuzz.strategies import programs, raw_programs
from hv.fuzz.verdict import Verdict


def unhurried(verdict: Verdict) -> Verdict:
    """Return a verdict without the steps: a new world takes some."""
    return replace(verdict, steps=0)


@given(programs(longest=12))
def test_a_context_does_not_remember(program: Program) -> None:
    data = encode(program)
    with wheat().context() as context:
        first = context.execute(data)
        context.execute(generate("g3", 1))
        assert unhurried(context.execute(data)) == unhurried(first)


def test_a_closed_context_says_so() -> None:
    with wheat().context() as context:
        context.execute(b"")
    for use in (
        lambda: context.execute(b""),
        lambda: list(context.batch("g3", 0, 1)),
        context.host,
        context.actor,
        lambda: context.mute(["P7"]),
    ):
        with pytest.raises(ClosedError, match="is closed"):
            use()
    context.close()


@given(raw_programs())
def test_bytes_mean_what_python_reads(data: bytes) -> None:
    with wheat().context() as context:
        again = context.execute(encode(decode(data)))
        assert unhurried(context.execute(data)) == unhurried(again)


def test_a_batch_is_its_programs() -> None:
    task = Task(strategy="g3", first=64, count=64)
    with wheat().context() as context:
        verdicts = [
            context.execute(generate("g3", seed)) for seed in range(64, 128)
        ]
    sums = run_task(task).sums
    assert sums.executed == 64
    assert sums.operations == sum(verdict.done for verdict in verdicts)
    assert sums.checks == sum(verdict.checks for verdict in verdicts)
    assert sums.states.bit_count() > 100


def test_states_are_added_up() -> None:
    both = run_task(Task(strategy="g3", first=0, count=64)).sums
    halves = [
        run_task(Task(strategy="g3", first=first, count=32)).sums
        for first in (0, 32)
    ]
    assert both.states == halves[0].states | halves[1].states


def test_a_guided_batch_meets_more_states() -> None:
    core = native.WHEAT
    blind, guided = (
        run_task(Task(strategy=strategy, first=0, count=256, core=core))
        for strategy in ("g4", "g5")
    )
    assert guided.sums.states.bit_count() > blind.sums.states.bit_count()
