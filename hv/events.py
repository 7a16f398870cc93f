"""What happened, as the core noted it: typed events, kept packed.

A run can make millions of events, so they stay in the form that C wrote them,
32 bytes each, until somebody looks at one.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple, Self, overload

from hv import core
from hv.core import ffi, lib
from hv.errors import HypervisorBug, UsageError
from hv.facts import U32, choose, integer
from hv.host import Host

CAPACITY = 1 << 16
_EVENT = struct.Struct("=QIIIII4x")  # struct hv_event

Raw = tuple[int, int, int, int, int, int]


class EventKind(StrEnum):
    """What can happen; :func:`hv.events.meanings` says more."""

    RUN = "run"
    STOP = "stop"
    WAKE = "wake"
    SLEEP = "sleep"
    PARK = "park"
    UNPARK = "unpark"
    MOVE = "move"
    KICK = "kick"
    KICKED = "kicked"
    IPI = "ipi"
    EXIT = "exit"
    ENTER = "enter"
    INJECT = "inject"
    QUEUE = "queue"
    CREDIT = "credit"
    SLOT = "slot"
    END = "end"


class Event(NamedTuple):
    """One event.

    :param cycle: by the clock of that hart.
    :param vm: the number of the VM that it is about; 0 is none.
    :param arg: depends on the kind, as :func:`hv.events.meanings` says.
    """

    cycle: int
    kind: EventKind
    hart: int
    vm: int
    vcpu: int
    arg: int


@cache
def kinds() -> tuple[EventKind, ...]:
    """Return the kinds in C's order: an event's number is its index."""
    names = map(core.text, map(lib.hv_event_name, range(lib.hv_event_count())))
    try:
        return tuple(map(EventKind, names))
    except ValueError as error:
        raise HypervisorBug(f"C has an event without a name: {error}") from None


def meanings() -> dict[EventKind, str]:
    """Return what each kind of event means, in the core's words.

    >>> meanings()[EventKind.KICK]
    'the hart interrupts another; arg: which'
    """
    return {
        kind: core.text(lib.hv_event_doc(i)) for i, kind in enumerate(kinds())
    }


def number(kind: str) -> int:
    """Return C's number of a kind.

    :raises UsageError: if there is no such kind.
    """
    return kinds().index(choose(EventKind, kind, "event"))


class Events(Sequence[Event]):
    """Events in the order in which the core noted them.

    The clock of each hart goes up; two harts' clocks may differ by a quantum.
    """

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.data) // _EVENT.size

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> "Events": ...
    def __getitem__(self, index: int | slice) -> "Event | Events":
        """Return one, or those of a slice."""
        places = range(len(self))[index]
        if isinstance(places, int):
            return _decode(_EVENT.unpack_from(self.data, places * _EVENT.size))
        size = _EVENT.size
        if places.step == 1:
            start, stop = places.start, max(places.start, places.stop)
            return Events(self.data[start * size : stop * size])
        return Events(
            b"".join(self.data[i * size : (i + 1) * size] for i in places)
        )

    def __iter__(self) -> Iterator[Event]:
        """Iterate over them."""
        return map(_decode, self.raw())

    def raw(self) -> Iterator[Raw]:
        """Iterate over plain tuples: faster, the kind is C's number."""
        return _EVENT.iter_unpack(self.data)

    def of(self, *wanted: str) -> Iterator[Event]:
        """Iterate over those of some kinds.

        :raises UsageError: if there is no such kind.
        """
        numbers = {number(kind) for kind in wanted}
        return (_decode(raw) for raw in self.raw() if raw[1] in numbers)

    def __repr__(self) -> str:
        """Say how many there are."""
        return f"<{len(self)} events>"


def _decode(raw: tuple[int, ...]) -> Event:
    cycle, kind, hart, vm, vcpu, arg = raw
    what = kinds()[kind]
    if what is EventKind.CREDIT and arg >> 31:
        arg -= 1 << 32
    return Event(cycle, what, hart, vm, vcpu, arg)


class Watch:
    """Note events while it is open. :meth:`hv.Hypervisor.watch` makes it."""

    def __init__(
        self, host: Host, wanted: Iterable[str] | None, capacity: int
    ) -> None:
        if isinstance(wanted, str):
            raise UsageError(f"kinds must be several, [{wanted!r}]")
        names = kinds() if wanted is None else tuple(wanted)
        self._mask = sum({1 << number(kind) for kind in names})
        if not self._mask:
            raise UsageError("there is nothing to watch: no kind is named")
        self._capacity = integer("capacity", capacity, 1, U32)
        self._host = host
        self._pieces: list[bytes] = []
        self._joined = Events()
        self._tap: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        """Begin to note.

        :raises UsageError: if somebody watches already.
        """
        if self._host.tap is not None:
            raise UsageError("somebody watches this hypervisor already")
        out = ffi.new("struct hv_event[]", min(self._capacity, CAPACITY))
        self._host.checked(
            f"watching up to {self._capacity} events",
            *(lib.hv_watch, self._mask, self._capacity),
        )

        def drain() -> None:
            while count := self._host.call(lib.hv_watch_take, out, len(out)):
                data = bytes(ffi.buffer(out, count * _EVENT.size))
                self._pieces.append(data)

        self._tap = self._host.tap = drain
        return self

    def __exit__(self, *_: object) -> None:
        """Take the last ones and note no more."""
        if self._tap is None:
            return
        if not self._host.closed:
            self._tap()
            self._host.call(lib.hv_watch, 0, 0)
        self._tap = self._host.tap = None

    @property
    def events(self) -> Events:
        """All that were noted and not taken, oldest first."""
        if self._pieces:
            self._joined = Events(b"".join([self._joined.data, *self._pieces]))
            self._pieces.clear()
        return self._joined

    def take(self) -> Events:
        """Return the events noted so far, and forget them here."""
        found = self.events
        self._joined = Events()
        return found
