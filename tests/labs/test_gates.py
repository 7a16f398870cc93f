"""Each lab holds what a lab promises: solution, skeleton, wrong solutions."""

import pytest

from hv.labs import check, cut, spec
from hv.labs.run import grade

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


@pytest.mark.nightly
@each
def test_the_score_is_the_same_every_time(folder: spec.Folder) -> None:
    for files in (
        cut.solution(folder),
        *(cut.wrong_solution(folder, w) for w in folder.lab.wrong[:2]),
    ):
        assert len({grade(folder, files) for _ in range(10)}) == 1
