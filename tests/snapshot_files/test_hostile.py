"""Kernels that attack are saved half-way, and end as they would have."""

import random

import pytest

import hv
from hv import images
from tests.hostile.conftest import ALL, Hostile
from tests.snapshot_files.guests import NIGHTLY, STYLES, other

LIMIT = 300_000
CASES = [
    (hostile, style)
    for hostile in ALL
    for style in hostile.styles
    if style in STYLES
]
if not NIGHTLY:
    CASES = CASES[::7]


def ends(vm: hv.VM) -> tuple[object, ...]:
    vm.run(LIMIT)
    return vm.info, vm.reason, vm.counters


@pytest.mark.parametrize(
    ("hostile", "style"), CASES, ids=lambda case: getattr(case, "name", case)
)
def test_ends_as_it_would_have(hostile: Hostile, style: str) -> None:
    dice = random.Random(hostile.name)
    with other() as host, other(engine="ref") as slow:
        vm = host.create(style=style, mem="8MiB")
        vm.load(images.find(hostile.name).path)
        vm.boot()
        vm.run(dice.randrange(1, 20_000))
        said = len(vm.console.text)
        copy = slow.restore_vm(vm.to_bytes())
        slow.audit()
        assert ends(vm) == ends(copy)
        assert vm.console.text[said:] == copy.console.text
        host.audit()
        slow.audit()
