"""The variants of the fast engine that the book measures."""

import pytest

from docs import engine_variants as engine
from tests.equivalence.core import CSRC

VARIANTS = engine.variants()


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_a_variant_is_made_from_the_source_as_it_is(
    variant: engine.Variant,
) -> None:
    files = variant.files()
    assert files or variant.flags
    for name, text in files.items():
        assert text != (CSRC / name).read_text("utf-8")


def test_a_variant_whose_source_has_moved_on_is_refused() -> None:
    edit = {"file": "machine/fast_reach.c", "text": "nowhere", "instead": ""}
    variant = engine.Variant(name="x", title="x", edits=[edit])
    with pytest.raises(ValueError, match="has the source moved on"):
        variant.files()


def test_the_ladder_has_no_gaps() -> None:
    steps = sorted(v.ladder for v in VARIANTS if v.ladder)
    assert steps == list(range(1, len(steps) + 1))
    assert len({v.name for v in VARIANTS}) == len(VARIANTS)
