"""Programs worth keeping: ``<folder>/<property>/<hash>.hvp``, with a note.

The note, a JSON file beside it, says what the program showed and where. A
corpus is replayed on the core as it is, which must find nothing.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hv.errors import UsageError
from hv.fuzz.format import MAGIC, Program, decode, encode
from hv.fuzz.text import parse, render
from hv.fuzz.verdict import Verdict
from hv.paths import write_atomically


@dataclass(frozen=True, slots=True)
class Entry:
    """A program of a corpus, and what its note says."""

    path: Path
    program: Program
    note: dict[str, Any]


def digest(data: bytes) -> str:
    """Return the name of a program: the same bytes, the same name."""
    return hashlib.sha256(data).hexdigest()[:16]


def is_program(path: Path) -> bool:
    """Say whether a file is named as a program, or begins as one does.

    Any bytes are a program, but few are meant as one.

    :raises UsageError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(64).lstrip()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return path.suffix == ".hvp" or begin.startswith((MAGIC, b"hvp"))


def load(path: Path) -> Program:
    """Read a program: bytes, or text if it begins as text does.

    :raises UsageError: if the file cannot be read, or is text and no program.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if data.startswith(MAGIC) or not data.lstrip().startswith(b"hvp"):
        return decode(data)
    try:
        return parse(data.decode())
    except UnicodeDecodeError:
        raise UsageError(f"{path}: neither a program nor UTF-8") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def store(
    folder: Path, program: Program, verdict: Verdict, **more: object
) -> Path:
    """Keep a program that broke something; return its file.

    :param more: what else its note is to say.
    """
    data = encode(program)
    place = folder / verdict.key.property
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{digest(data)}.hvp"
    note = {
        "property": verdict.broke,
        "op": verdict.key.op,
        "index": verdict.op,
        "what": verdict.what,
        **more,
    }
    text = render(
        program, notes={verdict.op: f"{verdict.broke}: {verdict.what}"}
    )
    write_atomically(path, data)
    write_atomically(path.with_suffix(".txt"), text.encode())
    write_atomically(
        path.with_suffix(".json"), json.dumps(note, indent=2).encode() + b"\n"
    )
    return path


def entries(folder: Path) -> Iterator[Entry]:
    """Return all programs of a corpus, in the order of their paths."""
    for path in sorted(folder.glob("*/*.hvp")):
        note = path.with_suffix(".json")
        known = json.loads(note.read_text()) if note.exists() else {}
        yield Entry(path, load(path), known)
