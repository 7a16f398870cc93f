"""Each lab holds what a lab promises: solution, skeleton, wrong solutions."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from hv.labs import build, check, cut, spec
from hv.labs.points import Award
from hv.labs.run import Grade, Result, grade

Files = Mapping[str, str]

ALL = spec.labs()
each = pytest.mark.parametrize("folder", ALL, ids=lambda f: f.path.name)
QUICK = 1  # wrong solution of each lab; the rest is nightly
WRONG = [
    pytest.param(
        folder,
        wrong,
        id=f"{folder.lab.name}-{wrong.name}",
        marks=[pytest.mark.nightly] if i >= QUICK else [],
    )
    for folder in ALL
    for i, wrong in enumerate(folder.lab.wrong)
]


@each
def test_the_solution_has_all_points(folder: spec.Folder) -> None:
    assert not list(check.solved(folder))


@each
def test_the_skeleton_has_its_baseline(folder: spec.Folder) -> None:
    assert not list(check.bare(folder))


@pytest.mark.parametrize(("folder", "wrong"), WRONG)
def test_a_wrong_solution_loses_what_it_should(
    folder: spec.Folder, wrong: spec.Wrong
) -> None:
    assert not list(check.caught(folder, wrong))


def alike(folder: spec.Folder, works: Sequence[Files], repeats: int) -> None:
    """Grade all works so often, two at a time: each is the other's load."""
    for work in works:
        build.core(folder, work)
        build.image(folder, work)
    with ThreadPoolExecutor(2) as pool:
        grades = list(pool.map(partial(grade, folder), [*works] * repeats))
    for number in range(len(works)):
        first, *others = grades[number :: len(works)]
        assert others == [first] * (repeats - 1)  # messages, too
    assert grades[0].score == grades[0].full
    assert all(done.score < done.full for done in grades[1 : len(works)])


def test_a_message_that_changes_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = spec.find(2)  # nothing is built for it
    messages = iter(["4 exits", "4 exits", "4 exits", "5 exits"])

    def fake(_: spec.Folder, files: Files) -> Grade:
        done = files["wrong"] == ""
        message = "" if done else next(messages)
        award = Award("a", "A", 10)
        return Grade(2, "", (Result(award, good=done, message=message),))

    monkeypatch.setitem(globals(), "grade", fake)
    works = [{"wrong": ""}, {"wrong": "it is"}]
    alike(folder, works, 2)
    with pytest.raises(AssertionError, match="5 exits"):
        alike(folder, works, 2)


@pytest.mark.parametrize("number", [0, 1, 8])  # these take a second
def test_the_score_is_the_same_in_ten_grades_under_load(number: int) -> None:
    folder = spec.find(number)
    wrong = folder.lab.wrong[-1]
    works = [cut.solution(folder), cut.wrong_solution(folder, wrong)]
    alike(folder, works, 5)


@pytest.mark.nightly
@each
def test_the_score_is_the_same_every_time(folder: spec.Folder) -> None:
    wrong = [cut.wrong_solution(folder, w) for w in folder.lab.wrong[:2]]
    alike(folder, [cut.solution(folder), *wrong], 10)
