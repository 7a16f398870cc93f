"""The examples in the docstrings say the truth."""

import doctest
from importlib import import_module

import pytest

MODULES = [
    "hv",
    "hv.cli.table",
    "hv.comparison",
    "hv.counters",
    "hv.cpu",
    "hv.domains.checks",
    "hv.domains.lines",
    "hv.events",
    "hv.hypervisor",
    "hv.machine",
    "hv.sched",
    "hv.screen",
    "hv.trace.causes",
    "hv.trace.gantt",
    "hv.trace.recording",
    "hv.svg",
    "hv.units",
    "hv.workloads",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    failed, tried = doctest.testmod(import_module(name))
    assert tried > 0
    assert failed == 0
