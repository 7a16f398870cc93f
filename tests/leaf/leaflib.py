"""The harnesses of this folder: built beside the rest of the core, and loaded.

Each includes one source of csrc, and takes its place in the library; a bug is
planted in that source, and the harness finds it first on its way.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import cffi

from tests.equivalence.core import (
    CFLAGS,
    ROOT,
    CData,
    build,
    headers_instead,
    sources,
)

HERE = Path(__file__).parent
CHECKS = re.findall(r"bool leaf_(\w+)\(", (HERE / "leaf.h").read_text())
SUBJECT = re.compile(r'^#include "(\w+/\w+\.c)"$', re.MULTILINE)


def harnesses(folder: Path = HERE) -> dict[str, str]:
    """Return the C files of a folder, and their text."""
    return {p.name: p.read_text() for p in sorted(folder.glob("*.c"))}


def library(
    files: Mapping[str, str] | None = None, folder: Path = HERE
) -> Path:
    """Build the harnesses with these sources of csrc (default: as they are)."""
    files = dict(sources() if files is None else files)
    own, extra = {}, {}
    headers = "".join(p.read_text() for p in sorted(folder.glob("*.h")))
    for name, text in harnesses(folder).items():
        own[f"../{folder.relative_to(ROOT)}/{name}"] = text
        # The source that it includes, and a name for what else it includes.
        subject = {at: files.pop(at) for at in SUBJECT.findall(text)}
        place = headers_instead(subject | {"headers.txt": headers})
        flags = (place, f"-I{folder}", "-O2")
        extra[f"../{folder.relative_to(ROOT)}/{name}"] = flags
    return build(files | own, flags=CFLAGS, extra=extra)


class Leaf:
    """A loaded library."""

    def __init__(self, path: Path) -> None:
        lines = (HERE / "leaf.h").read_text().splitlines()
        self.ffi: CData = cffi.FFI()
        self.ffi.cdef("\n".join(li for li in lines if not li.startswith("#")))
        self.lib: CData = self.ffi.dlopen(str(path))

    def check(self, name: str) -> tuple[int, str]:
        """Return how many cases were tried, and what was wrong, or ''."""
        out = self.ffi.new("struct leaf *")
        good = getattr(self.lib, f"leaf_{name}")(out)
        if good:
            return int(out.cases), ""
        what = self.ffi.string(out.what).decode()
        values = getattr(out, "in")  # a word of Python's
        at = ", ".join(f"{int(values[i]):#x}" for i in range(4))
        return int(out.cases), (
            f"{what}: wanted {int(out.want):#x}, got {int(out.got):#x} "
            f"for ({at}), case {int(out.cases)}"
        )


@cache
def good() -> Leaf:
    """Return the functions as they are."""
    return Leaf(library())
