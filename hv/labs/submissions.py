"""What was handed in: a folder of submissions, each a folder or an archive.

Only the lab's files are read from them, and the note that says which hints were
taken; nothing is unpacked.
"""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath

import msgspec

from hv.errors import UsageError
from hv.labs import workspace
from hv.labs.spec import Folder

# Whatever the readers of archives say of bytes that are none.
_DAMAGED = (
    *(OSError, EOFError, ValueError, RuntimeError, zlib.error, LZMAError),
    *(zipfile.BadZipFile, tarfile.TarError),
)
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


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


def hints(folder: Folder, entry: Path) -> tuple[str, ...]:
    """Return which hints a student took, if the submission has a note of it."""
    try:
        text = _read(entry, {workspace.NOTE}).get(workspace.NOTE, "")
        note = msgspec.json.decode(text, type=workspace.Note)
    except (UsageError, msgspec.DecodeError, *_DAMAGED):
        return ()
    return workspace.hints_noted(folder, note)


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
