"""Compile the C core as a plain shared library, as it is or changed.

The zoo and many tests load several cores side by side: the good one and many
bad ones. So they do not use the extension module of ``hv``, but compile the
same sources into shared libraries and load them through the same headers.
Objects and libraries are kept by content: a core that differs in one file
costs one compilation.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import get_ident

from hv.environment import plain
from hv.errors import HvError
from hv.sources import declarations, tree

__all__ = [
    "CFLAGS",
    "FAST",
    "BuildError",
    "Edit",
    "build",
    "cache_folder",
    "changed",
    "compiled",
    "compilers",
    "declarations",
    "digest",
    "headers_instead",
    "made",
    "source_folder",
    "sources",
]

CFLAGS = ("-std=c11", "-O1", "-g", "-fPIC", "-DFW_NATIVE=1")
# For millions of programs: one and a half times as fast, if calls from file to
# file need not go where somebody else might put them.
FAST = (*CFLAGS, "-O3", "-fno-semantic-interposition")
LINKED = ("-Wl,-Bsymbolic",) if sys.platform == "linux" else ()
PATIENCE = 300  # seconds for one file, a last resort: no verdict comes of it
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


class BuildError(HvError):
    """Say why a core could not be built.

    :ivar output: what the compiler said, if it was asked.
    """

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


@dataclass(frozen=True, slots=True)
class Edit:
    """A piece of text that occurs once in a file, and what to put there."""

    file: str  #: below csrc
    text: str
    instead: str


def source_folder() -> Path:
    """Return where the C sources are: of the checkout, or in the package.

    :raises UsageError: this installation has none.
    """
    return tree() / "csrc"


@cache
def cache_folder() -> Path:
    """Return where objects and libraries are kept, made if it is new."""
    if (tree() / "pyproject.toml").exists():
        place = tree() / "build" / "chaff"
    else:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        place = Path(home) / "hv" / "chaff"
    place.mkdir(parents=True, exist_ok=True)
    return place


def compilers() -> dict[str, list[str]]:
    """Return the C compilers of this computer, by name; ``cc`` is the default.

    Where nothing else is found, the default is the one in ``ziglang``.
    """
    found = {}
    default = os.environ.get("CC", "cc")
    if shutil.which(default.split()[0]):
        found["cc"] = default.split()
    for name in ("gcc", "clang"):
        if shutil.which(name):
            found[name] = [name]
    if "clang" not in found and find_spec("ziglang"):
        found["clang"] = [sys.executable, "-m", "ziglang", "cc"]
    if found and "cc" not in found:
        found["cc"] = next(iter(found.values()))
    return found


def sources() -> dict[str, str]:
    """Return the C files of the core, relative to csrc, and their text."""
    csrc = source_folder()
    return {
        path.relative_to(csrc).as_posix(): path.read_text()
        for path in sorted(csrc.glob("*/*.c"))
        if path.name != "bare.c" and not path.stem.endswith("_code")
    }


def changed(name: str, edits: Iterable[Edit]) -> dict[str, str]:
    """Return the sources with edits made, each to a text that is once there.

    :param name: of the bug, for who has to mend its record.
    :raises BuildError: a text is not there, or more than once.
    """
    files = sources()
    for edit in edits:
        if files.get(edit.file, "").count(edit.text) != 1:
            raise BuildError(
                f"{name}: its text must occur once in {edit.file}; "
                "has the source moved on?"
            )
        text = files[edit.file]
        files[edit.file] = text.replace(edit.text, edit.instead)
    return files


def digest(*parts: str | bytes) -> str:
    """Return a short name of this content."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.encode() if isinstance(part, str) else part)
        sha.update(b"\0")
    return sha.hexdigest()[:24]


@cache
def _headers(floor: str) -> str:
    """Return a name of all headers that a file of this floor may include."""
    csrc = source_folder()
    return digest(
        *(
            p.read_bytes()
            for p in sorted(csrc.glob("*/*"))
            if p.suffix in (".h", ".def")
            # Nothing below includes the uppermost floor.
            and (floor == "hvp" or "hvp" not in p.relative_to(csrc).as_posix())
        )
    )


def _run(*command: str, text: str = "") -> None:
    try:
        done = subprocess.run(
            command,
            input=text,
            env=plain() | {"LC_ALL": "C"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"the compiler took over {PATIENCE} s") from None
    if done.returncode:
        raise BuildError(f"{command[0]} failed:\n{done.stderr}", done.stderr)


def made(out: Path, *command: str, text: str = "") -> Path:
    """Run a compiler for a file, which others see only when it is whole.

    Who needs one that somebody else is making waits for it.

    :raises BuildError: it failed, or took too long.
    """
    if out.exists():
        return out
    with _alone(out):
        if not out.exists():
            part = out.with_suffix(f".{os.getpid()}.{get_ident()}.part")
            _run(*command, "-o", str(part), text=text)
            part.replace(out)
    return out


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Make a file, and some others, in this thread and process only."""
    locks = out.parent / "locks"
    locks.mkdir(exist_ok=True)
    with (locks / out.name[:2]).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        yield


def headers_instead(headers: Mapping[str, str]) -> str:
    """Put headers that replace those of csrc into a folder of their own.

    Returns the flag that makes a source find them first.
    """
    place = cache_folder() / digest(*headers, *headers.values())
    for name, text in headers.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f"-I{place}"


def compiled(
    cc: list[str],
    flags: tuple[str, ...],
    name: str,
    text: str,
    shown: str = "",
) -> Path:
    """Return the object of a C file, which is compiled if it is new.

    :param name: below csrc.
    :param shown: its name in messages, if that is another.
    :raises BuildError: it has a mistake.
    """
    csrc = source_folder()
    headers = _headers(Path(name).parts[0])
    named = (shown,) if shown else ()
    key = digest(*cc, *flags, headers, name, text, *named)
    return made(
        cache_folder() / f"{key}.o",
        *(*cc, *flags, f"-I{csrc}", f"-I{csrc / Path(name).parent}"),
        *("-xc", "-", "-c"),
        text=f'#line 1 "{shown or name}"\n{text}',
    )


def build(
    files: Mapping[str, str] | None = None,
    compiler: str = "cc",
    *,
    flags: tuple[str, ...] = CFLAGS,
    extra: Mapping[str, tuple[str, ...]] | None = None,
    jobs: int = 2,
) -> Path:
    """Compile a core from these sources (default: as they are).

    :param extra: more flags for single files.
    :param jobs: how many compilers run at once.
    :raises BuildError: there is no such compiler, or it does not like it.
    """
    if compiler not in compilers():
        raise BuildError(f"no C compiler {compiler!r} on this computer")
    cc = compilers()[compiler]
    extra = extra or {}
    # Once is enough, and a compiler named by a test is there to be compared.
    if os.environ.get("HV_SANITIZED") and compiler == "cc":
        flags += SANITIZE
    files = sources() if files is None else files
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        objects = list(
            pool.map(
                lambda f: compiled(cc, (*extra.get(f[0], ()), *flags), *f),
                files.items(),
            )
        )
    return made(
        cache_folder() / f"{digest(*(o.name for o in objects))}.so",
        *(*cc, *flags, *LINKED, "-shared", *(str(o) for o in objects)),
    )
