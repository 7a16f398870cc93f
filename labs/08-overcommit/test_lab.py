"""Lab 8: frames come and go, and every one of them is accounted for.

Three oracles: a count of different pages, made by looking at all memory; the
audit, which recomputes every count of the hypervisor from scratch; and, in the
random test, a model of a few lines.
"""

import random
from collections.abc import Iterable
from typing import Self

from hv.abi import Hypercall
from hv.errors import AuditFailed
from hv.hypervisor import Hypervisor
from hv.labs.points import expect, fail, points
from hv.labs.puppets import DATA, FIRST, LISTS, PAGE, SHARED, Puppet

PAGES = 32  # of each guest
MAX = 64  # pages of one list
WAYS = ("store", "swap", "outside")


class World:
    """A machine and some guests of PAGES pages.

    :param spare: frames that are promised to nobody; None is many.
    """

    def __init__(
        self,
        guests: int = 2,
        *,
        pages: int = PAGES,
        spare: int | None = None,
        admission: str = "strict",
    ) -> None:
        frames = 256 if spare is None else guests * (pages + 4) + spare
        self.host = Hypervisor(
            ram=frames * PAGE, engine="ref", admission=admission
        )
        self.free = self.host.info.frames_free
        self.guests = [Puppet(self.host, pages) for _ in range(guests)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.host.close()

    @property
    def used(self) -> int:
        """Frames that guests have."""
        info = self.host.info
        return info.frames - info.frames_free - info.frames_hyp

    @property
    def spare(self) -> int:
        """Frames that are free and promised to nobody."""
        info = self.host.info
        return info.frames_free - info.frames_reserved

    def audit(self, what: str) -> None:
        """Let the hypervisor be recomputed."""
        try:
            self.host.audit()
        except AuditFailed as error:
            fail(f"{what}: the audit does not agree", f"  {error}")

    def places(self) -> Iterable[tuple[Puppet, int]]:
        """Every page that has a frame and may be shared."""
        for guest in self.guests:
            for gfn in range(FIRST, FIRST + guest.pages):
                if gfn != SHARED and guest.vm.frame_of(gfn) is not None:
                    yield guest, gfn

    def extra(self) -> int:
        """Frames more than there are different contents."""
        frames, contents = set(), set()
        for guest, gfn in self.places():
            frames.add(guest.vm.frame_of(gfn))
            contents.add(guest.vm.mem.read(gfn * PAGE, PAGE))
        return len(frames) - len(contents)

    def end(self, what: str) -> None:
        """Destroy all guests: then every frame is free."""
        for guest in self.guests:
            guest.vm.destroy()
        expect(self.host.info.frames_free, self.free, f"{what}: free frames")
        expect(self.host.info.frames_reserved, 0, f"{what}: promised frames")


def page(number: int) -> bytes:
    """Return contents that differ from those of any other number."""
    return number.to_bytes(4, "little") * (PAGE // 4)


def equal(world: World, pages: int = 1) -> None:
    """Give all guests the same pages, from DATA on, and let them use them."""
    for guest in world.guests:
        for i in range(pages):
            guest.vm.mem.write((DATA + i) * PAGE, page(i + 1))
            guest.store(DATA + i, 0, i + 1)


def put(guest: Puppet, way: str, gfn: int, value: int) -> None:
    """Write the first word of a page in some way."""
    fault = ""
    match way:
        case "store":
            fault = guest.store(gfn, 0, value)
        case "swap":
            fault = guest.swap(gfn, 0, value)
        case "outside":
            guest.vm.mem.write32(gfn * PAGE, value)
    expect(fault, "", f"{way}: the fault that comes of it")


@points(5, "pages of one's own")
def test_own() -> None:
    with World() as world:
        first, second = world.guests
        for way in WAYS:
            put(first, way, DATA, 5)
            put(second, way, DATA, 6)
            expect(first.load(DATA), 5, f"{way}: what the first one loads")
            expect(second.load(DATA), 6, f"{way}: what the second one loads")
        world.audit("two guests")


# --- balloon ------------------------------------------------------------------


def facts(world: World, guest: Puppet) -> str:
    """Return what a refused call must not change."""
    return (
        f"{world.used} frames used, {world.spare} spare, "
        f"{guest.vm.balloon.actual // PAGE} pages of memory"
    )


def refused(
    world: World, guest: Puppet, what: str, error: str, *call: int
) -> None:
    before = facts(world, guest)
    expect(guest.call(*call), error, f"{what}: the call's answer")
    expect(facts(world, guest), before, f"{what}: what has changed")


@points(10, "balloon: a list with a mistake gets an error")
def test_list_errors() -> None:
    with World(1) as world:
        (guest,) = world.guests
        give, take = Hypercall.BALLOON_GIVE, Hypercall.BALLOON_TAKE
        end = FIRST + PAGES
        expect(guest.give(DATA + 9), "success", "one page: the call's answer")
        put(guest, "store", DATA, 7)
        guest.name([DATA] * (MAX + 1))
        where = LISTS * PAGE
        for count in (0, MAX + 1):
            what = f"a list of {count} pages"
            refused(world, guest, what, "invalid_param", give, where, count)
        what = "a list whose address is odd"
        refused(world, guest, what, "invalid_param", give, where + 2, 1)
        for at in (end * PAGE, end * PAGE - 4, 0):
            what = f"a list of two pages at {at:#x}"
            refused(world, guest, what, "invalid_address", give, at, 2)
        for what, gfns, error in (
            ("the page before its memory", (FIRST - 1,), "invalid_address"),
            ("the page behind its memory", (end,), "invalid_address"),
            ("the last of all pages", (0xFFFFFFFF,), "invalid_address"),
            ("a page in the balloon", (DATA + 9,), "invalid_address"),
            ("a page twice", (DATA, DATA + 1, DATA), "invalid_param"),
            ("the page that the hypervisor writes to", (SHARED,), "denied"),
        ):
            guest.name(gfns)
            refused(world, guest, what, error, give, where, len(gfns))
        guest.name([DATA])
        what = "to take a page that is there"
        refused(world, guest, what, "invalid_address", take, where, 1)
        expect(guest.load(DATA), 7, "a page of which only mistakes were made")
        world.audit("after mistakes")


@points(5, "balloon: all of a list or nothing")
def test_list_whole() -> None:
    with World(1) as world:
        (guest,) = world.guests
        put(guest, "store", DATA, 7)
        guest.name([DATA, DATA + 1, FIRST + PAGES])
        before = facts(world, guest)
        call = (Hypercall.BALLOON_GIVE, LISTS * PAGE, 3)
        expect(guest.call(*call), "invalid_address", "the third page is wrong")
        expect(facts(world, guest), before, "what has changed")
        expect(guest.load(DATA), 7, "what the guest loads from the first page")


@points(15, "balloon: frames go, and come again")
def test_give(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with World(2) as world:
        guest, other = world.guests
        put(other, "store", DATA, 99)
        some = draw.sample(range(DATA, FIRST + PAGES), draw.randrange(9, 20))
        touched = some[: draw.randrange(3, 8)]
        for gfn in touched:
            put(guest, "store", gfn, gfn)
        guest.name(some)
        used, spare = world.used, world.spare
        what = f"{len(some)} pages, of which {len(touched)} were touched"
        expect(guest.give(*some), "success", f"{what}: the call's answer")
        expect(world.used, used - len(touched), f"{what}: frames used")
        expect(world.spare, spare + len(some), f"{what}: frames to spare")
        actual = guest.vm.balloon.actual // PAGE
        expect(actual, PAGES - len(some), f"{what}: the memory that is left")
        for gfn in (touched[0], some[-1]):
            expect(guest.vm.frame_of(gfn), None, "a page's frame, given back")
            expect(guest.load(gfn), "load access fault", "a load from there")
            expect(guest.store(gfn, 0, 1), "store access fault", "a store")
        world.audit("a balloon with something in it")
        back = some[::2]
        expect(guest.take(*back), "success", "to take some: the call's answer")
        expect(
            world.spare,
            spare + len(some) - len(back),
            f"{len(back)} pages taken again: frames to spare",
        )
        for gfn in back:
            expect(guest.load(gfn), 0, "a load from a page taken again")
        expect(other.load(DATA), 99, "what the other guest has")
        world.audit("some taken again")
        world.end("all guests destroyed")


# --- share --------------------------------------------------------------------


def scan(world: World, what: str) -> None:
    """Share all that is equal; it is exactly that, and nobody sees it."""
    extra, used = world.extra(), world.used
    before = {
        (guest.vm.number, gfn): guest.vm.mem.read(gfn * PAGE, PAGE)
        for guest, gfn in world.places()
    }
    merged = world.host.share()
    for guest, gfn in world.places():
        if guest.vm.mem.read(gfn * PAGE, PAGE) != before[guest.vm.number, gfn]:
            fail(f"{what}: page {gfn:#x} of {guest.vm.name} has changed")
    expect(merged, extra, f"{what}: pages merged")
    expect(world.used, used - extra, f"{what}: frames used")
    expect(world.extra(), 0, f"{what}: frames more than contents")
    world.audit(what)


@points(10, "share: equal pages are found, and counted")
def test_found(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with World(3, admission="overcommit") as world:
        equal(world, 3)
        for guest in world.guests:
            for gfn in range(DATA + 5, DATA + 12):
                data = page(draw.randrange(6))
                guest.vm.mem.write(gfn * PAGE, data)
        shared = sum(guest.vm.counters["shared"] for guest in world.guests)
        expect(shared, 0, "the counter `shared` before")
        extra = world.extra()
        scan(world, "three guests")
        shared = sum(guest.vm.counters["shared"] for guest in world.guests)
        expect(shared, extra, "the counter `shared`, of all guests")
        scan(world, "the same once more")
        world.end("all guests destroyed")


def hashed(words: list[int], start: int = 0x811C9DC5) -> int:
    """Return what hash_frame() says of these words."""
    for word in words:
        start = (start ^ word ^ start >> 15) * 0x01000193 & 0xFFFFFFFF
    return start


def twins(draw: random.Random) -> tuple[bytes, bytes]:
    """Return two pages that differ and have the same hash."""
    words = [draw.getrandbits(32) for _ in range(PAGE // 4)]
    other = [*words[:-2], words[-2] ^ 1 << draw.randrange(32)]
    one, two = hashed(words[:-1]), hashed(other)
    other.append(words[-1] ^ one ^ one >> 15 ^ two ^ two >> 15)
    first, second = (
        b"".join(word.to_bytes(4, "little") for word in w)
        for w in (words, other)
    )
    return first, second


@points(10, "share: an equal hash is not enough")
def test_collide(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with World(2, admission="overcommit") as world:
        pair = twins(draw)
        for guest, order in zip(world.guests, (1, -1), strict=True):
            for i, data in enumerate(pair[::order]):
                guest.vm.mem.write((DATA + i) * PAGE, data)
        scan(world, "pages with one hash that are not equal")


@points(10, "share: what was promised stays promised")
def test_promise() -> None:
    for spare in (0, 2):
        with World(2, pages=8, spare=spare) as world:
            equal(world, 5)
            expect(world.spare, spare, "frames promised to nobody")
            what = f"a strict host with {spare} frames to spare"
            used = world.used
            expect(world.host.share(), spare, f"{what}: pages merged")
            expect(world.used, used - spare, f"{what}: frames used")
            expect(world.spare, 0, f"{what}: then to spare")
            world.audit(what)
            for i in range(5):  # all that was promised can be had
                for guest in world.guests:
                    put(guest, "store", DATA + i, guest.vm.number * 100 + i)
            world.audit(f"{what}, and all was written")


# --- break --------------------------------------------------------------------


@points(15, "break: a write reaches the writer, and nobody else")
def test_writers() -> None:
    for way in WAYS:
        with World(3, admission="overcommit") as world:
            equal(world)
            scan(world, "three guests")
            for guest in world.guests:
                expect(guest.load(DATA), 1, "what is loaded from a shared page")
            writer, *others = world.guests
            kept, used = others[0].vm.frame_of(DATA), world.used
            put(writer, way, DATA, 77)
            for guest in others:
                expect(guest.load(DATA), 1, f"{way}: what another guest loads")
                got = guest.vm.frame_of(DATA)
                expect(got, kept, f"{way}: another guest's frame")
            expect(writer.load(DATA), 77, f"{way}: what the writer loads")
            rest = writer.vm.mem.read(DATA * PAGE + 4, PAGE - 4)
            if rest != page(1)[4:]:
                fail(f"{way}: the rest of the page is not that of before")
            expect(world.used, used + 1, f"{way}: frames used")
            got = writer.vm.counters["unshared"]
            expect(got, 1, f"{way}: the counter `unshared`")
            world.audit(f"{way} to a shared page")
            used = world.used
            put(writer, way, DATA, 78)
            expect(world.used, used, f"{way}, once more: frames used")


@points(10, "break: the last one keeps the frame")
def test_last() -> None:
    with World(2, admission="overcommit") as world:
        first, last = world.guests
        equal(world)
        scan(world, "two guests")
        put(first, "store", DATA, 5)
        kept, used = last.vm.frame_of(DATA), world.used
        shared = world.host.info.frames_shared
        put(last, "store", DATA, 6)
        expect(last.vm.frame_of(DATA), kept, "the frame of the last one")
        expect(world.used, used, "frames used")
        got = world.host.info.frames_shared
        expect(got, shared - 1, "frames that are shared")
        expect((first.load(DATA), last.load(DATA)), (5, 6), "what they load")
        world.audit("nobody shares the page any more")
        # A frame goes with the last page that is one of those that share it.
        equal(world)
        scan(world, "two guests again")
        for guest, frames in ((first, 0), (last, 1)):
            guest.name([DATA])
            used = world.used
            expect(guest.give(DATA), "success", "a shared page given back")
            expect(world.used, used - frames, "frames used after that")
        world.audit("a shared page given back")
        world.end("all guests destroyed")


# --- all of it ----------------------------------------------------------------


class Model:
    """What is in each page, and which of them are one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fresh = 0
        self.content: dict[tuple[int, int], bytes] = {}
        self.frame: dict[tuple[int, int], int] = {}
        for guest, gfn in world.places():
            data = guest.vm.mem.read(gfn * PAGE, PAGE)
            self.wrote(guest, gfn, data)
        self.base = world.used - len(set(self.frame.values()))

    def wrote(self, guest: Puppet, gfn: int, data: bytes) -> None:
        """Note that a page begins with these bytes now."""
        at = (guest.vm.number, gfn)
        self.content[at] = data + self.content.get(at, bytes(PAGE))[len(data) :]
        mine = self.frame.get(at)
        if mine is None or list(self.frame.values()).count(mine) > 1:
            self.fresh += 1
            self.frame[at] = self.fresh

    def gave(self, guest: Puppet, gfn: int) -> None:
        """Note that a page is in the balloon."""
        self.content.pop((guest.vm.number, gfn), None)
        self.frame.pop((guest.vm.number, gfn), None)

    def shared(self) -> int:
        """Let equal pages be one: the first that is met; count the others."""
        first: dict[bytes, int] = {}
        merged = 0
        for at, data in sorted(self.content.items()):
            kept = first.setdefault(data, self.frame[at])
            merged += self.frame[at] != kept
            self.frame[at] = kept
        return merged

    def check(self, what: str) -> None:
        """Look at all memory, and count the frames."""
        for guest in self.world.guests:
            for gfn in range(DATA, DATA + 6):
                at = (guest.vm.number, gfn)
                if at in self.content:
                    got = guest.vm.mem.read(gfn * PAGE, PAGE)
                    if got != self.content[at]:
                        fail(f"{what}: {guest.vm.name}, page {gfn:#x}: wrong")
        frames = self.base + len(set(self.frame.values()))
        expect(self.world.used, frames, f"{what}: frames used")
        self.world.audit(what)


@points(10, "anything, in any order")
def test_random(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with World(3, admission="overcommit") as world:
        for guest in world.guests:
            guest.name([0])
        model = Model(world)
        away: set[tuple[int, int]] = set()
        scans = merged = 0
        for step in range(70):
            guest = draw.choice(world.guests)
            gfn = draw.randrange(DATA, DATA + 6)
            at = (guest.vm.number, gfn)
            what = draw.choices(("write", "share", "balloon"), (6, 2, 2))[0]
            said = f"seed {seed}, step {step}, {what} of {gfn:#x}"
            if what == "share":
                saved = model.shared()
                expect(world.host.share(), saved, f"{said}: pages merged")
                scans, merged = scans + 1, merged + saved
            elif what == "balloon" or at in away:
                call = guest.take if at in away else guest.give
                expect(call(gfn), "success", f"{said}: the call's answer")
                model.wrote(guest, LISTS, gfn.to_bytes(4, "little"))
                if at not in away:
                    model.gave(guest, gfn)
                away ^= {at}
            else:
                value = draw.randrange(3)
                put(guest, draw.choice(WAYS), gfn, value)
                model.wrote(guest, gfn, value.to_bytes(4, "little"))
            model.check(said)
        if not merged > scans > 0:
            fail(f"seed {seed}: {scans} scans merged {merged} pages")
        world.end(f"seed {seed}, all guests destroyed")
