"""Calls at the edges of what they take, in every style that can make them.

Random lives rarely name an extension or a hart that just is, or just is not,
there. Here are all those calls, one after another, each compared with hv.spec.
"""

from collections.abc import Iterator

import pytest

from hv.abi import Hypercall, SbiError
from hv.spec import sbi
from tests.equivalence.core import good_core
from tests.memory.puppet import CODE, DATA, FIRST, LISTS, PAGE
from tests.spec.world import PAGES, Actor, host

PARAVIRTUAL = ("PV", "DIRECT")
STYLES = (*PARAVIRTUAL, "EMULATE", "ASSIST", "NESTED")
MOST = 0xFFFF_FFFF
END = (FIRST + PAGES) * PAGE
# Of two harts: (mask, base), the last three naming one that is not there.
MASKS = [(0, 0), (1, 0), (3, 0), (1, 1), (0, MOST), (0, 7)]
MASKS += [(4, 0), (2, 1), (1, 2)]
RANGES = [(FIRST * PAGE, PAGE), (FIRST * PAGE + 4, PAGE), (0, 0), (0, MOST)]
Made = tuple[int, int, tuple[int, ...]]


def calls() -> Iterator[Made]:
    """Yield extension, function and arguments."""
    for function in range(8):
        yield sbi.BASE, function, (0,)
    extensions = (*sbi.EVERYWHERE, sbi.HV, sbi.STA, sbi.HSM + 1, MOST)
    for extension in (*extensions, *range(sbi.LAST_LEGACY + 2)):
        yield sbi.BASE, 3, (extension,)
    for mask in MASKS:
        yield sbi.IPI, 0, mask
        for function in range(4):
            for start, size in RANGES:
                yield sbi.RFNC, function, (*mask, start, size)
    for number in range(4, 8):
        for va in (0, LISTS * PAGE, LISTS * PAGE + 2, END, MOST - 3):
            yield number, 0, (va,)
    yield from harts()


def harts() -> Iterator[Made]:
    """Yield what is asked of harts: one runs, one is started."""
    entry = CODE * PAGE
    for hart in (0, 1, 2, MOST):
        yield sbi.HSM, 2, (hart,)
        for wrong in (entry + 2, END, END - 2, FIRST * PAGE - 4, MOST - 3):
            yield sbi.HSM, 0, (hart, wrong, 0)
    for function in (4, 5, MOST):
        yield sbi.HSM, function, (0,)
    for _ in range(2):
        yield sbi.HSM, 0, (1, entry, 7)
        yield sbi.HSM, 2, (1,)


def ready(style: str) -> Actor:
    """Return an actor that has a mask of harts where lists are."""
    actor = Actor(host(good_core(), 96), PAGES, style)
    actor.put(LISTS * PAGE, (5).to_bytes(4, "little"))
    return actor


@pytest.mark.parametrize("style", STYLES)
def test_a_firmware_answers_as_specified(style: str) -> None:
    actor = ready(style)
    for extension, function, args in calls():
        actor.make(extension, function, *args)
        actor.compare()


@pytest.mark.parametrize("style", PARAVIRTUAL)
def test_each_call_may_stand_in_a_list_or_is_refused_there(style: str) -> None:
    for number in (*Hypercall, max(Hypercall) + 1, MOST):
        actor = ready(style)
        words = [number, 9, LISTS * PAGE + 0x800, 1, 0, 0]
        data = b"".join(word.to_bytes(4, "little") for word in words)
        actor.put(LISTS * PAGE, data)
        actor.hypercall(Hypercall.MULTICALL, LISTS * PAGE, 1)
        actor.compare()


@pytest.mark.parametrize("reason", range(4))
@pytest.mark.parametrize("style", PARAVIRTUAL)
def test_how_a_vm_ends_is_told(style: str, reason: int) -> None:
    """And a crash is never a success."""
    for code in (0, 1, 7, MOST):
        actor = ready(style)
        actor.hypercall(Hypercall.SHUTDOWN, reason, code)
        actor.compare()


@pytest.mark.parametrize("style", PARAVIRTUAL)
def test_the_map_of_memory_is_given_whole_or_not_at_all(style: str) -> None:
    actor, at = ready(style), LISTS * PAGE
    for first in (FIRST - 1, FIRST, FIRST + PAGES - 1, FIRST + PAGES, 0):
        for count in (0, 1, 2, PAGES, PAGES + 1, 1024, 1025, MOST):
            for place in (at, at + 2, at + PAGE - 4, END - 4, END, MOST - 3):
                actor.hypercall(Hypercall.MEMORY_MAP, first, count, place)
                actor.compare()


def test_a_balloon_shrinks_to_what_the_host_wants_and_no_further() -> None:
    actor = ready("PV")
    pages = list(range(DATA, DATA + 3))
    actor.listed(Hypercall.BALLOON_GIVE, pages)
    status = actor.lib.hv_balloon_set(actor.host.raw, actor.id, PAGES - 1)
    actor.host.ok(status)
    actor.spec.memory.target = PAGES - 1
    for wanted, error in (
        (pages, SbiError.DENIED),
        (pages[:2], SbiError.SUCCESS),
        (pages[2:], SbiError.DENIED),
    ):
        answer = actor.listed(Hypercall.BALLOON_TAKE, wanted)
        assert answer is not None
        assert answer.errors == (error,)
        actor.compare()
