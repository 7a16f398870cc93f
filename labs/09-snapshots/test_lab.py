"""Lab 9: what was written, and since when.

The oracles: the hash of the host's state, for going back; a set of pages that
the test itself has written, for the log; the image of a VM that stands still,
for one that was saved while it ran. The rounds are tried on a VM that is a few
lines of Python, so that those tests need nothing of the C files.
"""

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from runpy import run_path
from struct import Struct
from types import SimpleNamespace
from typing import Self

from hv.errors import AuditFailed, ImageError, UsageError
from hv.facts import Style
from hv.hypervisor import Hypervisor
from hv.incremental import Copy
from hv.labs.kit import DATA as KIT_DATA
from hv.labs.kit import DATA_VA, RWX, TABLE, Paged, V, pte
from hv.labs.points import expect, fail, points
from hv.labs.puppets import DATA, FIRST, LISTS, PAGE, Puppet
from hv.marks import Mark
from hv.vm import VM

PAGES = 24  # of each guest
STYLES = ("pv", "emulate", "nested")
ADDI_A1_A1_1, BACK = 0x00158593, 0xFF9FF06F  # a1 += 1; j -8
WORK = FIRST * PAGE + 0x100  # where a loop is put


class World:
    """A machine and some guests of PAGES pages."""

    def __init__(
        self, *styles: str, engine: str = "ref", admission: str = "strict"
    ) -> None:
        self.host = Hypervisor(ram="1MiB", engine=engine, admission=admission)
        self.guests = [Puppet(self.host, PAGES, style) for style in styles]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.host.close()

    def audit(self, what: str) -> None:
        """Let the hypervisor be recomputed."""
        try:
            self.host.audit()
        except AuditFailed as error:
            fail(f"{what}: the audit does not agree", f"  {error}")


def pages(gfns: Iterable[int]) -> str:
    """Show a set of pages."""
    return ", ".join(f"{gfn:#x}" for gfn in sorted(gfns)) or "none"


def put(guest: Puppet, way: str, gfn: int, value: int) -> None:
    """Write the first word of a page in some way."""
    match way:
        case "store":
            guest.store(gfn, 0, value)
        case "swap":
            guest.swap(gfn, 0, value)
        case "outside":
            guest.vm.mem.write32(gfn * PAGE, value)


WAYS = ("store", "swap", "outside")


@points(5, "a VM that stands still")
def test_whole() -> None:
    with World("pv") as world, World() as there:
        (guest,) = world.guests
        guest.store(DATA, 0, 7)
        copy = there.host.restore_vm(guest.vm.to_bytes())
        expect(copy.mem.read32(DATA * PAGE), 7, "a word of the restored VM")


# --- marks --------------------------------------------------------------------


@points(10, "marks: the frames that were written")
def test_touch(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with World("pv", "emulate") as world:
        host = world.host
        for guest in world.guests:
            for gfn in range(DATA, DATA + 8):
                guest.store(gfn, 0, 1)
        with host.mark():
            for _ in range(4):
                guest = draw.choice(world.guests)
                gfns = draw.sample(range(DATA, DATA + 8), draw.randrange(1, 5))
                for gfn in gfns:
                    # Also if it is written twice, and to what it was.
                    for value in (draw.randrange(2), 1):
                        guest.vm.mem.write32(gfn * PAGE, value)
                wanted = {guest.vm.frame_of(gfn) or 0 for gfn in gfns}
                got = host.written()
                what = f"{guest.vm.name} was written {len(gfns)} pages of"
                expect(pages(got), pages(wanted), f"{what}: host.written()")
                expect(len(got), len(set(got)), f"{what}: no frame twice")
                expect(pages(host.written()), "none", f"{what}: once more")


State = tuple[int, list[int]]


def state(world: World) -> State:
    """Return a hash of all there is, and some of it in plain sight."""
    return world.host.hash(), [
        guest.vm.mem.read32(gfn * PAGE)
        for guest in world.guests
        for gfn in range(DATA, DATA + 4)
    ]


def same(world: World, before: State, what: str) -> None:
    """Expect a state; say at first which words of memory differ."""
    number, words = state(world)
    expect(words, before[1], f"{what}: words of the guests' memory")
    expect(number, before[0], f"{what}: the hash of the host's state")


@points(10, "marks: back, and further back")
def test_back() -> None:
    with World("pv", "emulate") as world:
        guest, host = world.guests[0], world.host
        for gfn in range(DATA, DATA + 4):
            guest.store(gfn, 0, 1)
        first, at_first = host.mark(), state(world)
        guest.store(DATA, 0, 2)
        host.written()  # it is noted anew, but its bytes are kept already
        guest.store(DATA, 0, 3)
        first.reset()
        same(world, at_first, "a page was written, noted, and written again")
        expect(pages(host.written()), "none", "host.written(), back at a mark")
        guest.store(DATA, 0, 4)
        second, at_second = host.mark(), state(world)
        guest.store(DATA, 0, 5)
        guest.store(DATA + 1, 0, 5)
        for number in (1, 2):
            second.reset()
            same(world, at_second, f"back at the second mark, time {number}")
            guest.store(DATA + 2, 0, 6)
        first.reset()
        same(world, at_first, "back at the first mark, behind the second")
        guest.store(DATA, 0, 7)
        first.reset()
        same(world, at_first, "back at the first mark, a third time")


@points(5, "marks: any of them, in any order")
def test_reset(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with World("pv", "emulate") as world:
        marks: list[tuple[Mark, State]] = []
        for step in range(40):
            if not marks or draw.random() < 0.2:
                marks.append((world.host.mark(), state(world)))
            elif draw.random() < 0.25:
                number = draw.randrange(len(marks))
                mark, before = marks[number]
                mark.reset()
                what = f"seed {seed}, step {step}, mark {number + 1}"
                what += f" of {len(marks)}"
                same(world, before, f"{what}: back there")
                for later, _ in marks[number + 1 :]:
                    try:
                        later.reset()
                    except UsageError:
                        continue
                    fail(f"{what}: a later mark can still be gone back to")
                del marks[number + 1 :]
            if draw.random() < 0.2:
                world.host.written()
            for _ in range(draw.randrange(4)):
                guest = draw.choice(world.guests)
                gfn = draw.randrange(DATA, DATA + 4)
                put(guest, draw.choice(WAYS), gfn, step + 1)
        marks[0][0].reset()
        same(world, marks[0][1], f"seed {seed}: the first mark, at last")


@points(5, "marks: a page that is written all the time")
def test_busy() -> None:
    with World("emulate", engine="fast") as world:
        (guest,) = world.guests
        for i, word in enumerate((0x00B52023, ADDI_A1_A1_1, BACK)):
            guest.vm.mem.write32(WORK + 4 * i, word)
        guest.cpu.a0, guest.cpu.pc = DATA * PAGE, WORK
        guest.vm.run(1000)
        frame = guest.vm.frame_of(DATA)
        mark, before = world.host.mark(), state(world)
        for number in range(1, 4):
            guest.vm.run(300)
            if frame not in world.host.written():
                fail(f"round {number}: a store to {DATA:#x} was not noted")
            mark.reset()
            same(world, before, f"round {number}: back at the mark")


# --- the log ------------------------------------------------------------------


@points(5, "log: the pages that were written, each time")
def test_log(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    with World(*STYLES) as world:
        for guest, style in zip(world.guests, STYLES, strict=True):
            vm = guest.vm
            for gfn in range(DATA, DATA + 6):
                guest.store(gfn, 0, 1)
            vm.start_log()
            expect(pages(vm.fetch_log()), "none", f"{style}: at the beginning")
            noted = 0
            for number in range(1, 6):
                there = range(DATA, FIRST + PAGES)
                gfns = draw.sample(there, draw.randrange(1, 6))
                ways = [draw.choice(WAYS) for _ in gfns]
                for gfn, way in zip(gfns, ways, strict=True):
                    put(guest, way, gfn, number)
                    guest.load(draw.choice(there))
                what = f"{style}, fetch {number}, after {', '.join(ways)}"
                got = vm.fetch_log()
                expect(pages(got), pages(gfns), f"{what}: pages in the log")
                expect(pages(vm.fetch_log()), "none", f"{what}: once more")
                world.audit(what)
                noted += len(gfns)
            count = vm.counters["dirtied"]
            expect(count, noted, f"{style}: the counter `dirtied`")
            vm.stop_log()
            guest.store(DATA, 0, 3)
            world.audit(f"{style}: the log was stopped")


@points(5, "log: what is in the balloon is not what it was")
def test_balloon() -> None:
    with World("pv") as world:
        (guest,) = world.guests
        guest.store(DATA, 0, 1)
        guest.name([0])
        guest.vm.start_log()
        expect(guest.give(DATA), "success", "a page given back")
        for number, wanted in ((1, {LISTS, DATA}), (2, {DATA})):
            got = guest.vm.fetch_log()
            expect(pages(got), pages(wanted), f"fetch {number} after that")
            world.audit(f"fetch {number} after that")
        expect(guest.take(DATA), "success", "it is taken again")
        got = guest.vm.fetch_log()
        expect(pages(got), pages({LISTS, DATA}), "a page taken again")
        expect(pages(guest.vm.fetch_log()), "none", "once more")


@points(5, "log: the machine writes, too")
def test_hardware() -> None:
    with Paged("emulate") as guest:
        vm, table, data = guest.machine, TABLE // PAGE, KIT_DATA // PAGE
        if not isinstance(vm, VM):
            fail("the guest is none of a hypervisor's")
            return
        guest.entry(DATA_VA, pte(KIT_DATA, V | RWX))
        guest.fence()
        guest.load(DATA_VA)
        guest.entry(DATA_VA, pte(KIT_DATA, V | RWX))
        guest.fence()
        vm.start_log()
        for what, act, wanted in (
            ("a load sets A", guest.load, {table}),
            (
                "a store sets D",
                lambda va: guest.store(va, 5),
                {table, data},
            ),
            ("a second store", lambda va: guest.store(va, 6), {data}),
        ):
            act(DATA_VA)
            got = set(vm.fetch_log())
            got -= {0x80003}  # the page that the test puts instructions into
            expect(pages(got), pages(wanted), f"{what}: pages in the log")


@points(10, "log: that of one VM says nothing of another")
def test_others() -> None:
    with World("pv", "pv", "pv", admission="overcommit") as world:
        first, second, third = world.guests
        for guest in world.guests:
            guest.vm.mem.write(DATA * PAGE, b"equal" * 100)
            guest.store(DATA + 1, 0, guest.vm.number)
        first.vm.start_log()
        second.vm.start_log()
        merged = world.host.share()
        if not merged:
            fail("three guests have a page in common: the scan merged none")
        for what, writer, gfn, logs in (
            ("nobody has written", None, 0, ((), ())),
            ("the first one wrote", first, DATA + 1, ((DATA + 1,), ())),
            ("the third wrote what it shares", third, DATA, ((), ())),
            ("the second wrote what it shares", second, DATA, ((), (DATA,))),
            (
                "the first wrote, the last to have it",
                first,
                DATA,
                ((DATA,), ()),
            ),
        ):
            if writer is not None:
                writer.store(gfn, 0, 99)
            for guest, wanted in zip((first, second), logs, strict=True):
                got = guest.vm.fetch_log()
                which = f"{what}: the log of {guest.vm.name}"
                expect(pages(got), pages(wanted), which)
            world.audit(what)
        first.vm.stop_log()
        second.store(DATA + 2, 0, 1)
        expect(
            pages(second.vm.fetch_log()),
            pages([DATA + 2]),
            "the log of the second, when that of the first has ended",
        )


# --- rounds -------------------------------------------------------------------


HEADER, SECTION = Struct("<8sIIQQ"), Struct("<4sIQ")
RUN = Struct("<III")


def student(work: Path) -> SimpleNamespace:
    """Load the student's incremental.py."""
    path = work / "incremental.py"
    return SimpleNamespace(**run_path(str(path), run_name="incremental"))


class Fake:
    """What a saver needs of a VM, as Python: memory and a log.

    :param between: is called before whatever a saver asks for, as if the VM
        ran meanwhile.
    """

    def __init__(self, between: Callable[["Fake"], None] | None = None) -> None:
        self.between = between
        self.memory: dict[int, bytes] = {}
        self.log: set[int] | None = None
        self.base, self.size = FIRST * PAGE, PAGES * PAGE
        self.end = self.base + self.size
        self.mem, self.name = self, "fake"
        self.info = SimpleNamespace(style=Style.PV, mem_size=self.size)

    def _run(self) -> None:
        if self.between:
            self.between(self)

    def write(self, gfn: int, value: int) -> None:
        """Write a page, all of it."""
        self.memory[gfn] = bytes([value % 256]) * PAGE
        if self.log is not None:
            self.log.add(gfn)

    def drop(self, gfn: int) -> None:
        """Put a page into the balloon."""
        del self.memory[gfn]
        if self.log is not None:
            self.log.add(gfn)

    # What is asked for: as of hv.VM and hv.Memory.

    def start_log(self) -> None:
        self.log = set()

    def stop_log(self) -> None:
        if self.log is None:
            raise UsageError("nothing is logged")
        self.log = None

    def fetch_log(self) -> list[int]:
        self._run()
        if self.log is None:
            raise UsageError("nothing is logged")
        got, self.log = sorted(self.log), set()
        return got

    def read(self, address: int, size: int) -> bytes:
        self._run()
        gfn, offset = divmod(address, PAGE)
        return self.memory.get(gfn, bytes(PAGE))[offset : offset + size]

    def frame_of(self, gfn: int) -> int | None:
        self._run()
        return gfn if gfn in self.memory else None

    def to_bytes(self) -> bytes:
        """Return an image, in which equal pages are one."""
        contents: dict[bytes, int] = {}
        runs = b""
        for gfn in range(FIRST, FIRST + PAGES):
            data = self.memory.get(gfn)
            kind = 0 if data is None else 2 if any(data) else 1
            index = 0
            if data is not None and kind == 2:
                index = contents.setdefault(data, len(contents))
            runs += RUN.pack(1, kind, index)
        return HEADER.pack(b"\x89hvsave\n", 1, 1, 0, 0) + b"".join(
            SECTION.pack(tag, 0, len(body)) + body
            for tag, body in (
                (b"VM  ", b"whatever there is"),
                (b"MAP ", runs),
                (b"DATA", b"".join(contents)),
            )
        )


def arrived(copy: Copy, rest: bytes, vm: Fake, what: str) -> None:
    """Compare what came out with the image of the VM."""
    image = copy.image(rest)
    right = vm.to_bytes()
    if image == right:
        return
    got: dict[int, bytes] = copy.pages
    for gfn, data in sorted(vm.memory.items()):
        if any(data) and got.get(gfn) != data:
            was = "never came" if gfn not in got else "is an old one"
            fail(f"{what}: page {gfn:#x} {was}")
    fail(
        f"{what}: each page is right, and the image is not",
        f"  expected  {len(right)} bytes",
        f"  got       {len(image)} bytes",
    )


@points(10, "rounds: each sends what was written since the last")
def test_rounds(work: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    mine, vm = student(work), Fake()
    for gfn in range(DATA, DATA + 9):
        vm.write(gfn, gfn)
    saver, copy = mine.Saver(vm), mine.Copy()
    wanted = set(vm.memory)
    for number in range(5):
        sent = saver.round()
        copy.put(sent)
        expect(sent.number, number, "the number of a round")
        expect(pages(sent.pages), pages(wanted), f"round {number}: pages")
        for gfn, data in sent.pages.items():
            if data != vm.memory[gfn]:
                fail(f"round {number}: page {gfn:#x} is not what is there")
        wanted = set(draw.sample(range(DATA, DATA + 15), draw.randrange(1, 5)))
        for gfn in wanted:
            vm.write(gfn, draw.randrange(1, 256))
        gone = draw.choice(sorted(set(vm.memory) - wanted))
        vm.drop(gone)  # it is in the log, and has no contents
    last, rest = saver.end()
    copy.put(last)
    expect(pages(last.pages), pages(wanted), "the last round: pages")
    expect(vm.log, None, "the log, after the end")
    arrived(copy, rest, vm, "after the end")


@points(10, "rounds: nothing is lost that is written meanwhile")
def test_race(work: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    mine = student(work)
    for attempt in range(10):

        def between(vm: Fake) -> None:
            vm.write(draw.randrange(DATA, DATA + 12), draw.randrange(1, 256))

        vm = Fake()
        for gfn in range(DATA, DATA + 12):
            vm.write(gfn, 1)
        saver, copy = mine.Saver(vm), mine.Copy()
        vm.between = between  # it writes at every step of the saver
        for _ in range(attempt % 3 + 1):
            copy.put(saver.round())
        vm.between = None  # it stands still
        last, rest = saver.end()
        copy.put(last)
        what = f"seed {seed}, attempt {attempt}"
        arrived(copy, rest, vm, f"{what}: a VM that writes while it is read")


@points(5, "image: as a whole, or not at all")
def test_image(work: Path) -> None:
    mine, vm = student(work), Fake()
    for i, value in enumerate((5, 0, 6, 5, 7, 7, 0, 8)):
        vm.write(DATA + i, value)
    saver, copy = mine.Saver(vm), mine.Copy()
    copy.put(saver.round())
    vm.write(DATA + 9, 6)
    last, rest = saver.end()
    lost = mine.Copy()
    lost.pages.update(copy.pages)
    copy.put(last)
    arrived(copy, rest, vm, "equal pages, and pages of zeros")
    try:
        lost.image(rest)
    except ImageError:
        return
    fail(f"page {DATA + 9:#x} never came, and an image was made all the same")


@points(5, "until little is left")
def test_loop(work: Path) -> None:
    mine = student(work)
    for enough, most, writes, rounds in (
        (4, 30, (12, 7, 4, 9), (20, 12, 7, 4)),
        (2, 30, (12, 3, 0), (20, 12, 3, 0)),
        (20, 30, (), (20,)),
        (0, 4, (9, 9, 9, 9, 9), (20, 9, 9, 9)),
        (0, 1, (9,), (20,)),
    ):
        vm = Fake()
        told: list[int] = []
        for i in range(20):
            vm.write(FIRST + i, i + 1)
        left = list(writes)

        def run(
            count: int,
            vm: Fake = vm,
            told: list[int] = told,
            left: list[int] = left,
        ) -> None:
            told.append(count)
            for i in range(left.pop(0)):
                vm.write(FIRST + i, len(told) + 50)

        saved = mine.save_running(vm, run, enough=enough, most=most)
        what = f"a VM that writes {writes} pages; {enough} is enough, "
        what += f"{most} rounds at most"
        expect(tuple(saved.rounds), rounds, f"{what}: pages of each round")
        expect(tuple(told), rounds[:-1], f"{what}: what `run` was told")
        expect(vm.log, None, f"{what}: the log at the end")
        if saved.image != vm.to_bytes():
            fail(f"{what}: the image is not that of the VM at the end")


# --- all of it ----------------------------------------------------------------


def watched(guest: Puppet) -> list[bytes]:
    """Return a list that gets each image that is made of a guest.

    To save a VM takes the machine a moment; so it is not done twice.
    """
    images: list[bytes] = []
    make = guest.vm.to_bytes

    def to_bytes() -> bytes:
        images.append(make())
        return images[-1]

    guest.vm.to_bytes = to_bytes  # type: ignore[method-assign]
    return images


@points(10, "a guest that runs, saved and restored")
def test_restored(work: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    mine = student(work)
    for style in STYLES:
        with World(style, "pv") as world, World() as one, World() as two:
            guest, beside = world.guests
            for gfn in range(DATA, FIRST + PAGES):
                guest.store(gfn, 0, gfn)

            def run(
                count: int, guest: Puppet = guest, beside: Puppet = beside
            ) -> None:
                for _ in range(count // 2):
                    gfn = draw.randrange(DATA, FIRST + PAGES)
                    put(guest, draw.choice(WAYS), gfn, draw.getrandbits(32))
                    beside.store(gfn, 0, 1)

            images = watched(guest)
            saved = mine.save_running(guest.vm, run, enough=2)
            what = f"style {style}, seed {seed}, rounds {saved.rounds}"
            if not images:
                fail(f"{what}: nobody has asked for the rest of its state")
            one.host.restore_vm(saved.image)
            two.host.restore_vm(images[-1])
            expect(
                one.host.hash(), two.host.hash(), f"{what}: the state's hash"
            )
            if not saved.rounds[0] > saved.rounds[-1] <= 2:
                fail(f"{what}: the last round has more than 2 pages")
            world.audit(what)
