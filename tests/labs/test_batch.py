"""A folder of submissions: all are graded, whatever some of them are."""

import csv
import multiprocessing
import os
import signal
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from io import StringIO
from pathlib import Path
from typing import ClassVar

import pytest

from hv.errors import UsageError
from hv.labs import batch, cut, workspace
from hv.labs.batch import Batch
from hv.labs.sandbox import Limits
from hv.labs.spec import find

from .hostile import submission

LAB = find(1)
LIMITS = Limits(cpu=3, wall=200, deaths=2, loops=1)


def folder_of(place: Path, files: dict[str, str]) -> None:
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text)


def written(place: Path) -> Path:
    """A class of every kind: folder, zip, tar, skeleton, broken, hostile."""
    solution, wrong = cut.solution(LAB), LAB.lab.wrong
    folder_of(place / "ada" / "lab1", solution)
    folder_of(place / "bob", cut.wrong_solution(LAB, wrong[0]))
    with zipfile.ZipFile(place / "cyd.zip", "w") as archive:
        for name, text in cut.wrong_solution(LAB, wrong[1]).items():
            archive.writestr(f"work/{name}", text)
        archive.writestr("work/given/mmu.c", "not mine")
    workspace.pack(cut.skeleton(LAB), place / "dan.tar")
    (place / "eve.zip").write_bytes(b"no zip at all")
    folder_of(place / "fay", {"mmu.c": "int x = ;", "tlb.c": ""})
    folder_of(place / "gus", {"mmu.c": solution["mmu.c"]})
    folder_of(place / "hal", submission("exit(0);", includes="stdlib.h"))
    (place / "readme.txt").write_text("no submission")
    return place


EXPECTED = {
    "ada": 100,
    "bob": 80,
    "cyd": 85,
    "dan": 5,
    "eve": 0,
    "fay": 0,
    "gus": 0,
    "hal": 5,
}


def test_a_class_is_graded_and_again_costs_nothing(tmp_path: Path) -> None:
    place = written(tmp_path / "in")
    whole = Batch(LAB, place, tmp_path / "out", limits=LIMITS)
    rows = {row.student: row for row in whole.run()}
    scores = {name: row.score for name, row in rows.items()}
    assert scores == EXPECTED | {"cyd": scores["cyd"]}
    assert "walk_megapage" in rows["cyd"].failed
    assert "cannot be read" in rows["eve"].note
    assert "fay" in rows
    assert "mmu.c:1: " in rows["fay"].note
    assert rows["gus"].note == "tlb.c is missing"
    text = (tmp_path / "out/summary.csv").read_text()
    table = list(csv.DictReader(StringIO(text)))
    assert [(r["student"], int(r["score"])) for r in table] == sorted(
        scores.items()
    )
    assert "rights" in (tmp_path / "out/summary.html").read_text()

    graded: list[batch.Row] = []
    assert {r.student: r for r in whole.run(graded.append)} == rows
    assert not graded
    (place / "bob/tlb.c").write_text("int x = ;")
    again = {row.student: row for row in whole.run(graded.append)}
    assert [row.student for row in graded] == ["bob"]
    assert again["bob"].score == 0


class Dying(Executor):
    """A pool whose worker is killed while it does the second job."""

    def __init__(self) -> None:
        self.jobs = 0

    def submit(  # type: ignore[override]
        self, job: Callable[..., object], /, *args: object
    ) -> Future[object]:
        self.jobs += 1
        future: Future[object] = Future()
        if self.jobs > 1:
            future.set_exception(BrokenProcessPool("killed"))
        else:
            future.set_result(job(*args))
        return future


def fake(number: int, files: dict[str, str], *_: object) -> dict[str, object]:
    return {
        "score": len(files["mmu.c"]),
        "full": number,
        "broken": "",
        "tests": [],
    }


def test_a_dead_worker_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "one", fake)
    for i in range(4):
        folder_of(tmp_path / f"in/s{i}", {"mmu.c": "x" * i, "tlb.c": ""})
    whole = Batch(LAB, tmp_path / "in", tmp_path / "out")
    rows = whole.run(pool=Dying)
    # Each pool does one job and dies; three are tried.
    assert [row.score for row in rows[:3]] == [0, 1, 2]
    assert rows[3].note == "its worker died"
    assert [row.score for row in whole.run(pool=Dying)] == [0, 1, 2, 3]


class Killed(ProcessPoolExecutor):
    """A pool in which a worker is killed as soon as one job is done."""

    victims: ClassVar[list[int]] = []

    def submit(  # type: ignore[override]
        self, job: Callable[..., object], /, *args: object
    ) -> Future[object]:
        future: Future[object] = super().submit(job, *args)
        if not self.victims:
            future.add_done_callback(self._kill)
        return future

    def _kill(self, _: Future[object]) -> None:
        if not self.victims and self._processes:
            victim = next(iter(self._processes))
            self.victims.append(victim)
            os.kill(victim, signal.SIGKILL)


def pool() -> Executor:
    return Killed(2, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.nightly
@pytest.mark.parametrize("size", [20, 200])
def test_a_large_class_and_a_worker_that_is_killed(
    size: int, tmp_path: Path
) -> None:
    solution, wrong = cut.solution(LAB), LAB.lab.wrong
    kinds = [solution, *(cut.wrong_solution(LAB, w) for w in wrong)]
    for i in range(size):
        student = tmp_path / f"in/s{i:03}"
        if i % 10 == 9:
            folder_of(student, {"mmu.c": f"broken {i};", "tlb.c": ""})
            continue
        files = dict(kinds[i % len(kinds)])
        files["mmu.c"] += f"/* {i} */\n"  # each is compiled
        folder_of(student, files)
    Killed.victims.clear()
    rows = Batch(LAB, tmp_path / "in", tmp_path / "out").run(pool=pool)
    assert len(Killed.victims) == 1
    assert len(rows) == size
    for i, row in enumerate(rows):
        if i % 10 == 9:
            assert row.score == 0
            assert "mmu.c:1: " in row.note
        elif i % len(kinds) == 0:
            assert row.score == 100
        else:
            lost = wrong[i % len(kinds) - 1].loses
            assert set(lost) <= set(row.failed)
            assert 0 < row.score < 100


def test_a_student_twice(tmp_path: Path) -> None:
    folder_of(tmp_path / "ada", {})
    workspace.pack({}, tmp_path / "ada.tar")
    with pytest.raises(UsageError, match="two submissions of ada"):
        batch.entries(tmp_path)


def test_a_file_that_is_there_twice_or_huge(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1/mmu.c", "")
        archive.writestr("2/mmu.c", "")
    with pytest.raises(UsageError, match=r"mmu\.c is there twice"):
        batch.read(LAB, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", 8) as archive:
        archive.writestr("mmu.c", " " * (2 << 20))
    with pytest.raises(UsageError, match="is larger than"):
        batch.read(LAB, tmp_path / "b.zip")


def test_links_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("mmu.c")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    assert batch.read(LAB, tmp_path / "a.tar") == {}


def test_a_spreadsheet_takes_no_name_for_a_formula() -> None:
    row = batch.Row("=1+1", 1, 2, "@x", ())
    assert batch.as_csv([row]).splitlines()[1] == "'=1+1,1,2,,'@x"


def test_a_page_takes_no_name_for_markup() -> None:
    row = batch.Row("<script>", 1, 2, "<b>", ())
    page = batch.as_html(LAB, [row])
    assert "<script>" not in page
    assert "<b>" not in page
