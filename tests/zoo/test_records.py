"""The records of the zoo are complete, and fit the sources."""

import re

import pytest

from hv import zoo
from hv.errors import UsageError
from hv.zoo.builder import changed, sources
from hv.zoo.show import VIOLATES, diff, violates
from tests.equivalence.core import ROOT, records

PROPERTY = re.compile(r"P([1-9]|[1-3][0-9]|40)")
PLANTED = sorted((ROOT / "tests").glob("*/planted*.toml"))


def test_every_class_has_bugs() -> None:
    found = {bug.id[0] for bug in zoo.records()}
    assert found == set(zoo.classes()) == set("CDEHKLMS")


def test_ids_are_unique() -> None:
    ids = [bug.id for bug in zoo.records()]
    ids += [wheat.id for wheat in zoo.wheats()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Z]\d\d", name) for name in ids)


def test_fifty_have_a_real_precedent() -> None:
    assert sum(bug.basis.real for bug in zoo.records()) >= 50


@pytest.mark.parametrize("bug", zoo.records(), ids=lambda bug: bug.id)
def test_a_record_is_complete(bug: zoo.Bug) -> None:
    assert bug.title
    assert bug.precedent
    assert bug.violates
    assert set(bug.violates) <= set(VIOLATES)
    assert PROPERTY.fullmatch(bug.property)
    assert PROPERTY.fullmatch(bug.also)
    assert bug.also != bug.property
    assert 2 <= len(re.findall(r"[.?!:](?: |$)", bug.story)) <= 8
    assert len(bug.story) > 120


def test_only_a_named_case_is_called_an_advisory() -> None:
    for bug in zoo.records():
        if bug.basis in (zoo.Basis.ADVISORY, zoo.Basis.COMMIT):
            assert re.search(r"XSA-\d|CVE-\d|KVM [0-9a-f]{10}", bug.precedent)


@pytest.mark.parametrize(
    "it", [*zoo.records(), *zoo.wheats()], ids=lambda it: it.id
)
def test_its_texts_occur_once(it: zoo.Bug | zoo.Wheat) -> None:
    for edit in it.edits:
        assert edit.text != edit.instead
    assert (changed(it.id, it.edits) != sources()) == bool(it.edits)


def test_a_text_that_is_gone_is_an_error() -> None:
    edit = zoo.Edit("hyp/vm.c", "no such text", "")
    with pytest.raises(zoo.BuildError, match="moved on"):
        changed("Z01", [edit])


def test_planted_bugs_name_what_is_in_the_zoo() -> None:
    """... and no bug is written down twice."""
    found = [
        bug for path in PLANTED for bug in records(path) if "file" in bug
    ]  # and not those in Python
    edits = [(b["file"], b["text"], b.get("instead")) for b in found]
    ours = {
        (edit.file, edit.text, edit.instead)
        for bug in zoo.records()
        for edit in bug.edits
    }
    raw = [path.read_text() for path in PLANTED]
    named = sum(text.count("\nzoo = ") for text in raw)
    assert named == sum(edit in ours for edit in edits) > 40


def test_there_is_no_such_bug() -> None:
    with pytest.raises(UsageError, match="hv zoo list"):
        zoo.record("Z99")


def test_a_bug_is_shown_as_a_diff() -> None:
    bug = zoo.record("m01")
    assert "+    return index_of(vm, gfn) <= vm->p2m.count &&" in diff(bug)
    assert violates(bug) == "confidentiality, integrity"
