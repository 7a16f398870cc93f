"""Leaf functions give the right answer to all that they may be asked."""

import pytest

from tests.leaf.leaflib import CHECKS, good, harnesses


@pytest.mark.parametrize("name", CHECKS)
def test_every_answer_is_right(name: str) -> None:
    cases, wrong = good().check(name)
    assert not wrong
    assert cases > 1000


def test_every_harness_has_a_check() -> None:
    defined = "".join(harnesses().values())
    for name in CHECKS:
        assert defined.count(f"bool leaf_{name}(struct leaf *out)\n{{") == 1
