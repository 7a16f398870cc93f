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


class Answer(IntEnum):
    """What a balloon call answers, as SBI numbers it."""

    SUCCESS = 0
    INVALID_PARAM = -3
    DENIED = -4
    INVALID_ADDRESS = -5


class GuestMemory:
    """The pages of one guest, by frame number.

    :param held: pages that the hypervisor itself writes to (the shared-info
        page): they cannot be given back.
    """

    def __init__(
        self, *, first: int, pages: int, held: Iterable[int] = ()
    ) -> None:
        self.first, self.pages = first, pages
        self.target = pages
        self.held = frozenset(held)
        self.words: dict[tuple[int, int], int] = {}
        self.gone: set[int] = set()
        self.log: set[int] | None = None

    def is_ram(self, gfn: int) -> bool:
        """Whether there is memory at this frame number now."""
        inside = 0 <= gfn - self.first < self.pages
        return inside and gfn not in self.gone

    def load(self, gfn: int, offset: int) -> int | None:
        """Return a word, or None for an access fault."""
        return self.words.get((gfn, offset), 0) if self.is_ram(gfn) else None

    def store(self, gfn: int, offset: int, value: int) -> bool:
        """Store a word, by whatever writer; false for an access fault."""
        if not self.is_ram(gfn):
            return False
        self.words[gfn, offset] = value
        self._changed(gfn)
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
            for key in [key for key in self.words if key[0] == gfn]:
                del self.words[key]
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
