"""What a process that runs a student's code may do, and what not.

Limits everywhere that has them. On Linux (x86-64, aarch64) also a seccomp
filter: no writing of files, no deleting, no new process, no network, no signal
to another process. A refused call fails with EPERM, as a call of C can fail.
Elsewhere limits and the folder of its own are all there is, and
:func:`protection` says so.

The filter looks at numbers only (seccomp cannot follow a pointer), so it cannot
tell one path from another: files that this user may read can be read. See
seccomp(2) and Linux's include/uapi/asm-generic/unistd.h for the numbers.
"""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass

EPERM, ENOSYS = 1, 38
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH = 0, 4
_ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE_THREAD = 0x00010000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_PR_SET_DUMPABLE = 4

# Refused whatever the arguments: number on x86-64 and on aarch64.
_REFUSED = {
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221),
    "execveat": (322, 281), "ptrace": (101, 117),
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203),
    "bind": (49, 200), "listen": (50, 201), "sendto": (44, 206),
    "unlink": (87, None), "unlinkat": (263, 35),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "rmdir": (84, None), "mkdir": (83, None), "mkdirat": (258, 34),
    "mknod": (133, None), "mknodat": (259, 33),
    "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36),
    "truncate": (76, 45), "ftruncate": (77, 46), "creat": (85, None),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55),
    "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "removexattr": (197, 14), "lremovexattr": (198, 15),
    "utime": (132, None), "utimes": (235, None), "utimensat": (280, 88),
    "futimesat": (261, None), "mount": (165, 40), "umount2": (166, 39),
    "setsid": (112, 157), "setpgid": (109, 154),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "process_vm_writev": (311, 271), "process_vm_readv": (310, 270),
    "memfd_create": (319, 279), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "bpf": (321, 280),
    "prlimit64": (302, 261), "setpriority": (141, 140),
    "sched_setaffinity": (203, 122), "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "unshare": (272, 97), "setns": (308, 268), "inotify_init1": (294, 26),
}  # fmt: skip
# Said not to exist, so that the C library falls back to what can be looked at.
_MISSING = {
    "clone3": (435, 435), "openat2": (437, 437),
    "io_uring_setup": (425, 425),
}  # fmt: skip
# Refused by an argument: number, which argument.
_OPEN = {"open": ((2, None), 1), "openat": ((257, 56), 2)}
_CLONE = (56, 220)
_SIGNALS = {"kill": (62, 129), "tgkill": (234, 131)}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may use. Time here is a last resort, never a verdict."""

    memory: int = 3 << 30  #: bytes of address space; 0: no limit
    cpu: int = 30  #: seconds of the processor, all tests together
    wall: int = 600  #: seconds until the parent gives up
    file: int = 1 << 20  #: bytes of a file
    files: int = 64  #: open at once
    deaths: int = 4  #: of the process, until the rest is not tried any more
    loops: int = 2  #: ... of those because it did not end

    def to_json(self) -> dict[str, int]:
        """Return them as the child is told."""
        return asdict(self)


def limit(limits: Limits) -> None:
    """Put the limits on this process, where there are any."""
    try:
        import resource  # noqa: PLC0415 -- Windows has none
    except ImportError:
        return
    wanted = (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_FSIZE, limits.file),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_CORE, 0),
    )
    for what, value in wanted:
        if what == resource.RLIMIT_AS and not value:
            continue
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)  # noqa: PLW2901 -- no more than we have
        try:
            resource.setrlimit(what, (value, value))
        except (ValueError, OSError):
            continue  # macOS does not have all of them
    with suppress(ValueError, OSError):
        # Between the two comes the signal that says why: SIGXCPU.
        resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))


def protection() -> str:
    """Return what protects this computer from a submission, in a sentence."""
    if sys.platform == "linux" and platform.machine() in _ARCHES:
        return "limits, a folder of its own, and a filter of system calls"
    return (
        "limits and a folder of its own only: this system has no filter of "
        "system calls that hv knows; grade strangers in a container"
    )


def _statement(code: int, k: int, jt: int = 0, jf: int = 0) -> bytes:
    return struct.pack("<HBBI", code, jt, jf, k & 0xFFFFFFFF)


def _if_number(nr: int, *then: bytes) -> Iterator[bytes]:
    """Do these statements if it is this call; they end in a return."""
    yield _statement(_JEQ, nr, 0, len(then))
    yield from then


def _argument(i: int) -> int:
    return 16 + 8 * i  # its low half; both machines are little-endian


def _filter(arch: str) -> bytes:
    which = 0 if arch == "x86_64" else 1
    refuse = _statement(_RET, _ERRNO | EPERM)
    allow = _statement(_RET, _ALLOW)
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    program = [
        _statement(_LOAD, _ARCH),
        _statement(_JEQ, _ARCHES[arch], 1, 0),
        _statement(_RET, _KILL),
        _statement(_LOAD, _NR),
    ]
    if arch == "x86_64":  # the numbers of x32
        program += [_statement(_JGE, 0x40000000, 0, 1), refuse]
    for numbers in _REFUSED.values():
        nr = numbers[which]
        if nr is not None:
            program += _if_number(nr, refuse)
    for numbers in _MISSING.values():
        program += _if_number(numbers[which], _statement(_RET, _ERRNO | ENOSYS))
    for both, argument in _OPEN.values():
        nr = both[which]
        if nr is not None:
            program += _if_number(
                nr,
                _statement(_LOAD, _argument(argument)),
                _statement(_JSET, writing, 0, 1),
                *(refuse, allow),
            )
    program += _if_number(
        _CLONE[which],
        _statement(_LOAD, _argument(0)),
        _statement(_JSET, _CLONE_THREAD, 1, 0),
        *(refuse, allow),
    )
    for numbers in _SIGNALS.values():  # to itself: abort() does that
        program += _if_number(
            numbers[which],
            _statement(_LOAD, _argument(0)),
            _statement(_JEQ, os.getpid(), 1, 0),
            *(refuse, allow),
        )
    return b"".join([*program, allow])


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def confine() -> bool:
    """Install the filter for the rest of this process's life.

    Returns whether there is one now.

    :raises OSError: there should be one, but the kernel refused it.
    """
    arch = platform.machine()
    if sys.platform != "linux" or arch not in _ARCHES:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    code = _filter(arch)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    # Not dumpable: nobody else's process looks into this one, nor it itself.
    steps = (
        (_PR_SET_DUMPABLE, 0, 0),
        (_PR_SET_NO_NEW_PRIVS, 1, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(program)),
    )
    for option, first, second in steps:
        done = libc.prctl(
            option,
            *(ctypes.c_ulong(first), ctypes.c_ulong(second)),
            *(ctypes.c_ulong(0), ctypes.c_ulong(0)),
        )
        if done != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"prctl({option}): {os.strerror(error)}")
    return True
