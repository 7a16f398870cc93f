"""What hv needs on this computer, what of it is there, how to get the rest."""

import shutil
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hv import images
from hv.errors import CoreMissing, HvError

LABS = ("C compiler", "guest compiler", "grader")
BOOK = ("sphinx", "myst_parser", "furo", "sphinx_copybutton")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing: whether it is there, and what to do if it is not."""

    what: str
    good: bool
    found: str
    remedy: str = ""
    needed: bool = True

    @property
    def mark(self) -> str:
        """One word for a person."""
        return "ok" if self.good else "MISSING" if self.needed else "optional"


def examine() -> list[Check]:
    """Look at everything once. Changes nothing."""
    return [
        _python(),
        _core(),
        _images(),
        _compiler(),
        _lab_compiler(),
        _grader(),
        _headers(),
        _book(),
        _program(("make",), "runs the targets of a checkout", "make"),
        _program(
            ("qemu-system-riscv32",),
            "runs the same kernels",
            "qemu-system-misc",
        ),
        _program(("gdb", "gdb-multiarch"), "looks into hv", "gdb"),
        _guest_debugger(),
        _program(("dtc",), "prints device trees", "device-tree-compiler"),
        _program(
            ("latexmk",),
            "makes the book's PDF",
            "latexmk texlive-xetex texlive-latex-extra imagemagick",
        ),
    ]


def _python() -> Check:
    return Check("Python", good=True, found=sys.version.split()[0])


def _core() -> Check:
    try:
        from hv import core  # noqa: PLC0415 -- this is the question
    except CoreMissing as error:
        return Check(
            "C core",
            good=False,
            found=str(error.__cause__),
            remedy="pip install -e . (needs a C compiler and Python's headers)",
        )
    return Check("C core", good=True, found=core.version())


def _images() -> Check:
    try:
        names = images.available()
    except HvError as error:
        return _no_images(str(error), "hv guests build")
    if not names:
        return _no_images("none", images.missing())
    return Check(
        "guest images", good=True, found=f"{len(names)} in {images.FOLDER}"
    )


def _no_images(found: str, remedy: str) -> Check:
    return Check("guest images", good=False, found=found, remedy=remedy)


def _compiler() -> Check:
    from hv.guestcc import NoCompiler, find_compiler  # noqa: PLC0415

    try:
        found = find_compiler().version
    except NoCompiler:
        return Check(
            "guest compiler",
            good=False,
            found="none (only needed to build guests)",
            remedy="pip install 'microhv[guests]', or install a riscv "
            "cross gcc, or clang and lld",
            needed=False,
        )
    return Check("guest compiler", good=True, found=found)


def _lab_compiler() -> Check:
    from hv.labs.build import BuildError, compiler  # noqa: PLC0415

    try:
        found = " ".join(compiler())
    except BuildError as error:
        return Check(
            "C compiler",
            good=False,
            found="none (only needed for the labs)",
            remedy=str(error),
            needed=False,
        )
    return Check("C compiler", good=True, found=found)


def _grader() -> Check:
    from hv.labs.sandbox import protection  # noqa: PLC0415

    if find_spec("pytest") is None:
        return Check(
            "grader",
            good=False,
            found="no pytest (only needed for the labs)",
            remedy="pip install 'microhv[labs]'",
            needed=False,
        )
    return Check("grader", good=True, found=protection())


def _headers() -> Check:
    place = Path(sysconfig.get_path("include")) / "Python.h"
    if not place.exists():
        return Check(
            "Python's headers",
            good=False,
            found="none (only needed to build hv)",
            remedy="apt install python3-dev, or what your system calls it",
            needed=False,
        )
    return Check("Python's headers", good=True, found=str(place.parent))


def _book() -> Check:
    missing = [name for name in BOOK if find_spec(name) is None]
    if missing:
        return Check(
            "the book's tools",
            good=False,
            found=f"no {missing[0]} (only needed to build the book)",
            remedy="`make docs` in a checkout; or pip install 'microhv[docs]'",
            needed=False,
        )
    return Check("the book's tools", good=True, found=", ".join(BOOK))


def _guest_debugger() -> Check:
    from hv.gdb import debugger  # noqa: PLC0415

    path = debugger.find()
    return Check(
        "GDB for RISC-V",
        good=path is not None,
        found=path or "not found (looks into guests: hv gdb)",
        remedy="" if path else debugger.REMEDY,
        needed=False,
    )


def _program(names: tuple[str, ...], use: str, package: str) -> Check:
    """Look for a program that nothing stops without.

    :param names: any of these will do.
    :param package: what Debian and Ubuntu call what it is in.
    """
    path = next(filter(None, map(shutil.which, names)), None)
    return Check(
        names[0],
        good=path is not None,
        found=path or f"not found ({use})",
        remedy="" if path else f"apt install {package}",
        needed=False,
    )


def verdict(checks: Sequence[Check]) -> str:
    """Say in a line what all of it means for a person."""
    missing = [c.what for c in checks if c.needed and not c.good]
    if missing:
        return f"hv does not work yet: {', '.join(missing)}."
    good = {check.what for check in checks if check.good}
    labs = [what for what in LABS if what not in good]
    if labs:
        return f"hv works. For the labs get: {', '.join(labs)}."
    return "hv works, and so do the labs."
