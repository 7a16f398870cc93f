"""Claims about all arguments, here with arguments that are drawn.

`make check-proofs` has them proved, where there is CBMC.
"""

import re
from functools import cache
from pathlib import Path

import cffi
import pytest

from tests.equivalence.core import CData
from tests.leaf.leaflib import harnesses, library

FOLDER = Path(__file__).parent / "cbmc"
CLAIMS = {
    name: re.findall(r"^void (prove_\w+)\(void\);$", text, re.MULTILINE)[0]
    for name, text in harnesses(FOLDER).items()
    if name != "prove.c"
}
DRAWS = 200_000


@cache
def proofs() -> tuple[CData, CData]:
    """Load the harnesses, compiled for this computer."""
    ffi: CData = cffi.FFI()
    lines = [f"void {claim}(void);" for claim in CLAIMS.values()]
    lines += [
        "void prove_seed(uint64_t seed);",
        "const char *prove_failed(void);",
        "uint64_t prove_count(void);",
    ]
    ffi.cdef("\n".join(lines))
    return ffi, ffi.dlopen(str(library(folder=FOLDER)))


@pytest.mark.parametrize("name", CLAIMS)
def test_no_draw_refutes_it(name: str) -> None:
    ffi, lib = proofs()
    lib.prove_seed(1)
    claim = getattr(lib, CLAIMS[name])
    for _ in range(DRAWS):
        claim()
    failed = lib.prove_failed()
    assert failed == ffi.NULL, ffi.string(failed).decode()
    assert lib.prove_count() > DRAWS // 100
