"""Grade a folder of submissions: all of them, whatever some of them do.

Each grade is written to a file of its own, whole or not at all; who
starts again, goes on where it stopped, unless a submission has changed. What
could not be graded because a computer failed has no grade, and is tried then.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from hv.errors import HvError, UsageError
from hv.labs.exports.ours import plain
from hv.labs.run import PUBLIC_SEED, grade, hidden_seed
from hv.labs.sandbox import Limits
from hv.labs.spec import Folder, find
from hv.labs.submissions import entries, hints, read, student_of
from hv.labs.summary import Row, as_csv, as_html
from hv.labs.workers import Pool, died, processes
from hv.paths import write_atomically

TRIES = 3  # of submissions whose workers die, and nobody's does not


class OtherLabError(UsageError):
    """Say that a worker has another version of the lab."""


def _tests_of(folder: Folder) -> str:
    """Return a name of what a lab awards points for."""
    parts = (folder.path / "lab.toml").read_bytes(), folder.tests.read_bytes()
    return hashlib.sha256(b"".join(parts)).hexdigest()


def one(
    number: int,
    tests: str,
    files: Mapping[str, str],
    seed: int,
    limits: Limits,
) -> dict[str, object]:
    """Grade one submission; what a worker does, perhaps on another computer.

    :param tests: those that count.
    :raises OtherLabError: this computer has others.
    """
    folder = find(number)
    if _tests_of(folder) != tests:
        raise OtherLabError(
            f"a worker has another version of lab {number}: install the same "
            "hv on all of them"
        )
    return plain(grade(folder, files, seed=seed, limits=limits))


@dataclass(frozen=True, slots=True)
class _Work:
    """What a student has handed in, and is to be graded."""

    files: dict[str, str]
    hints: tuple[str, ...]  #: that were taken
    mark: str  #: a name of all that the grade depends on


@dataclass(frozen=True, slots=True)
class Batch:
    """A folder of submissions, and where their grades go."""

    folder: Folder
    submissions: Path
    out: Path
    key: str = ""  #: of the course: hidden variants, one for each student
    workers: int = 2
    limits: Limits = field(default_factory=Limits)

    def run(
        self,
        progress: Callable[[Row], object] = id,
        pool: Pool | None = None,
    ) -> list[Row]:
        """Grade what is not graded yet, and write the summary.

        :param pool: who does it; default: as many processes as ``workers``.
        :raises UsageError: the folder of submissions is not right, or a
            worker has another version of the lab.
        """
        grades = self.out / "grades"
        grades.mkdir(parents=True, exist_ok=True)
        todo: dict[str, _Work] = {}
        rows: dict[str, Row] = {}
        for entry in entries(self.submissions):
            student = student_of(entry)
            try:
                files = read(self.folder, entry)
            except UsageError as error:
                rows[student] = self._failed(student, str(error))
                continue
            work = self._work(files, hints(self.folder, entry))
            known = _known(grades / f"{student}.json", work.mark)
            if known is not None:
                rows[student] = _row(student, known)
            else:
                todo[student] = work
        for student, found in self._all(todo, pool or processes(self.workers)):
            row = _row(student, found) if found else None
            rows[student] = row or self._failed(student, "its worker died")
            progress(rows[student])
        ordered = [rows[student] for student in sorted(rows)]
        write_atomically(self.out / "summary.csv", as_csv(ordered).encode())
        write_atomically(
            self.out / "summary.html", as_html(self.folder, ordered).encode()
        )
        return ordered

    def _all(
        self, todo: Mapping[str, _Work], pool: Pool
    ) -> Iterator[tuple[str, dict[str, object] | None]]:
        """Grade all of these; None for one whose worker died every time.

        A pool that breaks is replaced as long as each brings some home.
        """
        left = dict(todo)
        barren = 0
        while left and barren < TRIES:
            before = len(left)
            for student, found in self._round(left, pool):
                del left[student]
                yield student, found
            barren = barren + 1 if len(left) == before else 0
        for student in left:
            yield student, None

    def _round(
        self, left: Mapping[str, _Work], pool: Pool
    ) -> Iterator[tuple[str, dict[str, object]]]:
        """Grade what is left, once each; not those whose worker dies."""
        tests = _tests_of(self.folder)
        number = self.folder.lab.number
        with pool() as executor:
            jobs = {}
            for student, work in left.items():
                seed = self._seed(student)
                order = (number, tests, work.files, seed, self.limits)
                try:
                    jobs[executor.submit(one, *order)] = student
                except BrokenExecutor:
                    break  # what was submitted tells the rest
            for job in as_completed(jobs):
                student = jobs[job]
                error = job.exception()
                if error is None:
                    work = left[student]
                    found = {**job.result(), "hints": list(work.hints)}
                    self._keep(student, work.mark, found)
                    yield student, found
                elif isinstance(error, OtherLabError):
                    raise error
                elif isinstance(error, (HvError, OSError)):
                    yield student, _broken(self.folder, str(error))
                elif not died(error):
                    raise error

    def _keep(self, student: str, mark: str, found: dict[str, object]) -> None:
        path = self.out / "grades" / f"{student}.json"
        text = json.dumps({"mark": mark, "grade": found})
        write_atomically(path, text.encode())

    def _seed(self, student: str) -> int:
        if not self.key:
            return PUBLIC_SEED
        return hidden_seed(self.key, student, self.folder.lab.number)

    def _work(self, files: dict[str, str], taken: tuple[str, ...]) -> _Work:
        tests = self.folder.tests.read_text()
        parts = json.dumps([sorted(files.items()), taken, tests, self.key])
        mark = hashlib.sha256(parts.encode()).hexdigest()
        return _Work(files, taken, mark)

    def _failed(self, student: str, why: str) -> Row:
        return _row(student, _broken(self.folder, why))


def _broken(folder: Folder, why: str) -> dict[str, object]:
    return {"score": 0, "full": 100, "broken": why, "tests": []} | {
        "lab": folder.lab.number
    }


def _known(path: Path, mark: str) -> dict[str, object] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("mark") != mark:
        return None
    known: dict[str, object] = found["grade"]
    return known


def _row(student: str, found: Mapping[str, object]) -> Row:
    tests, taken = found["tests"], found.get("hints")
    failed = tuple(
        str(test["test"])
        for test in (tests if isinstance(tests, list) else [])
        if not test["good"]
    )
    hints_ = tuple(map(str, taken if isinstance(taken, list) else []))
    return Row(
        student,
        int(str(found["score"])),
        int(str(found["full"])),
        str(found["broken"]),
        failed,
        hints_,
    )
