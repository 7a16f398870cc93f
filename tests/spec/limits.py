"""Every call with arguments at its limits: what the specification says of each.

Where lives.py draws at random, this goes through tables, one call after the
other on a VM that lives on; both vCPUs are there, one of them stopped at first.
"""

from collections.abc import Iterator
from itertools import product

from hv.abi import Hypercall
from hv.spec import sbi
from tests.equivalence.core import Core
from tests.memory.puppet import CODE, DATA, FIRST, LISTS, PAGE, SHARED, TRAP
from tests.spec.world import PAGES, VCPUS, Actor, host

STYLES = ("PV", "EMULATE", "NESTED")
FRAMES = 96
MOST = 0xFFFF_FFFF
UART, MASKS = 0x1000_0000, DATA * PAGE  # of the latter, one word for each mask
END = (FIRST + PAGES) * PAGE
IDLE = CODE * PAGE + TRAP
ADDRESSES = (
    *(IDLE, IDLE + 2, IDLE + 1, END - 4, END - 2, END, END + 4),
    *(0, 4, FIRST * PAGE - 4, UART, UART + 4, MOST, MOST - 3),
)
WORDS = (0, 1, 2, 3, 4, 5, 0x8000_0000, MOST)
BASES = (0, 1, 2, 31, 32, MOST - 1, MOST)
EXTENSIONS = (*range(10), *sbi.EVERYWHERE, sbi.HV, sbi.STA, 0x11, MOST)

Call = tuple[int, int, tuple[int, ...]]


def _standard() -> Iterator[Call]:
    for number in range(8):
        yield sbi.BASE, number, (1,)
    for extension in EXTENSIONS:
        yield sbi.BASE, 3, (extension,)
    for masks in product(WORDS, BASES):
        yield sbi.IPI, 0, masks
    for number, mask, base in product(range(8), (0, 1, 3, 4), (0, 1, MOST)):
        yield sbi.RFNC, number, (mask, base, DATA * PAGE, PAGE)
    wrong = [at for at in ADDRESSES if at not in (IDLE, END - 4)]
    for hart, address in product((1, 2, 0, MOST), (*wrong, IDLE)):
        yield sbi.HSM, 0, (hart, address, 7)
    for number, argument in product((2, 3, 4), (0, 1, 2, MOST)):
        if (number, argument) != (3, 0):  # that one sleeps
            yield sbi.HSM, number, (argument,)
    for number, (size, at) in product(range(3), product((0, 1, 5), ADDRESSES)):
        yield sbi.DBCN, number, (size, at, 0)
        yield sbi.DBCN, number, (size, at, 1)
    for number in range(1, 9):
        yield sbi.TIME, number, (0, 0)
        yield sbi.IPI, number, (1, 0)


def _legacy() -> Iterator[Call]:
    masks = [MASKS + 4 * n for n in range(len(WORDS))]
    for number, address in product((4, 5, 6, 7), (*masks, *ADDRESSES)):
        yield number, 0, (address,)
        yield 3, 0, ()  # what was sent is taken back
    for char in (0, 65, 255, 256 + 66, MOST):
        yield 1, 0, (char,)


def _endings() -> Iterator[Call]:
    yield 8, 0, ()
    for kind, reason in product((0, 1, 2, 3, MOST), (0, 1, 2)):
        yield sbi.SRST, 0, (kind, reason)
        yield sbi.SRST, 1, (kind, reason)


def _own() -> Iterator[Call]:
    for entry, stack in product((IDLE, IDLE + 1, IDLE + 2), (0, 8, 16, 1)):
        yield sbi.HV, Hypercall.SET_ENTRY, (entry, stack)
    yield sbi.HV, Hypercall.SET_ENTRY, (IDLE, 0)
    for start, size in product(
        (0, 4, MOST, END), (0, 1, PAGE, 65 * PAGE, MOST)
    ):
        yield sbi.HV, Hypercall.FENCE, (start, size)
    for number in (Hypercall.CONSOLE_WRITE, Hypercall.CONSOLE_READ):
        for at, size in product(ADDRESSES, (0, 1, 5, MOST)):
            yield sbi.HV, number, (at, size)


def _own_of_memory() -> Iterator[Call]:
    pages = (DATA * PAGE + 4, END, 0, MOST, END - PAGE, SHARED * PAGE)
    for at in pages:
        yield sbi.HV, Hypercall.SET_SHARED, (at,)
    for vcpu, at in product((0, 1, 2, MOST), ADDRESSES):
        yield sbi.HV, Hypercall.RUNSTATE, (vcpu, at)
    for vcpu in (0, 1, 2, MOST):
        yield sbi.HV, Hypercall.KICK, (vcpu,)
        yield sbi.HV, Hypercall.YIELD_TO, (vcpu,)
    for lists in (Hypercall.PT_UPDATE, Hypercall.MULTICALL):
        for at, count in product((*ADDRESSES, MASKS), (0, 65, 33, MOST)):
            yield sbi.HV, lists, (at, count)
    for number, at in product((26, 27, 99, MOST), (0, 1)):
        yield sbi.HV, number, (at,)


def _own_endings() -> Iterator[Call]:
    for how, code in product((0, 1, 2, 3, MOST), (0, 1, 7)):
        yield sbi.HV, Hypercall.SHUTDOWN, (how, code)


def _lists() -> Iterator[tuple[Hypercall, list[int]]]:
    """Yield calls about a list, and its words."""
    page, other, end = DATA + 3, DATA + 4, FIRST + PAGES
    for gfns in (
        *([page], [page, page], [page, other], [other, page, other]),
        *([end - 1], [end], [FIRST - 1], [page, end], [0], [MOST]),
        *([SHARED], [page, SHARED], [], [MOST] * 64, [page] * 65),
    ):
        yield Hypercall.BALLOON_GIVE, gfns
        yield Hypercall.BALLOON_TAKE, gfns
        yield Hypercall.BALLOON_TAKE, [page]
    for slot in ADDRESSES[3:]:
        yield Hypercall.PT_UPDATE, [slot, 0x1234]
        yield Hypercall.PT_UPDATE, [page * PAGE, 1, slot, 0x1234]
    for count in (64, 65):
        stores = [((DATA + 5) * PAGE + 4 * n, n) for n in range(count)]
        yield Hypercall.PT_UPDATE, [word for pair in stores for word in pair]
    for count in (32, 33):
        yield Hypercall.MULTICALL, [99, 9, 0, 0, 0, 0] * count
    for number, argument in product(range(28), (0, MOST)):
        if number != Hypercall.SET_ROOT:
            record = [number, 9, argument, 0, 0, 0]
            yield Hypercall.MULTICALL, record


def calls(style: str) -> Iterator[Call]:
    """Yield all calls that are made under a style."""
    yield from _standard()
    yield from _legacy()
    yield from _endings()
    if style == "PV":
        yield from _own()
        yield from _own_of_memory()
        yield from _own_endings()


def _actor(core: Core, style: str) -> Actor:
    actor = Actor(host(core, FRAMES), PAGES, style)
    masks = b"".join(word.to_bytes(4, "little") for word in WORDS)
    actor.put(MASKS, masks)
    return actor


def _agrees(actor: Actor, what: object) -> None:
    try:
        actor.compare()
    except AssertionError as error:
        raise AssertionError(f"{what}, {actor.kind}: {error}") from None


def lists_are_as_specified(core: Core) -> None:
    """The same of calls about lists."""
    actor = _actor(core, "PV")
    for number, words in _lists():
        if actor.spec.ended is not None:
            actor = _actor(core, "PV")
        if number == Hypercall.MULTICALL:
            data = b"".join(word.to_bytes(4, "little") for word in words)
            actor.put(LISTS * PAGE, data)
            actor.hypercall(number, LISTS * PAGE, len(words) // 6)
        else:
            actor.listed(number, words)
        _agrees(actor, (number.name, words))
        actor.host.audit()


# Who calls, and what: of two harts each stops, is asked after, and is started.
START, STOP, STATUS, SUSPEND = range(4)
LIFE: tuple[tuple[int, int, int, tuple[int, ...]], ...] = (
    (0, sbi.HSM, START, (1, IDLE, 5)),
    (1, sbi.HSM, STATUS, (1,)),
    (1, sbi.HSM, STOP, ()),
    (0, sbi.HSM, STATUS, (1,)),
    (0, sbi.IPI, 0, (2, 0)),
    (0, sbi.HSM, START, (1, IDLE, 6)),
    (0, sbi.HSM, START, (1, IDLE, 7)),
    (1, sbi.HSM, SUSPEND, (0,)),
    (0, sbi.HSM, STATUS, (1,)),
    (0, sbi.IPI, 0, (2, 0)),
    (1, sbi.HSM, STATUS, (0,)),
    (0, sbi.HSM, STOP, ()),
    (1, sbi.HSM, STATUS, (0,)),
    (1, sbi.IPI, 0, (1, 0)),
    (1, sbi.HSM, START, (0, IDLE, 1)),
    (0, sbi.HSM, STATUS, (1,)),
    (1, sbi.HSM, STOP, ()),
    (0, sbi.HSM, START, (1, END - 4, 3)),  # its last word: enough
)


def harts_are_as_specified(core: Core) -> None:
    """Let two harts start and stop each other."""
    for style in STYLES:
        actor = _actor(core, style)
        for vcpu, extension, number, arguments in LIFE:
            actor.vcpu = vcpu
            assert actor.can_act(), (number, arguments, style)
            actor.make(extension, number, *arguments)
            _agrees(actor, (vcpu, hex(extension), number, arguments))
            actor.host.audit()


def all_is_as_specified(core: Core) -> None:
    """Make each call, and compare."""
    for style in STYLES:
        actor = _actor(core, style)
        for extension, number, arguments in calls(style):
            if actor.spec.ended is not None or not actor.can_act():
                actor = _actor(core, style)
            actor.type(b"x")
            actor.make(extension, number, *arguments)
            _agrees(actor, (hex(extension), number, arguments))
        actor.host.audit()
    assert VCPUS == 2  # the masks and numbers above are for so many
