"""Bugs that were planted in hv are found, by each strategy and soon."""

import os

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hv.fuzz import decode, native
from hv.fuzz.piece import Task, run_task
from hv.fuzz.stateful import HypervisorPrograms
from tests.fuzz.planted import BUGS, Bug

if os.environ.get("HV_SANITIZED"):  # a bug found is a bug found
    BUGS = BUGS[:1]
NAMED = {bug.name: bug for bug in BUGS}
PAIRS = [(bug, strategy) for bug in BUGS for strategy in bug.strategies]


@pytest.mark.parametrize(
    ("bug", "strategy"), PAIRS, ids=lambda x: getattr(x, "name", x)
)
def test_it_is_found_soon(bug: Bug, strategy: str) -> None:
    task = Task(
        strategy=strategy,
        first=0,
        count=bug.strategies[strategy],
        core=bug.build(),
        first_only=True,
    )
    (finding,) = run_task(task).findings.values()
    assert finding.key.property in bug.properties


def test_it_is_shrunk_to_a_few_operations() -> None:
    bug = NAMED["shadow-writes"]
    task = Task(strategy="g2", first=0, count=100, core=bug.build())
    findings = run_task(task).findings.values()
    mine = [f for f in findings if f.key.property in bug.properties]
    assert mine
    for finding in mine:
        program = decode(finding.data)
        assert len(program.records) <= 6
        assert finding.index < len(program.records)
        with native.load(bug.build()).context(audit_every=1) as context:
            assert context.execute(finding.data).key == finding.key
        with native.wheat().context(audit_every=1) as context:
            assert context.execute(finding.data).ok


@pytest.mark.slow
def test_a_state_machine_finds_it() -> None:
    class Attack(HypervisorPrograms):
        core = native.load(NAMED["frame-not-scrubbed"].build())

    with pytest.raises(AssertionError, match="# <-- P"):
        run_state_machine_as_test(
            Attack,
            settings=settings(
                max_examples=30,
                phases=[Phase.generate],
                stateful_step_count=20,
                database=None,
                derandomize=True,
                deadline=None,
            ),
        )
