"""Save a VM while it runs: all of it once, then only what was written since.

::

    round 0    every page that it has              it runs on
    round 1    those written since round 0 began   it runs on
    ...        fewer and fewer, if all goes well
    the end    it stands still: the last pages, and the rest of its state

A :class:`Saver` reads the VM, a :class:`Copy` is what the other side has got so
far; :func:`save_running` lets the two work together until little is left. What
comes out is the image that :meth:`hv.VM.to_bytes` would have made at the end,
byte for byte.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from typing import Self

from hv.core import lib
from hv.errors import ImageError, UsageError
from hv.facts import Style
from hv.vm import VM

_HEADER = Struct("<8sIIQQ")  # magic, version, kind, length, checksum
_SECTION = Struct("<4sIQ")  # tag, 0, length of what follows
_RUN = Struct("<III")  # frames, kind and state, number of the first content

PAGE: int = lib.PAGE_SIZE
CONTENTS = 2  #: the kind of a run whose pages have contents that are not zero


@dataclass(frozen=True, slots=True)
class Sent:
    """What one round sends.

    :param number: of the round, from 0.
    :param pages: contents, by guest frame number.
    """

    number: int
    pages: Mapping[int, bytes]


class Saver:
    """Read a VM round by round. As a context manager, its log ends with it.

    The VM is not stopped: who lets its host run between two rounds, lets it
    run. Its log (:meth:`hv.VM.start_log`) belongs to the saver meanwhile.

    :raises UsageError: if its pages are logged already, or it is of style
        ``direct``, which cannot be saved.
    """

    def __init__(self, vm: VM) -> None:
        if vm.info.style is Style.DIRECT:
            raise UsageError(
                f"{vm.name} is of style direct: its page tables name the "
                "frames that it has here"
            )
        self.vm = vm
        self.rounds = 0
        vm.start_log()

    def round(self) -> Sent:
        """Return all pages at first, then those written since the last time.

        :raises UsageError: if its log was stopped.
        """
        # marker: lab-incremental-round
        # The log first, then the pages: what is written while they are read is
        # in the log of the next round, whatever was read of it in this one.
        changed = self.vm.fetch_log()
        if self.rounds == 0:
            changed = list(
                range(self.vm.mem.base // PAGE, self.vm.mem.end // PAGE)
            )
        sent = Sent(self.rounds, self._contents(changed))
        self.rounds += 1
        return sent
        # marker: end

    def end(self) -> tuple[Sent, bytes]:
        """Return the last pages, and all that is no page; the log ends.

        The VM must not run between this and what is done with the result: it
        goes on there, or here.

        :raises UsageError: if its log was stopped.
        """
        # marker: lab-incremental-end
        last = self.round()
        self.vm.stop_log()
        return last, without_pages(self.vm.to_bytes())
        # marker: end

    def _contents(self, gfns: Iterable[int]) -> dict[int, bytes]:
        """Read pages, but those that have no frame: untouched, given back."""
        return {
            gfn: self.vm.mem.read(gfn * PAGE, PAGE)
            for gfn in gfns
            if self.vm.frame_of(gfn) is not None
        }

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the log, if the end did not come."""
        with suppress(UsageError):
            self.vm.stop_log()


class Copy:
    """What has arrived of a VM: the newest contents of each page."""

    def __init__(self) -> None:
        self.pages: dict[int, bytes] = {}

    def put(self, sent: Sent) -> None:
        """Take the pages of a round, in the order in which they were sent."""
        self.pages.update(sent.pages)

    def image(self, rest: bytes) -> bytes:
        """Return the VM's image, as a whole.

        Its checksum is in the header that came with the rest: a page that was
        lost on the way, or is an old one, is noticed by who restores it.

        :param rest: all but the pages, from :meth:`Saver.end`.
        :raises ImageError: if that is none, or a page of the VM never came.
        """
        # marker: lab-incremental-image
        contents: dict[int, bytes] = {}
        gfn = lib.RAM_BASE // PAGE
        for count, kind, index in runs(rest):
            for i in range(count if kind == CONTENTS else 0):
                if gfn + i not in self.pages:
                    raise ImageError(f"page {gfn + i:#x} has not come")
                contents[index + i] = self.pages[gfn + i]
            gfn += count
        return rest + b"".join(contents[n] for n in sorted(contents))
        # marker: end


@dataclass(frozen=True, slots=True)
class Saved:
    """A VM that was saved while it ran.

    :param image: as of :meth:`hv.VM.to_bytes`.
    :param rounds: how many pages each round sent. The VM ran between them,
        and stood still from the last one on.
    """

    image: bytes
    rounds: tuple[int, ...]


def save_running(
    vm: VM, run: Callable[[int], object], *, enough: int = 16, most: int = 30
) -> Saved:
    """Save a VM that goes on running until little is left to be sent.

    :param run: is called with the number of pages of the round before, and
        lets the VM run for as long as it takes to send so many.
    :param enough: so few pages may be left for the time it stands still.
    :param most: rounds, for a VM that writes faster than can be sent: the
        last one is then as large as it is.
    :raises UsageError: see :class:`Saver`.
    :raises HvError: what ``run`` raises; the VM goes on, and is not logged.
    """
    # marker: lab-incremental-loop
    copy = Copy()
    rounds: list[int] = []
    with Saver(vm) as saver:
        while True:
            sent = saver.round()
            copy.put(sent)
            rounds.append(len(sent.pages))
            if len(sent.pages) <= enough or len(rounds) >= most:
                break
            run(len(sent.pages))
        last, rest = saver.end()
    copy.put(last)
    return Saved(copy.image(rest), tuple(rounds))
    # marker: end


# --- the format of an image: csrc/api/image.h ---------------------------------


def without_pages(image: bytes) -> bytes:
    """Return an image up to where its pages begin.

    :raises ImageError: if it is none.
    """
    return image[: _section(image, b"DATA")[0]]


def runs(image: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield an image's map of memory, from the first guest frame on.

    A run is how many frames it is long, their kind, and, where the kind is
    :data:`CONTENTS`, the number of the first one's contents; those behind it
    have the next numbers. Equal pages have one number.

    :raises ImageError: if it is none.
    """
    at, size = _section(image, b"MAP ")
    body = image[at : at + size]
    if len(body) != size or size % _RUN.size:
        raise ImageError("its map of memory is none")
    for count, what, index in _RUN.iter_unpack(body):
        yield count, what & 0xFF, index


def _section(image: bytes, wanted: bytes) -> tuple[int, int]:
    """Return where the body of a section begins, and how long it is."""
    at = _HEADER.size
    while at + _SECTION.size <= len(image):
        tag, _, size = _SECTION.unpack_from(image, at)
        at += _SECTION.size
        if tag == wanted:
            return at, size
        at += size
    raise ImageError(f"no saved VM: it has no section {wanted.decode()!r}")
