"""Grade a folder of submissions: all of them, whatever some of them do.

An entry of the folder is one submission: a folder, a zip or a tar archive, by
the student's name. Only the lab's files are read from it, and nothing is
unpacked. Each grade is written to a file of its own, whole or not at all; who
starts again, goes on where it stopped, unless a submission has changed. What
could not be graded because a computer failed has no grade, and is tried then.
"""

import csv
import hashlib
import html
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from hv.errors import HvError, UsageError
from hv.labs import workspace
from hv.labs.exports.ours import plain
from hv.labs.run import PUBLIC_SEED, grade, hidden_seed
from hv.labs.sandbox import Limits
from hv.labs.spec import Folder, find
from hv.labs.workers import Pool, died, processes
from hv.paths import write_atomically

TRIES = 3  # of submissions whose workers die, and nobody's does not
# Whatever the readers of archives say of bytes that are none.
_DAMAGED = (
    *(OSError, EOFError, ValueError, RuntimeError, zlib.error, LZMAError),
    *(zipfile.BadZipFile, tarfile.TarError),
)
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one submission."""

    student: str
    score: int
    full: int
    note: str  #: why it could not be graded, or not be built
    failed: tuple[str, ...]


def student_of(entry: Path) -> str:
    """Return whose submission an entry is: its name without the ending."""
    for ending in sorted(_ARCHIVES, key=len, reverse=True):
        if entry.name.endswith(ending):
            return entry.name.removesuffix(ending)
    return entry.name


def entries(place: Path) -> list[Path]:
    """Return the submissions in a folder, by name.

    :raises UsageError: there is no such folder, or a student is there twice.
    """
    if not place.is_dir():
        raise UsageError(f"{place} is no folder")
    found = [
        path
        for path in sorted(place.iterdir())
        if not path.name.startswith(".")
        and (path.is_dir() or path.name.endswith(_ARCHIVES))
    ]
    names = [student_of(path) for path in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{place} has two submissions of {name}")
    return found


def read(folder: Folder, entry: Path) -> dict[str, str]:
    """Read the lab's files of a submission, wherever in it they are.

    :raises UsageError: it is damaged, a file is huge or there twice.
    """
    wanted = {source.name for source in folder.lab.file}
    try:
        return _read(entry, wanted)
    except UsageError:
        raise
    except _DAMAGED as error:
        raise UsageError(f"it cannot be read: {error}") from None


def _read(entry: Path, wanted: Collection[str]) -> dict[str, str]:
    files: dict[str, str] = {}
    for name, data in _members(entry):
        base = PurePosixPath(name).name
        if base not in wanted or "/given/" in f"/{name}":
            continue
        if base in files:
            raise UsageError(f"{base} is there twice")
        files[base] = data().decode(errors="replace")
    return files


def _members(entry: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Return names, and how to read each as long as it is the last one."""
    if entry.is_dir():
        for path in sorted(entry.rglob("*")):
            if path.is_file() and not path.is_symlink():
                name = path.relative_to(entry).as_posix()
                size = path.stat().st_size
                yield name, partial(_bounded, size, path.read_bytes)
    elif entry.suffix == ".zip":
        with zipfile.ZipFile(entry) as archive:
            for info in archive.infolist():
                content = partial(archive.read, info)
                yield info.filename, partial(_bounded, info.file_size, content)
    else:
        with tarfile.open(entry) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file is not None:
                    yield member.name, partial(_bounded, member.size, file.read)


def _bounded(size: int, content: Callable[[], bytes]) -> bytes:
    if size > workspace.LARGEST:
        raise UsageError(f"a file is larger than {workspace.LARGEST} bytes")
    return content()


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
        todo: dict[str, tuple[dict[str, str], str]] = {}
        rows: dict[str, Row] = {}
        for entry in entries(self.submissions):
            student = student_of(entry)
            try:
                files = read(self.folder, entry)
            except UsageError as error:
                rows[student] = self._failed(student, str(error))
                continue
            mark = self._mark(files)
            known = _known(grades / f"{student}.json", mark)
            if known is not None:
                rows[student] = _row(student, known)
            else:
                todo[student] = (files, mark)
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
        self, todo: Mapping[str, tuple[dict[str, str], str]], pool: Pool
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
        self, left: Mapping[str, tuple[dict[str, str], str]], pool: Pool
    ) -> Iterator[tuple[str, dict[str, object]]]:
        """Grade what is left, once each; not those whose worker dies."""
        tests = _tests_of(self.folder)
        number = self.folder.lab.number
        with pool() as executor:
            jobs = {}
            for student, (files, _) in left.items():
                order = (number, tests, files, self._seed(student), self.limits)
                try:
                    jobs[executor.submit(one, *order)] = student
                except BrokenExecutor:
                    break  # what was submitted tells the rest
            for job in as_completed(jobs):
                student = jobs[job]
                error = job.exception()
                if error is None:
                    found = job.result()
                    self._keep(student, left[student][1], found)
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

    def _mark(self, files: Mapping[str, str]) -> str:
        """Return a name of what a grade depends on."""
        tests = self.folder.tests.read_text()
        parts = json.dumps([sorted(files.items()), tests, self.key])
        return hashlib.sha256(parts.encode()).hexdigest()

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
    tests = found["tests"]
    failed = tuple(
        str(test["test"])
        for test in (tests if isinstance(tests, list) else [])
        if not test["good"]
    )
    return Row(
        student,
        int(str(found["score"])),
        int(str(found["full"])),
        str(found["broken"]),
        failed,
    )


def as_csv(rows: list[Row]) -> str:
    """Return the summary as a table for a spreadsheet."""
    out = StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("student", "score", "full", "failed", "note"))
    for row in rows:
        cells = (row.student, row.score, row.full, " ".join(row.failed))
        table.writerow((*map(_inert, cells), _inert(row.note)))
    return out.getvalue()


def _inert(cell: object) -> object:
    """Keep a spreadsheet from taking a student's text for a formula."""
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")):
        return f"'{cell}"
    return cell


def as_html(folder: Folder, rows: list[Row]) -> str:
    """Return the summary as a page: scores, and what is failed most."""
    lost: dict[str, int] = {}
    for row in rows:
        for test in row.failed:
            lost[test] = lost.get(test, 0) + 1
    title = html.escape(f"Lab {folder.lab.number}: {folder.lab.title}")
    body = "\n".join(
        f"<tr><td>{html.escape(row.student)}<td>{row.score}/{row.full}"
        f"<td>{html.escape(' '.join(row.failed))}"
        f"<td><pre>{html.escape(row.note)}</pre>"
        for row in rows
    )
    most = "\n".join(
        f"<li>{html.escape(test)}: {count} of {len(rows)}"
        for test, count in sorted(lost.items(), key=lambda x: (-x[1], x[0]))
    )
    return (
        f'<!doctype html><meta charset="utf-8"><title>{title}</title>\n'
        f"<h1>{title}</h1>\n<h2>Failed most</h2>\n<ol>\n{most}\n</ol>\n"
        f"<h2>Submissions</h2>\n<table>\n"
        f"<tr><th>student<th>score<th>failed<th>note\n{body}\n</table>\n"
    )
