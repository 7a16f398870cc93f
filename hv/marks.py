"""Marks: places in a host's life that it can be put back to.

C keeps everything of the host; what is here is what Python knows beside it:
which VMs there are, what was read from their consoles, where breakpoints are.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

from hv.core import ffi, lib
from hv.errors import ClosedError, UsageError
from hv.guest import Guest
from hv.host import Host


class Mark:
    """One place. :meth:`hv.Hypervisor.mark` and :meth:`hv.Machine.mark`.

    :meth:`reset` puts the host back, exactly: memory, clocks, TLBs, counters,
    VMs, consoles, breakpoints, all of it. Any number of times; a VM that was
    destroyed is there again, and one that was created since is not. It costs
    what was written since, and a copy of the hypervisor's structures.

    Marks are free of each other, but for this: putting a host back to one
    drops those that were made after it. As a context manager, a mark is
    dropped at the end.

    >>> from hv import Hypervisor
    >>> with Hypervisor(ram="1MiB") as hypervisor:
    ...     with hypervisor.mark() as mark:
    ...         vm = hypervisor.create(mem="64KiB")
    ...         mark.reset()
    ...         hypervisor.vms
    ()
    """

    def __init__(
        self,
        host: Host,
        guests: Iterable[Guest],
        put_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._put_back = put_back
        number = ffi.new("uint32_t *")
        host.checked("marking", lib.hv_mark, number)
        self.number = int(number[0])
        self._tap = host.tap
        self._noted = host.journal.seal() if host.journal else 0
        self._consoles = dict(host.consoles)
        self._guests = [(guest, guest.kept()) for guest in guests]

    def reset(self) -> None:
        """Put the host back to where it was when this mark was made.

        :raises UsageError: if the mark was dropped, by a reset to an earlier
            one perhaps; or if a watch was begun or ended since.
        :raises NoMemory: if there was none to keep what was overwritten.
        :raises ClosedError: if the host was closed.
        """
        if self._host.tap is not self._tap:
            raise UsageError("a watch was begun or ended since the mark")
        self._host.checked(
            f"going back to mark {self.number}", lib.hv_reset, self.number
        )
        if self._host.journal is not None:
            self._host.journal.cut(self._noted)
        self._host.consoles.clear()
        self._host.consoles.update(self._consoles)
        self._put_back()
        for guest, kept in self._guests:
            guest.put_back(kept)

    def drop(self) -> None:
        """Forget it; the other marks stay.

        :raises UsageError: if it was dropped already.
        """
        self._host.checked(
            f"dropping mark {self.number}", lib.hv_mark_drop, self.number
        )

    def __enter__(self) -> Self:
        """Return itself; it is dropped at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop it, if it is there."""
        with suppress(ClosedError):
            self._host.call(lib.hv_mark_drop, self.number)

    def __repr__(self) -> str:
        """Show its number."""
        return f"<Mark {self.number}>"


def written(host: Host) -> list[int]:
    """Return the machine frames written since the last mark, reset, or call.

    :raises UsageError: if the host has no marks.
    """
    room = host.info.frames
    out, count = ffi.new("uint32_t[]", room), ffi.new("uint32_t *")
    host.checked("asking what was written", lib.hv_written, out, room, count)
    return list(map(int, out[0 : count[0]]))
