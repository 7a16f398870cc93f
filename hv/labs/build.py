"""A private core: hv's sources, a student's files in the place of some.

Every object is kept by content, so a core that differs in one file from
another costs one compilation, and a submission that was graded before none.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from hv import guestcc
from hv.labs.spec import Folder
from hv.sources import tree
from hv.zoo.builder import (
    CFLAGS,
    BuildError,
    cache_folder,
    compiled,
    compilers,
    digest,
    made,
    sources,
)

SANITIZE = (
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "-fno-sanitize=object-size",  # the other one says more of it
    "-fno-omit-frame-pointer",
)

__all__ = [
    "BuildError",
    "CompileError",
    "Mistake",
    "compiler",
    "core",
    "sanitizer",
]

_ERROR = re.compile(
    r"^([^:\n]+):(\d+):(?:\d+:)? (?:fatal )?(?i:error): (.*)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What the compiler did not like: the student's file and line."""

    file: str
    line: int
    message: str


class CompileError(BuildError):
    """Say that a student's file does not compile: first mistake first."""

    def __init__(self, mistakes: list[Mistake], output: str) -> None:
        self.mistakes = mistakes
        first = mistakes[0] if mistakes else None
        super().__init__(
            f"{first.file}:{first.line}: {first.message}" if first else output,
            output,
        )


def compiler() -> list[str]:
    """Return the command of a C compiler, at worst that of ziglang.

    :raises BuildError: there is none.
    """
    if "cc" not in compilers():
        raise BuildError(
            "no C compiler was found; `pip install ziglang` brings one"
        )
    return compilers()["cc"]


def sanitizer() -> Path | None:
    """Return the library that must be loaded first with SANITIZE, if known.

    Only gcc's can name a line without starting another program.
    """
    try:
        cc = compiler()
    except BuildError:
        return None
    if "Free Software Foundation" not in _said(*cc, "--version"):
        return None
    path = Path(_said(*cc, "-print-file-name=libasan.so").strip())
    return path if path.is_absolute() and path.exists() else None


def _said(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


@dataclass(frozen=True, slots=True)
class Unit:
    """A C file to compile: of hv, or of a student."""

    file: str  #: below csrc
    shown: str  #: its name in messages
    text: str
    flags: tuple[str, ...] = ()


def _told(error: BuildError) -> BuildError:
    """Return a mistake that the compiler found as one of the student's."""
    if not error.output:
        return error
    return CompileError(_mistakes(error.output), error.output)


def _compile(cc: list[str], unit: Unit) -> Path:
    shown = unit.shown if unit.shown != unit.file else ""
    flags = (*unit.flags, *CFLAGS)
    return compiled(cc, flags, unit.file, unit.text, shown)


def image(folder: Folder, files: Mapping[str, str]) -> Path | None:
    """Build the guest that a lab is about, and return its ELF file.

    None if the lab is about no guest.

    :raises CompileError: a file of the student's has a mistake.
    :raises BuildError: there is no compiler for guests.
    """
    wanted = folder.lab.image
    if wanted is None:
        return None
    texts = {name: files[name] for name in sorted(files)}
    key = digest(*texts, *texts.values(), folder.lab.name)
    place = cache_folder() / f"{key}.guest"
    place.mkdir(exist_ok=True)
    for name, text in texts.items():
        (place / name).write_text(text)
    try:
        if wanted.instead:
            return _instead(folder, wanted.instead, place)
        return guestcc.compile_image(
            [place / name for name in wanted.sources],
            place / "image.elf",
            linker_script=tree() / wanted.script,
            root=place,
        )
    except guestcc.NoCompiler as error:
        raise BuildError(str(error)) from None
    except guestcc.BuildError as error:
        raise CompileError(_mistakes(str(error)), str(error)) from None


def _instead(folder: Folder, name: str, place: Path) -> Path:
    """Build an image of hv's own, with the student's files in this folder.

    :raises guestcc.NoCompiler: there is no compiler for guests.
    :raises guestcc.BuildError: it does not compile.
    """
    known = {image.name: image for image in guestcc.read_images(tree())}
    spec = known[name]
    theirs = {tree() / f.source: place / f.name for f in folder.lab.file}
    return guestcc.compile_image(
        [theirs.get(source, source) for source in spec.sources],
        place / "image.elf",
        defines=spec.defines,
        includes=[*spec.includes, _programs(spec)],
        linker_script=spec.script,
        base=spec.base,
        root=tree(),
        cache=cache_folder() / "guest-objects",
    )


def _programs(spec: guestcc.ImageSpec) -> Path:
    """Return a folder with the programs that an image embeds, made once."""
    guest = (tree() / "guestkernel", tree() / "csrc/abi")
    files = (p for at in guest for p in sorted(at.rglob("*")) if p.is_file())
    version = guestcc.find_compiler().version
    key = digest(version, *spec.embeds, *(p.read_bytes() for p in files))
    place = cache_folder() / f"{key}.programs"
    if not place.exists():
        part = Path(mkdtemp(dir=cache_folder()))
        guestcc.build_images(tree(), part, spec.embeds)
        with suppress(OSError):  # somebody else was faster
            part.rename(place)
    return place / "programs"


def _mistakes(output: str) -> list[Mistake]:
    return [
        Mistake(Path(file).name, int(line), message)
        for file, line, message in _ERROR.findall(output)
    ]


def core(
    folder: Folder, files: Mapping[str, str], *, sanitize: bool = False
) -> Path | None:
    """Build the core with a student's files, and return the shared library.

    None if no file of the student's is part of the core: then it is hv's own.

    :param files: by their names in the student's folder.
    :param sanitize: let the student's files look where they write.
    :raises CompileError: a file of the student's has a mistake.
    :raises BuildError: there is no compiler, or it takes too long.
    """
    if not any(f.source.startswith("csrc/") for f in folder.lab.file):
        return None
    cc = compiler()
    units = {name: Unit(name, name, text) for name, text in sources().items()}
    extra = SANITIZE if sanitize else ()
    for source in folder.lab.file:
        name = source.source.removeprefix("csrc/")
        if name in units:
            text = files[source.name]
            units[name] = Unit(name, source.name, text, extra)
    # A mistake is the student's: their files first, in order.
    ordered = sorted(units.values(), key=lambda unit: unit.shown == unit.file)
    # What is called and nowhere there is to be found now, not by a test.
    strict = sys.platform == "linux" and not sanitize
    flags = (*extra, *CFLAGS, *(("-Wl,-z,defs",) if strict else ()))
    try:
        with ThreadPoolExecutor(max_workers=2) as pool:
            objects = list(pool.map(lambda unit: _compile(cc, unit), ordered))
        return made(
            cache_folder()
            / f"{digest(*cc, *flags, *(o.name for o in objects))}.so",
            *(*cc, *flags, "-shared", *(str(o) for o in objects)),
        )
    except BuildError as error:
        raise _told(error) from None
