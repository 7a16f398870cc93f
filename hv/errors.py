"""Everything the control plane can raise.

::

    HvError
    +-- CoreMissing          the C core was not built for this Python
    +-- UsageError           the caller broke a rule of this API
    |   +-- ClosedError      ... by using something after closing it
    |   +-- AddressError     ... by naming memory that the guest does not have
    |   +-- NoMemory         ... by asking for more than the machine has
    +-- ImageError           a file is not something a guest can boot, or
    |                        that was saved
    +-- GuestError           the guest did something; the hypervisor is fine
    |   +-- GuestFailed      it switched itself off and said that it failed
    |   +-- GuestKilled      it broke a rule and was killed for it
    |   +-- BudgetExceeded   it was still running when its budget ran out
    |   +-- ConsoleEnded     what was waited for can no longer be printed
    +-- HypervisorBug        an assertion failed in C: please report it
        +-- AuditFailed      ... or the audit found what does not add up

Each class carries the exit status of a command that ends with it.
"""

# ruff: noqa: N818 -- named for what happened, as StopIteration is


class HvError(Exception):
    """Be the root of every error that hv raises on purpose."""

    exit_code = 1


class CoreMissing(HvError, ImportError):
    """Say that the compiled part of hv cannot be loaded."""

    exit_code = 2


class UsageError(HvError, ValueError):
    """Say that the caller broke a rule of the API; nothing was changed."""

    exit_code = 2


class ClosedError(UsageError):
    """Say that a host, or a VM of it, is used after it was closed."""


class AddressError(UsageError):
    """Say that an address is not in that guest's memory."""


class NoMemory(UsageError, MemoryError):
    """Say that the machine (or this computer) has no memory for it."""


class ImageError(HvError, ValueError):
    """Say why a file is no guest, or nothing saved, and what would be right."""

    exit_code = 2


class GuestError(HvError):
    """Say what a guest did. The hypervisor and other guests are fine."""


class GuestFailed(GuestError):
    """Say that the guest powered off with a failure.

    :param code: the guest's own exit code; never 0.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class GuestKilled(GuestError):
    """Say that the hypervisor killed the guest, and for which broken rule."""

    exit_code = 3

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class BudgetExceeded(GuestError):
    """Say that the instructions a guest was given did not suffice."""

    exit_code = 4


class ConsoleEnded(GuestError, EOFError):
    """Say that the text waited for can no longer come, and why."""


class HypervisorBug(HvError):
    """Report that an invariant of hv itself does not hold."""

    exit_code = 70


class AuditFailed(HypervisorBug):
    """Report the first thing that the audit found not to add up."""
