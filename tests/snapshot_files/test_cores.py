"""An image is the same bytes, and means the same, to every core."""

import pytest

from tests.equivalence.core import Core, compilers, good_core
from tests.memory.puppet import DATA
from tests.snapshot_files.checks import STYLES, same
from tests.snapshot_files.world import Computer, busy


def lives(core: Core, engine: int, style: str) -> tuple[bytes, bytes, int]:
    """Return what a VM is saved as, later again, and the host's hash."""
    host = Computer(core, engine=engine)
    vm = busy(host, style)
    first = host.save(vm)
    assert vm.change("store", DATA + 6, 0, 1)
    return first, host.save(vm), host.hash()


def pairs() -> list[str]:
    return [name for name in compilers() if name != "cc"]


def test_two_engines_write_the_same() -> None:
    for style in STYLES:
        assert lives(good_core(), 0, style) == lives(good_core(), 1, style)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", pairs())
def test_a_core_of_another_compiler_goes_on(compiler: str) -> None:
    core = good_core(compiler)
    for style in STYLES:
        first, later, number = lives(good_core(), 0, style)
        assert (first, later, number) == lives(core, 1, style)
        here, there = Computer(good_core()), Computer(core, engine=1)
        one, two = here.restore(first), there.restore(first)
        same(one, two, "at once")
        for vm in (one, two):
            assert vm.change("store", DATA + 6, 0, 1)
        assert here.save(one) == there.save(two)
        there.audit()
