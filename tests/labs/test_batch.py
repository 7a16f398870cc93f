"""A folder of submissions: all are graded, whatever some of them are."""

import csv
import multiprocessing
import os
import re
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

from hv.cli import main
from hv.errors import UsageError
from hv.labs import batch, cut, submissions, summary, workspace
from hv.labs.batch import Batch, OtherLabError
from hv.labs.sandbox import Limits
from hv.labs.spec import find
from hv.labs.summary import Row
from hv.labs.workers import dask, processes

from .classes import Class, unexpected

LAB = find(1)
LIMITS = Limits(cpu=3, wall=200, deaths=2, loops=1)


def folder_of(place: Path, files: dict[str, str]) -> None:
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text)


def rows_of(
    rows: list[Row],
) -> dict[str, tuple[int, tuple[str, ...], str]]:
    return {row.student: (row.score, row.failed, row.note) for row in rows}


def summary_says(out: Path, rows: list[Row]) -> None:
    """The two summaries are those of these rows."""
    table = list(csv.DictReader(StringIO((out / "summary.csv").read_text())))
    assert [
        (r["student"], int(r["score"]), tuple(r["failed"].split()), r["note"])
        for r in table
    ] == [(r.student, r.score, r.failed, r.note) for r in rows]
    page = (out / "summary.html").read_text()
    cells = re.findall(r"<tr><td>(s\d+)<td>(\d+)/100<td>([\w ]*)<td>", page)
    assert [(s, int(n), tuple(f.split())) for s, n, f in cells] == [
        (r.student, r.score, r.failed) for r in rows
    ]


def test_a_class_of_20_and_a_worker_that_is_killed(tmp_path: Path) -> None:
    place = tmp_path / "in"
    made = Class(LAB, place, unlike=False).write(19)
    made.append(Class(LAB, place, unlike=False).endless("s019"))
    (place / "readme.txt").write_text("no submission")
    whole = Batch(LAB, place, tmp_path / "out", limits=LIMITS)
    Killed.victims.clear()
    rows = whole.run(pool=pool)
    assert len(Killed.victims) == 1
    assert not list(unexpected(made, rows_of(rows)))
    summary_says(tmp_path / "out", rows)

    graded: list[Row] = []
    assert whole.run(graded.append) == rows
    assert not graded
    (place / "s000/tlb.c").write_text("int x = ;")
    again = whole.run(graded.append, processes(0))
    assert [row.student for row in graded] == ["s000"]
    assert [row.score for row in again[:1]] == [0]
    assert again[1:] == rows[1:]


@pytest.mark.nightly
def test_a_class_of_200_and_workers_that_are_killed(tmp_path: Path) -> None:
    made = Class(LAB, tmp_path / "in", unlike=True).write(200)
    Killed.victims.clear()
    rows = Batch(LAB, tmp_path / "in", tmp_path / "out").run(pool=pool)
    assert len(Killed.victims) == 1
    assert not list(unexpected(made, rows_of(rows)))
    summary_says(tmp_path / "out", rows)


def test_a_cluster_comes_to_the_same(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    made = Class(LAB, tmp_path / "in", unlike=False).write(3)
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
    ) as cluster:
        rows = Batch(LAB, tmp_path / "in", tmp_path / "out").run(
            pool=dask(cluster.scheduler_address)
        )
    assert not list(unexpected(made, rows_of(rows)))


@pytest.mark.nightly
def test_a_cluster_whose_worker_is_killed_loses_nothing(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    made = Class(LAB, tmp_path / "in", unlike=True).write(10)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        with distributed.Client(cluster) as client:
            pids = list(client.run(os.getpid).values())

        def kill(_: Row) -> None:
            if pids:
                os.kill(pids.pop(), signal.SIGKILL)
                pids.clear()

        rows = Batch(LAB, tmp_path / "in", tmp_path / "out").run(
            kill, dask(cluster.scheduler_address)
        )
    assert not pids
    assert not list(unexpected(made, rows_of(rows)))


def test_no_cluster_is_there(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    folder_of(tmp_path / "in/s", cut.solution(LAB))
    whole = Batch(LAB, tmp_path / "in", tmp_path / "out")
    with pytest.raises(UsageError, match=r"--dask tcp://127\.0\.0\.1:1"):
        whole.run(pool=dask("tcp://127.0.0.1:1", timeout="1s"))


def test_a_worker_with_another_version_of_the_lab() -> None:
    with pytest.raises(OtherLabError, match="another version of lab 1"):
        batch.one(1, "other tests", {}, 1, LIMITS)


def test_a_cluster_or_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["lab", "batch", "1", str(tmp_path)]
    assert main([*words, "--workers", "1", "--dask", "x"]) == 2
    assert "--workers or --dask, not both" in capsys.readouterr().err


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


def fake(
    number: int, tests: str, files: dict[str, str], *_: object
) -> dict[str, object]:
    assert tests
    return {
        "score": len(files["mmu.c"]),
        "full": number,
        "broken": "",
        "tests": [],
    }


def students(place: Path, count: int) -> Batch:
    for i in range(count):
        folder_of(place / f"in/s{i}", {"mmu.c": "x" * i, "tlb.c": ""})
    return Batch(LAB, place / "in", place / "out")


def test_a_dead_worker_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "one", fake)
    whole = students(tmp_path, 6)
    # Each pool does one job and dies.
    assert [row.score for row in whole.run(pool=Dying)] == list(range(6))


def test_a_submission_whose_worker_dies_every_time_has_no_grade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(
        number: int, tests: str, files: dict[str, str], *rest: object
    ) -> dict[str, object]:
        if len(files["mmu.c"]) == 2:
            raise BrokenProcessPool("killed")
        return fake(number, tests, files, *rest)

    monkeypatch.setattr(batch, "one", deadly)
    whole = students(tmp_path, 4)
    rows = whole.run(pool=processes(0))
    assert [row.score for row in rows] == [0, 1, 0, 3]
    assert rows[2].note == "its worker died"
    monkeypatch.setattr(batch, "one", fake)
    again = whole.run(pool=processes(0))
    assert [row.score for row in again] == [0, 1, 2, 3]


def test_what_a_computer_failed_at_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> dict[str, object]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch, "one", full)
    whole = students(tmp_path, 1)
    (row,) = whole.run(pool=processes(0))
    assert "No space left" in row.note
    monkeypatch.setattr(batch, "one", fake)
    (row,) = whole.run(pool=processes(0))
    assert not row.note


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


def test_a_student_twice(tmp_path: Path) -> None:
    folder_of(tmp_path / "ada", {})
    workspace.pack({}, tmp_path / "ada.tar")
    with pytest.raises(UsageError, match="two submissions of ada"):
        submissions.entries(tmp_path)


def test_a_file_that_is_there_twice_or_huge(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1/mmu.c", "")
        archive.writestr("2/mmu.c", "")
    with pytest.raises(UsageError, match=r"mmu\.c is there twice"):
        submissions.read(LAB, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", 8) as archive:
        archive.writestr("mmu.c", " " * (2 << 20))
    with pytest.raises(UsageError, match="is larger than"):
        submissions.read(LAB, tmp_path / "b.zip")


def test_links_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("mmu.c")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    assert submissions.read(LAB, tmp_path / "a.tar") == {}


def test_a_spreadsheet_takes_no_name_for_a_formula() -> None:
    row = Row("=1+1", 1, 2, "@x", ())
    assert summary.as_csv([row]).splitlines()[1] == "'=1+1,1,2,,,'@x"


def test_a_page_takes_no_name_for_markup() -> None:
    row = Row("<script>", 1, 2, "<b>", ())
    page = summary.as_html(LAB, [row])
    assert "<script>" not in page
    assert "<b>" not in page
