"""At the limits of their arguments, calls do what the specification says."""

import pytest

from tests.equivalence.core import Core, build, good_core, planted
from tests.spec.limits import (
    all_is_as_specified,
    harts_are_as_specified,
    lists_are_as_specified,
)


def test_all_is_as_specified() -> None:
    all_is_as_specified(good_core())


def test_harts_are_as_specified() -> None:
    harts_are_as_specified(good_core())


def test_a_hart_that_is_not_stopped_is_found() -> None:
    text = "vcpu->state = VCPU_STOPPED;"
    core = Core(build(planted("stop", "hyp/vcpu.c", text, ";")))
    with pytest.raises(AssertionError):
        harts_are_as_specified(core)


def test_lists_are_as_specified() -> None:
    lists_are_as_specified(good_core())


@pytest.mark.parametrize(
    ("file", "text", "instead"),
    [
        (
            "sbi.c",
            "walk.status != WALK_OK || !vm",
            "walk.status != WALK_OK && !vm",
        ),
        ("sbi.c", "arg[1] % 4 != 0 || !vm_owns", "arg[1] % 4 != 0 && !vm_owns"),
        ("sbi.c", "mask >> (n - base - 1) >> 1", "mask >> (n - base - 1)"),
        ("sbi.c", "arg[1] > SBI_SRST_REASON", "arg[1] >= SBI_SRST_REASON"),
        ("hypercall.c", "code = 1;", "code = 0;"),
    ],
)
def test_bugs_are_found(file: str, text: str, instead: str) -> None:
    core = Core(build(planted("limits", f"hyp/{file}", text, instead)))
    with pytest.raises(AssertionError):
        all_is_as_specified(core)
