"""What hv needs on this computer, what of it is there, how to get the rest."""

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from hv import images
from hv.errors import CoreMissing, HvError


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
        _program(
            "qemu-system-riscv32",
            "runs the same kernels",
            "apt install qemu-system-misc",
        ),
        _program("gdb-multiarch", "debugs them", "apt install gdb-multiarch"),
        _program(
            "dtc", "prints device trees", "apt install device-tree-compiler"
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


def _program(name: str, use: str, remedy: str) -> Check:
    path = shutil.which(name)
    return Check(
        name,
        good=path is not None,
        found=path or f"not found ({use})",
        remedy="" if path else remedy,
        needed=False,
    )
