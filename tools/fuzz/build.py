"""Build drivers for the fuzzers that are here, and say why not the others.

::

    python tools/fuzz/build.py [FOLDER]

``hvp-run`` needs only a C compiler: it executes programs from files, or one
from standard input. ``hvp-libfuzzer`` needs clang with libFuzzer's run-time
library, ``hvp-afl`` AFL++. Beside them is ``hvp.dict``, a dictionary with a
record for each operation.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from hv.fuzz import Record, ops
from hv.fuzz.format import Program, encode
from hv.zoo.builder import sources as core_sources

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
FLAGS = ("-std=c11", "-O1", "-g", "-DFW_NATIVE=1", f"-I{CSRC}")
PLAIN = ("-DHVP_MAIN",)
GUIDED = ("-fsanitize=fuzzer,address,undefined",)
# Program, compiler, flags, and what else to say if there is no such compiler.
DRIVERS = (
    ("hvp-run", os.environ.get("CC", "cc"), PLAIN, "a C compiler"),
    ("hvp-libfuzzer", "clang", GUIDED, "clang, with compiler-rt"),
    ("hvp-afl", "afl-clang-fast", ("-fsanitize=fuzzer",), "AFL++"),
)


def sources() -> list[str]:
    """Return the C files of the hosted core, and the driver."""
    files = [str(CSRC / name) for name in core_sources()]
    return [*files, str(Path(__file__).with_name("driver.c"))]


def reason(compiler: str, flags: tuple[str, ...], needs: str) -> str:
    """Return why a driver cannot be built; empty if it can."""
    if not shutil.which(compiler):
        return f"no {compiler}: it needs {needs}"
    body = "#include <stddef.h>\n#include <stdint.h>\n"
    name = (
        "main(void)"
        if flags == PLAIN
        else ("LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)")
    )
    body += f"int {name};\nint {name} {{ return 0; }}\n"
    done = subprocess.run(
        [compiler, *flags, "-xc", "-", "-o", os.devnull],
        input=body,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"{compiler} cannot link {flags[0]}: it needs {needs}"
    return ""


def dictionary() -> str:
    """Return a dictionary for fuzzers: one record of each operation."""
    lines = []
    for op in ops.table():
        record = encode(Program(run=(Record(op.number, 16),)))[ops.HEADER :]
        text = "".join(f"\\x{byte:02x}" for byte in record)
        lines.append(f'{op.name}="{text}"')
    return "\n".join([*lines, ""])


def main(folder: Path) -> int:
    """Build what can be built, and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hvp.dict").write_text(dictionary())
    for name, compiler, flags, needs in DRIVERS:
        why = reason(compiler, flags, needs)
        if why:
            print(f"{name}: skipped: {why}")
            continue
        out = folder / name
        subprocess.run(
            [compiler, *FLAGS, *flags, *sources(), "-o", str(out)], check=True
        )
        print(f"{name}: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(
        main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build" / "fuzz")
    )
