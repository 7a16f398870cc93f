"""The other end: a GDB on this computer that knows RISC-V, and starting it."""

import shutil
import subprocess
from pathlib import Path

from hv.environment import plain
from hv.errors import HvError

# By what they are called where they are for RISC-V alone, or for everything.
NAMES = (
    "gdb-multiarch",
    "riscv64-unknown-elf-gdb",
    "riscv32-unknown-elf-gdb",
    "gdb",
)
REMEDY = (
    "`apt install gdb-multiarch`, or what your system calls a gdb that "
    "knows RISC-V"
)


def find() -> str | None:
    """Return the path of a GDB that knows RISC-V; None if there is none."""
    paths = filter(None, map(shutil.which, NAMES))
    return next((path for path in paths if _knows(path)), None)


def needed() -> str:
    """Return the path of one.

    :raises HvError: there is none; how to get one is said.
    """
    path = find()
    if path is None:
        raise HvError(f"no GDB for RISC-V was found: {REMEDY}")
    return path


def _knows(path: str) -> bool:
    """Ask it: a gdb of a distribution often knows its own processor alone."""
    asked = ("set architecture riscv:rv32", "show architecture")
    done = subprocess.run(
        [path, "-nx", "-batch", *(w for line in asked for w in ("-ex", line))],
        env=plain(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return '"riscv:rv32"' in done.stdout


def started(
    path: str, host: str, port: int, image: Path | None
) -> subprocess.Popen[bytes]:
    """Start one here that attaches itself to a port."""
    return subprocess.Popen(
        [
            *(path, "-q"),
            *("-ex", "set architecture riscv:rv32"),
            *("-ex", f"target remote {host}:{port}"),
            *([str(image)] if image else []),
        ]
    )
