"""The table of properties says what is there, and no more."""

import re
import tomllib
from pathlib import Path

import pytest

from hv.errors import UsageError
from hv.properties import named, properties
from tests.equivalence.core import CSRC

TESTS = Path(__file__).parents[1]
MESSAGE = re.compile(r'"(P\d+): ')


def test_numbers_are_complete_and_in_order() -> None:
    assert [one.id for one in properties()] == [f"P{i}" for i in range(1, 41)]


def test_what_the_audit_says_is_a_property_that_it_is_said_to_see() -> None:
    said = {
        name
        for path in CSRC.glob("*/*.c")
        if path.parent.name in ("audit", "hyp", "api")
        for name in MESSAGE.findall(path.read_text())
    }
    assert said <= {one.id for one in properties() if "audit" in one.seen_by}


def test_a_property_with_a_subject_has_tests_and_no_other() -> None:
    for one in properties():
        assert bool(one.tests) == one.checked, one.id
        for folder in one.tests:
            assert (TESTS / folder).is_dir(), f"{one.id}: tests/{folder}"


def test_planted_bugs_break_properties_of_the_table() -> None:
    names = {one.id for one in properties()}
    for path in TESTS.glob("*/planted*.toml"):
        for bug in tomllib.loads(path.read_text()).get("bug", []):
            broken = set(str(bug.get("property", "")).split())
            assert broken <= names, f"{path}: {bug.get('name')}"


def test_names_are_looked_up_in_any_case() -> None:
    assert named("p7").name == "shadow justification"
    with pytest.raises(UsageError, match="P1 to P40"):
        named("P41")
