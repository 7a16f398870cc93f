"""GDB on a student's work: a guest, on a core that is made of their files.

The labs about guests debug the student's guest; the others a kernel of hv's, to
see what it meets on the student's machine or hypervisor. There an assertion of
the core that fails is one more stop, and the way there can be gone back.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hv.labs import build
from hv.labs.spec import Folder

KERNEL = "kernel-native"


def command(
    folder: Folder, image: Path | None, options: Sequence[str]
) -> list[str]:
    """Return how GDB is started on a lab's guest.

    :param image: of the student's guest, if the lab is about one.
    :param options: more of `hv gdb`; they go before what the lab says.
    """
    style = "bare" if _is_bare(folder) else ""
    return [
        *(sys.executable, "-m", "hv", "gdb", "--attach", "--listen", "0"),
        *(("--style", style) if style else ()),
        *options,
        str(image or KERNEL),
    ]


def _is_bare(folder: Folder) -> bool:
    """Say whether a lab is about the machine, with no hypervisor on it."""
    image = folder.lab.image
    if image is not None:
        return bool(image.sources)
    files = [file.source for file in folder.lab.file]
    return all(source.startswith("csrc/machine/") for source in files)


def debug(
    folder: Folder, files: Mapping[str, str], options: Sequence[str] = ()
) -> int:
    """Build what the student has written, and start GDB; return its status.

    :param files: by their names in the student's folder.
    :raises CompileError: a file of the student's has a mistake.
    :raises BuildError: there is no compiler.
    """
    image, core = build.image(folder, files), build.core(folder, files)
    environment = dict(os.environ) | ({"HV_CORE": str(core)} if core else {})
    done = subprocess.run(
        command(folder, image, options), env=environment, check=False
    )
    return done.returncode
