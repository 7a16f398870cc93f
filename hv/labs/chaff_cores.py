"""The cores that a lab's checks and attacks are judged with, built and kept.

``lab.toml`` names wheats (right, and not ours) and bugs of the zoo. A core with
a bug also notes whether each function that has an edit was run: so that a
student is told whether an attack has *reached* the bug. All cores are the same
for every student; they are built once, which takes a minute or two.
"""

import ctypes
import json
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hv.labs.spec import Folder
from hv.paths import write_atomically
from hv.sources import tree
from hv.zoo import Bug, Wheat, core
from hv.zoo import build as build_wheat
from hv.zoo.builder import (
    CFLAGS,
    Edit,
    build,
    cache_folder,
    changed,
    compilers,
    digest,
)

GOOD = "good"  # hv's own core, beside the wheats
JOBS = 2  # compilers at once
_REACHED, _PROBES = "hv_lab_reached", "hv_lab_probes"
_BEGIN, _END = re.compile(r"^\{\n", re.MULTILINE), "\n}\n"


def probed(files: dict[str, str], edits: Iterable[Edit]) -> dict[str, str]:
    """Let sources with edits note which functions with an edit were run.

    An edit outside of functions has none: it counts as reached.
    """
    files = dict(files)
    probes, first = 0, ""
    for edit in edits:
        text = files[edit.file]
        stop = text.index(edit.instead) + len(edit.instead.rstrip())
        begins = [m.end() for m in _BEGIN.finditer(text, 0, stop)]
        # The house style: the braces of functions are alone at the margin.
        if not edit.instead.strip() or not begins:
            continue
        at = begins[-1]
        if -1 < text.find(_END, at) < stop - len(_END):
            continue
        note = f"    {_REACHED} |= 1u << {probes};\n"
        if first != edit.file and f"extern unsigned {_REACHED};\n" not in text:
            head = "extern " if first else ""
            text = f"{head}unsigned {_REACHED};\n" + text
            at += len(text) - len(files[edit.file])
            first = first or edit.file
        files[edit.file] = text[:at] + note + text[at:]
        probes += 1
    if first:
        files[first] += f"\nconst unsigned {_PROBES} = {probes};\n"
    return files


def reached(path: Path) -> bool:
    """Whether every function with an edit has run in this process so far."""
    library = ctypes.CDLL(str(path))
    try:
        probes = ctypes.c_uint.in_dll(library, _PROBES).value
    except ValueError:
        return True
    return ctypes.c_uint.in_dll(library, _REACHED).value == (1 << probes) - 1


def forget_reached(path: Path) -> None:
    """Begin to note anew."""
    library = ctypes.CDLL(str(path))
    try:
        ctypes.c_uint.in_dll(library, _REACHED).value = 0
    except ValueError:
        return


def _build(what: str | Bug | Wheat) -> Path:
    if isinstance(what, str):
        return build(jobs=JOBS)
    if isinstance(what, Wheat):
        return build_wheat(what, jobs=1)
    files = changed(what.id, what.edits)
    return build(probed(files, what.edits), jobs=1)


def cores(
    folder: Folder, tell: Callable[[str], object] | None = None
) -> dict[str, Path]:
    """Return the cores that a lab names, by id, and :data:`GOOD`.

    :param tell: told that it takes a while, if it does; default: stderr.
    :raises BuildError: there is no compiler, or one cannot be built.
    """
    wanted = folder.lab.cores
    if wanted is None:
        return {}
    things = {name: core(name) for name in (*wanted.wheats, *wanted.bugs)}
    list_ = cache_folder() / f"{_key(things.values())}.cores"
    kept = _kept(list_)
    if kept is not None:
        return kept
    number = len(things) + 1
    text = f"building {number} cores, once for all: that takes a few minutes"
    (tell or _stderr)(text)
    found = {GOOD: _build(GOOD)}
    with ThreadPoolExecutor(JOBS) as pool:
        found |= dict(
            zip(things, pool.map(_build, things.values()), strict=True)
        )
    names = {name: path.name for name, path in found.items()}
    write_atomically(list_, json.dumps(names).encode())
    return found


def _stderr(text: str) -> None:
    print(text, file=sys.stderr)


def _kept(path: Path) -> dict[str, Path] | None:
    """Return what was built before, if all of it is still there."""
    try:
        names = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    found = {name: path.with_name(file) for name, file in names.items()}
    return found if all(file.exists() for file in found.values()) else None


def _key(things: Iterable[Bug | Wheat]) -> str:
    """Return a name of all that these cores are made of."""
    files = sorted(
        path
        for path in (tree() / "csrc").rglob("*")
        if path.suffix in (".c", ".h", ".def")
    )
    return digest(
        *map(repr, things),
        *(*compilers().get("cc", ()), *CFLAGS),
        *(str(path) for path in files),
        *(path.read_bytes() for path in files),
        Path(__file__).read_bytes(),
    )
