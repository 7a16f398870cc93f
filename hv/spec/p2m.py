"""What a guest sees of its memory, whatever its hypervisor does with it.

Pages are populated, shared with equal ones, copied and logged behind a guest's
back, so none of that is in this model: to its guest, memory is an array of
pages that begin as zeros, and a page it gave back by its balloon is not there.
What the host sees is here too: which pages a log must name, and how few frames
suffice when equal pages are kept once.

>>> memory = GuestMemory(first=0x80000, pages=4)
>>> memory.start_log()
>>> memory.store(0x80001, 0, 7)
True
>>> memory.give([0x80002, 0x80002])
<Answer.INVALID_PARAM: -3>
>>> memory.give([0x80002])
<Answer.SUCCESS: 0>
>>> memory.load(0x80002, 0) is None
True
>>> sorted(map(hex, memory.fetch_log()))
['0x80001', '0x80002']
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum

__all__ = ["MAX_LIST", "Answer", "GuestMemory", "fewest_frames"]

MAX_LIST = 64  # frames named by one call
PAGE_SIZE = 1 << 12
ZEROS = bytes(PAGE_SIZE)


class Answer(IntEnum):
    """What a balloon call answers, as SBI numbers it."""

    SUCCESS = 0
    INVALID_PARAM = -3
    DENIED = -4
    INVALID_ADDRESS = -5


class GuestMemory:
    """The pages of one guest, by frame number.

    :ivar contents: what was written; a page that is not here is zero.
    :ivar held: pages that the hypervisor itself writes to (the shared-info
        page), one for each reason: they cannot be given back.
    :ivar gone: pages in the balloon.
    :ivar target: how many pages its host wants it to have.
    """

    def __init__(
        self, *, first: int, pages: int, held: Iterable[int] = ()
    ) -> None:
        self.first, self.pages = first, pages
        self.target = pages
        self.held = list(held)
        self.contents: dict[int, bytearray] = {}
        self.gone: set[int] = set()
        self.log: set[int] | None = None

    def __eq__(self, other: object) -> bool:
        """Whether a guest could not tell the two apart, nor its host."""
        return isinstance(other, GuestMemory) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment] # it changes

    # -- what is there ------------------------------------------------------

    def is_ram(self, gfn: int) -> bool:
        """Whether there is memory at this frame number now."""
        inside = 0 <= gfn - self.first < self.pages
        return inside and gfn not in self.gone

    def __contains__(self, gpa: object) -> bool:
        """Whether there is memory at this address now."""
        return isinstance(gpa, int) and self.is_ram(gpa // PAGE_SIZE)

    def spans(self, gpa: int, size: int) -> bool:
        """Whether a range lies between the first and the last page.

        An empty range may lie at the end, too.
        """
        start = self.first * PAGE_SIZE
        return start <= gpa and gpa + size <= start + self.pages * PAGE_SIZE

    def owns(self, gpa: int, size: int) -> bool:
        """Whether all of a range is there."""
        pages = range(gpa // PAGE_SIZE, (gpa + size - 1) // PAGE_SIZE + 1)
        return self.spans(gpa, size) and all(map(self.is_ram, pages))

    # -- what is in it ------------------------------------------------------

    def page(self, gfn: int) -> bytes:
        """Return what is in a page."""
        return bytes(self.contents.get(gfn, ZEROS))

    def bytes_at(self, gpa: int, size: int) -> bytes:
        """Return bytes that are there."""
        data = bytearray()
        while size > 0:
            gfn, offset = divmod(gpa, PAGE_SIZE)
            part = min(size, PAGE_SIZE - offset)
            data += self.contents.get(gfn, ZEROS)[offset : offset + part]
            gpa, size = gpa + part, size - part
        return bytes(data)

    def __getitem__(self, gpa: int) -> int:
        """Return a word that is there."""
        return int.from_bytes(self.bytes_at(gpa, 4), "little")

    def write(self, gpa: int, data: bytes) -> None:
        """Change bytes that are there, by whatever writer."""
        while data:
            gfn, offset = divmod(gpa, PAGE_SIZE)
            part = min(len(data), PAGE_SIZE - offset)
            page = self.contents.setdefault(gfn, bytearray(PAGE_SIZE))
            page[offset : offset + part] = data[:part]
            self._changed(gfn)
            gpa, data = gpa + part, data[part:]

    def load(self, gfn: int, offset: int) -> int | None:
        """Return a word, or None for an access fault."""
        return self[gfn * PAGE_SIZE + offset] if self.is_ram(gfn) else None

    def store(self, gfn: int, offset: int, value: int) -> bool:
        """Store a word, by whatever writer; false for an access fault."""
        if not self.is_ram(gfn):
            return False
        self.write(gfn * PAGE_SIZE + offset, value.to_bytes(4, "little"))
        return True

    def _changed(self, gfn: int) -> None:
        if self.log is not None:
            self.log.add(gfn)

    # -- the balloon --------------------------------------------------------

    def give(self, gfns: Sequence[int]) -> Answer:
        """Give pages back: all of the list, or none."""
        if not 1 <= len(gfns) <= MAX_LIST:
            return Answer.INVALID_PARAM
        for i, gfn in enumerate(gfns):
            if not self.is_ram(gfn):
                return Answer.INVALID_ADDRESS
            if gfn in self.held:
                return Answer.DENIED
            if gfn in gfns[:i]:
                return Answer.INVALID_PARAM
        for gfn in gfns:
            self.gone.add(gfn)
            self._changed(gfn)
            self.contents.pop(gfn, None)
        return Answer.SUCCESS

    def take(self, gfns: Sequence[int]) -> Answer:
        """Take pages up again, which are zero: all of the list, or none."""
        if not 1 <= len(gfns) <= MAX_LIST:
            return Answer.INVALID_PARAM
        for i, gfn in enumerate(gfns):
            if gfn not in self.gone:
                return Answer.INVALID_ADDRESS
            if gfn in gfns[:i]:
                return Answer.INVALID_PARAM
        if self.pages - len(self.gone) + len(gfns) > self.target:
            return Answer.DENIED
        self.gone.difference_update(gfns)
        for gfn in gfns:
            self._changed(gfn)
        return Answer.SUCCESS

    # -- the log ------------------------------------------------------------

    def start_log(self) -> None:
        """Note from here on which pages change."""
        self.log = set()

    def fetch_log(self) -> set[int]:
        """Return the pages that must be named, and begin anew.

        A page in the balloon is named at every fetch: it is not what it was,
        and cannot be kept from changing.
        """
        log, self.log = self.log or set(), set()
        return log | self.gone

    def stop_log(self) -> None:
        """Note no longer."""
        self.log = None


def fewest_frames(pages: Iterable[bytes]) -> int:
    """Return how many frames hold these pages if equal ones are kept once."""
    return len(set(pages))
