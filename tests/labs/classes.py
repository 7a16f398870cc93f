"""A class of students, made up: what each hands in, and what that must score.

Some work is right, some wrong in a known way, some unfinished, and some is
what platforms really receive: half an archive, a file that is missing, bytes of
nothing. What a submission scores is known from how it was made.
"""

import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from hv.labs import cut, workspace
from hv.labs.points import plan
from hv.labs.spec import Folder

from .hostile import submission

Files = dict[str, str]


@dataclass(frozen=True, slots=True)
class Made:
    """A submission, and what must become of it."""

    student: str
    kind: str
    least: int  #: points ...
    most: int
    lost: tuple[str, ...] = ()  #: tests that it fails, besides others
    note: str = ""  #: in the row's note


def _folder(place: Path, files: Mapping[str, str]) -> None:
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text)


def _zip(place: Path, files: Mapping[str, str]) -> None:
    with zipfile.ZipFile(place.with_name(f"{place.name}.zip"), "w", 8) as out:
        for name, text in files.items():
            out.writestr(f"work/{name}", text)
        out.writestr("work/given/mmu.c", "not mine")


def _tar(place: Path, files: Mapping[str, str]) -> None:
    workspace.pack(files, place.with_name(f"{place.name}.tar"))


def _tgz(place: Path, files: Mapping[str, str]) -> None:
    with tarfile.open(place.with_name(f"{place.name}.tar.gz"), "w:gz") as out:
        for name, text in files.items():
            info = tarfile.TarInfo(f"lab1/{name}")
            info.size = len(text.encode())
            out.addfile(info, BytesIO(text.encode()))


FORMS: tuple[Callable[[Path, Mapping[str, str]], None], ...] = (
    *(_folder, _zip, _tar, _tgz),
)


class Class:
    """Write the submissions of a class into a folder.

    :param unlike: no two files are the same, so that each is compiled.
    """

    def __init__(self, lab: Folder, place: Path, *, unlike: bool) -> None:
        self._lab = lab
        self._place = place
        self._unlike = unlike
        self._solution = cut.solution(lab)
        self._points = {a.test: a.points for a in plan(lab.tests)}
        place.mkdir(parents=True, exist_ok=True)

    def write(self, size: int) -> list[Made]:
        """Write so many, one kind after the other."""
        kinds = self._kinds()
        return [kinds[i % len(kinds)](f"s{i:03}", i) for i in range(size)]

    def _kinds(self) -> list[Callable[[str, int], Made]]:
        return [
            self._right,
            self._truncated,
            self._wrong,
            self._missing,
            self._right,
            self._does_not_compile,
            self._wrong,
            self._rubbish,
            self._skeleton,
            self._empty,
        ]

    def _put(self, student: str, number: int, files: Files) -> None:
        if self._unlike:
            name = next(iter(files))
            files = {**files, name: files[name] + f"/* {student} */\n"}
        FORMS[number % len(FORMS)](self._place / student, files)

    def _right(self, student: str, number: int) -> Made:
        self._put(student, number, self._solution)
        return Made(student, "right", 100, 100)

    def _wrong(self, student: str, number: int) -> Made:
        wrong = self._lab.lab.wrong[number % len(self._lab.lab.wrong)]
        self._put(student, number, cut.wrong_solution(self._lab, wrong))
        lost = sum(self._points[test] for test in wrong.loses)
        return Made(student, wrong.name, 1, 100 - lost, wrong.loses)

    def _skeleton(self, student: str, number: int) -> Made:
        self._put(student, number, cut.skeleton(self._lab))
        base = self._lab.lab.baseline
        return Made(student, "skeleton", base, base)

    def _truncated(self, student: str, number: int) -> Made:
        del number
        _tgz(self._place / student, self._solution)
        path = self._place / f"{student}.tar.gz"
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        return Made(student, "truncated", 0, 0, note="it cannot be read")

    def _missing(self, student: str, number: int) -> Made:
        *kept, gone = self._solution
        self._put(student, number, {n: self._solution[n] for n in kept})
        return Made(student, "missing", 0, 0, note=f"{gone} is missing")

    def _does_not_compile(self, student: str, number: int) -> Made:
        name = next(iter(self._solution))
        self._put(student, number, self._solution | {name: "int x = ;\n"})
        return Made(student, "syntax", 0, 0, note=f"{name}:1: ")

    def _rubbish(self, student: str, number: int) -> Made:
        draw = random.Random(number)
        path = self._place / student
        path.mkdir()
        for name in self._solution:
            (path / name).write_bytes(draw.randbytes(2000))
        return Made(student, "rubbish", 0, 0, note="it does not compile")

    def _empty(self, student: str, number: int) -> Made:
        del number
        (self._place / f"{student}.zip").write_bytes(b"")
        return Made(student, "empty", 0, 0, note="it cannot be read")

    def endless(self, student: str) -> Made:
        """Write a submission that never ends: of lab 1."""
        files = submission("for (volatile int i = 0;; i++);")
        self._put(student, 0, files)
        return Made(student, "endless", 5, 5)


def unexpected(
    made: list[Made], rows: Mapping[str, tuple[int, tuple[str, ...], str]]
) -> Iterator[str]:
    """Return what did not come as it had to.

    :param rows: score, failed tests and note of each student.
    """
    if rows.keys() != {one.student for one in made}:
        yield f"students: {sorted(rows)}"
    for one in made:
        score, failed, note = rows.get(one.student, (-1, (), ""))
        if not one.least <= score <= one.most:
            yield f"{one}: {score} points"
        if not set(one.lost) <= set(failed):
            yield f"{one}: failed {failed}"
        if one.note not in note:
            yield f"{one}: {note!r}"
