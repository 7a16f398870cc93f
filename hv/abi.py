"""Numbers of the binary interface.

Made by tools/gen_abi.py from csrc/abi; do not edit.
"""

from enum import IntEnum


class Hypercall(IntEnum):
    """hv's own calls: the number in a6."""

    FEATURES = 0
    SET_SHARED = 1
    SET_ENTRY = 2
    IRET = 3
    DELIVER = 4
    SET_ROOT = 5
    FENCE = 6
    PT_UPDATE = 7
    MULTICALL = 8
    CONSOLE_WRITE = 9
    CONSOLE_READ = 10
    YIELD = 11
    BLOCK = 12
    SET_TIMER = 13
    SHUTDOWN = 14
    MEMORY_MAP = 15
    PT_PIN = 16
    PT_UNPIN = 17
    SET_ROOTS = 18
    BALLOON = 19
    BALLOON_GIVE = 20
    BALLOON_TAKE = 21
    POLL = 22
    KICK = 23
    YIELD_TO = 24
    RUNSTATE = 25


class SbiError(IntEnum):
    """What a call answers in a0."""

    SUCCESS = 0
    FAILED = -1
    NOT_SUPPORTED = -2
    INVALID_PARAM = -3
    DENIED = -4
    INVALID_ADDRESS = -5
    ALREADY_AVAILABLE = -6
    ALREADY_STARTED = -7
    ALREADY_STOPPED = -8
    NO_SHMEM = -9
