"""The command ``hv`` on a core with a bug in it: bugged.py LIBRARY ARGS...

With ``-m MODULE`` in the place of ARGS, that module is run instead.

The core is a shared library; everything above it is as it is. The extension
module also has the constants of csrc/abi, which are no symbols of a library:
a file of the core that only such a library has makes them some.
"""

import os
import re
import runpy
import sys
import types

import cffi

from tests.equivalence.core import CSRC, ROOT, declarations

HEADERS = ("memmap.h", "csr.h", "cause.h", "pte.h")
FILE = "api/constants.c"


def constants() -> list[str]:
    """Return the names of csrc/abi that Python may use."""
    text = "".join((CSRC / "abi" / name).read_text() for name in HEADERS)
    return re.findall(r"^#define +(\w+) +\S", text, re.MULTILINE)


def constants_c() -> str:
    """Return the text of the file that makes symbols of them."""
    lines = [f'#include "abi/{name}"' for name in HEADERS]
    lines += ["#include <stdint.h>"]
    lines += [f"int64_t abi_{n} = (int64_t)({n});" for n in constants()]
    return "\n".join(lines) + "\n"


def environment() -> dict[str, str]:
    """Return the environment in which Python finds this module."""
    path = [os.environ.get("PYTHONPATH", ""), str(ROOT)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}


class Bugged:
    """What Python calls ``lib``."""

    def __init__(self, ffi: cffi.FFI, path: str) -> None:
        self._library = ffi.dlopen(path)
        for name in constants():
            value = getattr(self._library, f"abi_{name}")
            setattr(self, name, int(value))

    def __getattr__(self, name: str) -> object:
        return getattr(self._library, name)


def main() -> int:
    """Put the library in the place of the core, and run the command."""
    ffi = cffi.FFI()
    ffi.cdef(declarations())
    ffi.cdef("\n".join(f"extern int64_t abi_{n};" for n in constants()))
    module = types.ModuleType("hv._native")
    vars(module).update(ffi=ffi, lib=Bugged(ffi, sys.argv[1]))
    sys.modules["hv._native"] = module

    if sys.argv[2:3] == ["-m"]:
        runpy.run_module(sys.argv[3], run_name="__main__")
        return 0
    from hv.cli import main as hv  # noqa: PLC0415 -- loads the core

    return hv(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
