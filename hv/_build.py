"""Build hv._native: the C core behind the one public header.

Read by setuptools (cffi_modules) and runnable by itself. Imports nothing of
hv, which cannot be imported before this has run.
"""

import os
import re
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
HEADERS = ("hv.h", "hvhost.h", "hvexplore.h", "hvp.h", "hvpgen.h")
CONSTANTS = ("memmap.h", "csr.h", "cause.h", "pte.h")


def cdef() -> str:
    """Return the declarations Python may call, from the headers C compiles."""
    bodies = []
    for header in HEADERS:
        text = (CSRC / "include" / header).read_text()
        _, _, rest = text.partition("/* cdef: begin */")
        body, marker, _ = rest.partition("/* cdef: end */")
        if not marker:
            raise SystemExit(f"{header}: cdef markers are missing")
        bodies.append(body)
    return "\n".join(bodies)


def constants() -> str:
    """Return a cdef of the ABI's constants; their values come from C."""
    lines = []
    for header in CONSTANTS:
        text = (CSRC / "abi" / header).read_text()
        names = re.findall(r"^#define +(\w+) +\S", text, re.MULTILINE)
        lines += [f"#define {name} ..." for name in names]
    return "\n".join(lines)


def sources() -> list[str]:
    """Return the C files of the hosted core, relative to the checkout.

    Left out: what runs as machine code, on real CSRs (bare.c, *_code.c).
    """
    return [
        path.relative_to(ROOT).as_posix()
        for path in sorted(CSRC.glob("*/*.c"))
        if path.name != "bare.c" and not path.stem.endswith("_code")
    ]


def headers() -> list[str]:
    """Return every file whose change means that C is compiled again."""
    return [
        path.relative_to(ROOT).as_posix()
        for pattern in ("*/*.h", "*/*.def")
        for path in sorted(CSRC.glob(pattern))
    ]


ffibuilder = FFI()
ffibuilder.cdef(cdef() + constants())
ffibuilder.set_source(
    "hv._native",
    "\n".join(
        f'#include "{name}"'
        for name in (
            *(f"include/{name}" for name in HEADERS),
            *(f"abi/{name}" for name in CONSTANTS),
        )
    ),
    sources=sources(),
    depends=headers(),
    include_dirs=["csrc"],
    define_macros=[("FW_NATIVE", "1")],
    # Hidden: else a name of ours that the C library has too would be its own.
    extra_compile_args=["-std=c11", "-fvisibility=hidden"],
    py_limited_api=True,
)

if __name__ == "__main__":
    os.chdir(ROOT)
    ffibuilder.compile(verbose=True)
