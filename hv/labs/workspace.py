"""A student's folder: made once, never overwritten, read for grading.

::

    lab1/
        mmu.c, tlb.c    the student's
        given/          to read; read-only
        handout.md
        Makefile        make run, make grade, make gdb, make handin ...
        .hv-lab.json    which lab this is, and whose
"""

import stat
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import msgspec

from hv.errors import UsageError
from hv.labs.cut import skeleton
from hv.labs.spec import Folder, find
from hv.sources import source_file

NOTE = ".hv-lab.json"
LARGEST = 1 << 20  # bytes of a student's file

_MAKEFILE = """\
# The words that you know from other courses; hv does the work.
HV ?= hv

run qemu grade:
\t$(HV) lab grade

hint:
\t$(HV) lab hint

watch:
\t$(HV) lab watch

gdb:
\t$(HV) lab gdb

handin:
\t$(HV) lab submit

.PHONY: run qemu grade hint watch gdb handin
"""


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lab a folder is, and whose."""

    lab: int
    name: str
    student: str = ""
    hints: tuple[str, ...] = ()  #: taken, in order: "walk 2" is a part's second


def start(
    folder: Folder, place: Path, *, student: str = "", force: bool = False
) -> list[Path]:
    """Make a student's folder; return what is in it.

    :param force: put the skeleton in the place of the student's files.
    :raises UsageError: that would overwrite a file.
    """
    content = contents(folder, student, hints_taken(folder, place))
    theirs = {source.name for source in folder.lab.file}
    there = [n for n in sorted(theirs) if (place / n).exists()]
    if there and not force:
        raise UsageError(
            f"{place / there[0]} is there already, and may be your work; "
            "--force replaces it by the skeleton"
        )
    written = []
    for name, text in content.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        path.write_text(text)
        if name.startswith("given/"):
            path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        written.append(path)
    return written


def contents(
    folder: Folder, student: str = "", hints: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return a new folder's files, by name: the same every time.

    :param hints: that were taken before, in a folder that is made anew.
    :raises UsageError: the skeleton cannot be cut.
    """
    note = Note(folder.lab.number, folder.lab.name, student, hints)
    files = skeleton(folder)
    for given in folder.lab.given:
        name = f"given/{_given(folder, given)}"
        files[name] = source_file(given).read_text()
    files["handout.md"] = folder.handout.read_text()
    files["Makefile"] = _MAKEFILE
    files[NOTE] = _written(note)
    return files


def _written(note: Note) -> str:
    return msgspec.json.encode(note).decode() + "\n"


def _given(folder: Folder, source: str) -> str:
    """Return a source's name; with its folder's, if two are named so."""
    name = Path(source).name
    names = [Path(other).name for other in folder.lab.given]
    return name if names.count(name) == 1 else "/".join(Path(source).parts[-2:])


def note(place: Path) -> Note:
    """Return which lab a folder is.

    :raises UsageError: it is none.
    """
    path = place / NOTE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Note)
    except OSError:
        raise UsageError(_no_lab(place)) from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: {error}") from None


def _no_lab(place: Path) -> str:
    """Say what is wrong with a folder that is no lab's, and what to do."""
    here = "this" if place == Path() else str(place)
    there = sorted(path.parent for path in place.glob(f"*/{NOTE}"))
    if not there:
        return f"{here} is no lab's folder; `hv lab start 1` makes one"
    names = ", ".join(path.name for path in there)
    return f"{here} is no lab's folder, but has {names}: `cd {there[0]}` first"


def hints_taken(folder: Folder, place: Path) -> tuple[str, ...]:
    """Return which hints of a lab were taken in a folder, if it is one."""
    try:
        return hints_noted(folder, note(place))
    except UsageError:
        return ()


def hints_noted(folder: Folder, found: Note) -> tuple[str, ...]:
    """Return which hints of a lab a note says were taken.

    What it says is the student's to change: only what could be there counts,
    and it never decides about points.
    """
    there = {
        f"{part.name} {step + 1}"
        for part in folder.lab.part
        for step in range(len(part.hints))
    }
    taken = [hint for hint in found.hints if hint in there]
    return tuple(dict.fromkeys(taken)) if found.lab == folder.lab.number else ()


def take_hint(place: Path, part: str, step: int) -> None:
    """Note that a hint was taken; once is enough.

    :raises UsageError: the folder is none of a lab, or cannot be written.
    """
    found, name = note(place), f"{part} {step}"
    if name in found.hints:
        return
    now = msgspec.structs.replace(found, hints=(*found.hints, name))
    try:
        (place / NOTE).write_text(_written(now))
    except OSError as error:
        raise UsageError(f"{place / NOTE}: {error.strerror}") from None


def opened(place: Path) -> tuple[Folder, Note]:
    """Return the lab that a student's folder is about, and its note.

    :raises UsageError: it is none, or of a lab that hv does not have.
    """
    found = note(place)
    return find(found.lab), found


def submission(folder: Folder, place: Path) -> dict[str, str]:
    """Read the lab's files from a folder, and no others.

    :raises UsageError: one is missing, no ordinary file, or huge.
    """
    return {
        source.name: _read(place / source.name) for source in folder.lab.file
    }


def _read(path: Path) -> str:
    # A link could lead to a file of whoever grades.
    if path.is_symlink() or not path.is_file():
        raise UsageError(f"{path.name} is missing, or no ordinary file")
    if path.stat().st_size > LARGEST:
        raise UsageError(f"{path.name} is larger than {LARGEST} bytes")
    return path.read_text(errors="replace")


def pack(files: Mapping[str, str], to: Path) -> None:
    """Write files into a tar archive that is the same every time."""
    with tarfile.open(to, "w") as archive:
        for name, text in sorted(files.items()):
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
