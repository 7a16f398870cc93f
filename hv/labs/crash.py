"""Why a student's code ended its process, or an assertion failed, in words.

A crash is run once more with a core that looks at itself (AddressSanitizer and
UBSan, of the student's files alone), which names the line. An assertion of
hv's names its own; whose file that is, is said here.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from hv.labs.sandbox import Limits

SIGNALS = {
    "SIGSEGV": "it reached for memory that is not there (segmentation fault)",
    "SIGBUS": "it reached for memory that is not there (bus error)",
    "SIGABRT": "it called abort(), or the C library found memory damaged",
    "SIGFPE": "it divided by zero",
    "SIGILL": "it ran into an instruction that does not exist",
    "SIGXCPU": "it did not come to an end",
    "SIGKILL": "it did not come to an end, or used all of the memory",
    "SIGSYS": "it made a system call that is not allowed",
}
STATUS = 99  # with which a sanitized process ends that found something


def environment(library: Path, limits: Limits) -> Mapping[str, str]:
    """Return what a process needs that loads a sanitized core.

    :param library: the sanitizer's, to be loaded first.
    """
    # It reserves more addresses than any limit; so it counts real memory.
    memory = limits.memory >> 20
    address = (
        *("detect_leaks=0", f"exitcode={STATUS}", "handle_abort=1"),
        f"hard_rss_limit_mb={memory}",
        f"max_allocation_size_mb={memory}",
    )
    undefined = (f"exitcode={STATUS}", "print_stacktrace=1")
    return {
        "LD_PRELOAD": str(library),
        "ASAN_OPTIONS": ":".join(address),
        "UBSAN_OPTIONS": ":".join(undefined),
    }


def sanitizer_report(said: str, names: Iterable[str]) -> str:
    r"""Return what a sanitizer found, and where in the student's files.

    >>> sanitizer_report(
    ...     "==1==ERROR: AddressSanitizer: SEGV on unknown address 0x8 (pc)\n"
    ...     "    #0 0x7f in memset\n    #1 0x7f in mmu_walk mmu.c:190\n",
    ...     ["mmu.c"],
    ... )
    'SEGV, at mmu.c:190 in mmu_walk'
    >>> sanitizer_report(
    ...     "mmu.c:12:9: runtime error: shift exponent 32 is too large\n",
    ...     ["mmu.c"],
    ... )
    'shift exponent 32 is too large, at mmu.c:12'
    """
    names = list(names)
    undefined = re.search(
        r"^(?:\S*/)?([\w.]+):(\d+):\d+: runtime error: (.+)$",
        said,
        re.MULTILINE,
    )
    if undefined is not None and undefined[1] in names:
        return f"{undefined[3]}, at {undefined[1]}:{undefined[2]}"
    error = re.search(r"ERROR: AddressSanitizer: ([\w-]+)", said)
    if error is None:
        return ""
    for function, file, line in re.findall(
        r"#\d+ 0x[0-9a-f]+ in (\w+) (?:\S*/)?([\w.]+):(\d+)", said
    ):
        if file in names:
            return f"{error[1]}, at {file}:{line} in {function}"
    return error[1]


def assertion(message: str, place: Path) -> str:
    """Return whose line an assertion is that a message names; else "".

    :param place: the folder with the student's files.
    """
    found = re.search(r"\b([\w/]+\.[ch]):(\d+): ", message)
    if found is None:
        return ""
    file, number = found[1], int(found[2])
    if not (place / file).is_file():
        return (
            f"{file} is hv's own: something before it did not keep a promise; "
            "the comment above that line says which"
        )
    lines = (place / file).read_text(errors="replace").splitlines()
    shown = lines[number - 1].strip() if number <= len(lines) else ""
    return f"in your file, line {number}: {shown}"
