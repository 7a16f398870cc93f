"""Look for a covert channel: what one VM hears of what another one does.

>>> from hv import covert
>>> covert.look("slots", pairs=1, windows=8).channel is None
True

The guest ``covert`` (guestkernel/sched/covert.c) plays both parts. The sender
does one of two things in each window of time, drawn at random; the listener,
which shares nothing with it but a hart, counts how far it gets in each window.
If what it counts is not the same for both, there is a channel, and a message
is sent through it to see how much of it arrives. Lampson (CACM 1973) named
such channels; this one is his example: a process that computes or not.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from hv import images
from hv.errors import UsageError
from hv.facts import U32, Engine, Policy, State, Style, choose, integer
from hv.hypervisor import Hypervisor
from hv.vm import VM

PLAN = 0x8010_0000  # struct plan of guestkernel/sched/covert.c
KINDS = ("nothing", "compute", "sleep", "call", "touch", "fence")
PIECES = 4
WINDOWS = 256
_SENDER, _LISTENER = 0, 1
_HEARD = 4 * (3 + 2 * 2 * PIECES + WINDOWS // 32)  # offset in the plan

MEM = "8MiB"
WINDOW = 10_000  # ticks: 1 ms
SLICE = 2_000
SLOTS = (4_000, 3_000, 3_000)  # the listener's, the sender's, nobody's
LONGEST = 12  # a piece is done fewer than 2^12 times
SECOND = 10_000_000  # ticks
ENOUGH = 10_000_000  # instructions to a window: far more than fit into one

Bits = tuple[bool, ...]
Counts = tuple[int, ...]  # of rounds, in each window


@dataclass(frozen=True, slots=True)
class Piece:
    """Something a sender does.

    :param kind: one of ``KINDS``.
    :param count: how often; of ``sleep``, for how many ticks.
    """

    kind: str
    count: int

    def __str__(self) -> str:
        return f"{self.kind} {self.count:,}"


Behaviour = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """Two behaviours of a sender that a listener tells apart.

    :param zero: what the sender does for a 0.
    :param one: what it does for a 1.
    :param ear: how the listener reads what it counts.
    :param sent: a message.
    :param heard: what the listener counts in each window of it.
    """

    zero: Behaviour
    one: Behaviour
    ear: "Ear"
    sent: Bits
    heard: Counts

    @property
    def got(self) -> Bits:
        """What the listener makes of the message."""
        return self.ear.read(self.heard)

    @property
    def wrong(self) -> int:
        """How many of its bits arrive wrong."""
        return _differ(self.sent, self.got)

    @property
    def rate(self) -> float:
        """Bits per second of the guests' time, less what errors cost.

        That of a binary symmetric channel with as many errors (Shannon 1948).
        """
        p = self.wrong / len(self.sent)
        if p in {0.0, 1.0}:
            lost = 0.0
        else:
            lost = -p * math.log2(p) - (1 - p) * math.log2(1 - p)
        return (1 - lost) * SECOND / WINDOW


@dataclass(frozen=True, slots=True)
class Ear:
    """How a listener tells 1 from 0.

    :param above: a count that is greater is one of them ...
    :param one: ... namely this.
    """

    above: int
    one: bool

    def read(self, counts: Counts) -> Bits:
        """Return the bits of some counts."""
        return tuple((count > self.above) == self.one for count in counts)

    @classmethod
    def taught(cls, lesson: Bits, counts: Counts) -> "Ear":
        """Return the one that reads a known message best."""
        ears = [
            cls(above, one)
            for above in sorted({0, *counts})
            for one in (True, False)
        ]
        return min(ears, key=lambda ear: _differ(lesson, ear.read(counts)))


def _differ(a: Bits, b: Bits) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking.

    :param pairs: pairs of behaviours tried.
    :param channel: the one that is heard best; None: none is heard at all.
    """

    policy: str
    style: str
    pairs: int
    channel: Channel | None


@dataclass(frozen=True, slots=True)
class Setting:
    """Two VMs on a hart."""

    policy: str
    style: str
    engine: str
    windows: int

    def heard(self, zero: Behaviour, one: Behaviour, message: Bits) -> Counts:
        """Return what a listener counts while a message is sent."""
        with Hypervisor(
            ram="24MiB", policy=self.policy, slice=SLICE, engine=self.engine
        ) as host:
            listener = _guest(host, self.style)
            sender = _guest(host, self.style)
            if self.policy == Policy.SLOTS:
                rows = (listener, sender, None)
                host.slots(zip(rows, SLOTS, strict=True))
            _write(listener, _LISTENER, (), (), (False,) * self.windows)
            _write(sender, _SENDER, zero, one, message)
            host.run(ENOUGH * self.windows, on_end=True)
            if listener.state is not State.OFF:  # not in its ENOUGH
                host.run(ENOUGH * self.windows, on_end=True)
            words = listener.mem.read(PLAN + _HEARD, 4 * self.windows)
        return struct.unpack(f"<{self.windows}I", words)


def _guest(host: Hypervisor, style: str) -> VM:
    vm = host.create(style=style, mem=MEM)
    vm.load(images.find("covert"))
    vm.boot()
    return vm


def _write(
    vm: VM, role: int, zero: Behaviour, one: Behaviour, message: Bits
) -> None:
    words = [role, WINDOW, len(message)]
    for pieces in (zero, one):
        for piece in pieces:
            words += [KINDS.index(piece.kind), piece.count]
        words += [0, 0] * (PIECES - len(pieces))
    for at in range(0, WINDOWS, 32):
        bits = enumerate(message[at : at + 32])
        words.append(sum(bit << i for i, bit in bits))
    vm.mem.write(PLAN, struct.pack(f"<{len(words)}I", *words))


def _draw(dice: Random) -> Behaviour:
    return tuple(
        Piece(dice.choice(KINDS[1:]), 1 + dice.randrange(1 << n))
        for n in dice.choices(range(LONGEST + 1), k=dice.randint(1, PIECES))
    )


def _simpler(pieces: Behaviour) -> Iterator[Behaviour]:
    """Offer less of a behaviour: a piece less, or a piece done less often."""
    for i, piece in enumerate(pieces):
        yield (*pieces[:i], *pieces[i + 1 :])
        for count in (1, piece.count // 2):
            if 0 < count < piece.count:
                less = replace(piece, count=count)
                yield (*pieces[:i], less, *pieces[i + 1 :])


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two behaviours, and what a listener learns of them from a lesson.

    :param wrong: bits of the lesson that it does not get all the same.
    """

    zero: Behaviour
    one: Behaviour
    ear: Ear
    wrong: int


def _taught(
    zero: Behaviour, one: Behaviour, lesson: Bits, counts: Counts
) -> _Pair:
    ear = Ear.taught(lesson, counts)
    return _Pair(zero, one, ear, _differ(lesson, ear.read(counts)))


def _shrunk(setting: Setting, pair: _Pair, lesson: Bits) -> _Pair:
    """Return simpler behaviours that are heard as well."""
    again = True
    while again:
        again = False
        tries = [(less, pair.one) for less in _simpler(pair.zero)]
        tries += [(pair.zero, less) for less in _simpler(pair.one)]
        for zero, one in tries:
            counts = setting.heard(zero, one, lesson)
            less = _taught(zero, one, lesson, counts)
            if less.wrong <= pair.wrong:
                pair, again = less, True
                break
    return pair


def look(
    policy: str = Policy.CREDIT,
    *,
    style: str = Style.ASSIST,
    pairs: int = 12,
    windows: int = 64,
    seed: int = 1,
    engine: str = Engine.FAST,
) -> Look:
    """Draw pairs of behaviours, and listen to each.

    :param policy: of the scheduler.
    :param pairs: how many to try.
    :param windows: of 1 ms each, for each try; at most 256.
    :param seed: where to begin; the outcome depends on the arguments alone.
    :raises UsageError: if an argument is not of its kind, or out of range.
    :raises ImageError: if the guest is not there.
    """
    setting = Setting(
        choose(Policy, policy, "policy"),
        choose(Style, style, "style"),
        choose(Engine, engine, "engine"),
        integer("windows", windows, 1, WINDOWS),
    )
    if setting.policy == Policy.EDF:
        raise UsageError("policy edf: its VMs need budgets; look at another")
    dice = Random(  # noqa: S311 -- to be the same every time
        integer("seed", seed, 0, U32)
    )
    lesson, sent = (
        tuple(dice.random() < 0.5 for _ in range(windows)) for _ in range(2)
    )
    other = tuple(not bit for bit in lesson)
    best: _Pair | None = None
    for _ in range(integer("pairs", pairs, 1, U32)):
        zero, one = _draw(dice), _draw(dice)
        counts = setting.heard(zero, one, lesson)
        if counts == setting.heard(zero, one, other):
            continue
        pair = _taught(zero, one, lesson, counts)
        if best is None or pair.wrong < best.wrong:
            best = pair
    if best is None:
        return Look(setting.policy, setting.style, pairs, None)
    best = _shrunk(setting, best, lesson)
    heard = setting.heard(best.zero, best.one, sent)
    channel = Channel(best.zero, best.one, best.ear, sent, heard)
    return Look(setting.policy, setting.style, pairs, channel)
