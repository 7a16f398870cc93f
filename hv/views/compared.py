"""How an entry that the hypervisor made compares with what it may say."""

from enum import StrEnum


class Sync(StrEnum):
    """How an entry compares with what the tables it was made from allow."""

    SAME = "same"
    FEWER = "fewer"  # it gives less: the rest comes with an exit
    MISSING = "missing"  # nothing there yet
    STALE = "stale"  # it gives what those tables no longer give
    MMIO = "mmio"  # a device's page: never mapped
    NONE = "none"  # nothing there, and nothing may be


MARKS = {
    Sync.SAME: "=",
    Sync.FEWER: "<",
    Sync.MISSING: "?",
    Sync.STALE: "!",
    Sync.MMIO: "~",
    Sync.NONE: " ",
}
