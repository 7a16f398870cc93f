"""Random lives of guests whose memory is given back, shared and logged.

Each guest has a model beside it, which knows nothing of any of that but what
the guest may see: :mod:`hv.spec.p2m`. After every step the audit runs and all
of memory is compared.
"""

from collections.abc import Sequence
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from hv.abi import Hypercall
from hv.spec.p2m import MAX_LIST, GuestMemory, fewest_frames
from tests.equivalence.core import Core
from tests.memory.puppet import (
    CODE,
    DATA,
    FIRST,
    LISTS,
    PAGE,
    PV_WRITERS,
    SHARED,
    WRITERS,
    Host,
    Puppet,
)

PAGES = 10  # a small world, so that choices collide
FRAMES = 256
STYLES = ("PV", "PV", "EMULATE", "ASSIST", "NESTED")
SCRATCH = {CODE, SHARED, LISTS}  # what moving a puppet writes to

guests = st.integers(0, 2)
gfns = st.integers(DATA, FIRST + PAGES - 1)
offsets = st.sampled_from([0, 4, PAGE - 4])
values = st.sampled_from([0, 0, 1, 1, 0xFFFFFFFF])
writers = st.sampled_from([*WRITERS, *PV_WRITERS[:1]])
wild = st.sampled_from(
    [0, FIRST - 1, FIRST + PAGES, 0xFFFFF, 0x100000, 0xFFFFFFFF, SHARED]
)
lists = st.lists(gfns, min_size=1, max_size=4)
bad_lists = st.lists(gfns | wild, max_size=4) | st.just([DATA] * (MAX_LIST + 1))


def agree(what: str, got: object, expected: object) -> None:
    """Expect what the model says, and say what differs."""
    assert got == expected, f"{what}: {got!r}; the model says {expected!r}"


class Memories(RuleBasedStateMachine):
    """Guests on one host, and what each of them must see."""

    core: ClassVar[Core]

    @initialize(
        styles=st.tuples(st.sampled_from(STYLES), st.sampled_from(STYLES))
    )
    def boot(self, styles: tuple[str, str]) -> None:
        self.host = Host(self.core, FRAMES)
        self.live: list[tuple[Puppet, GuestMemory]] = []
        for style in styles:
            self.add(style)

    def add(self, style: str) -> None:
        held = {SHARED} if style == "PV" else set[int]()
        model = GuestMemory(first=FIRST, pages=PAGES, held=held)
        self.live.append((Puppet(self.host, PAGES, style), model))

    def pick(self, n: int) -> tuple[Puppet, GuestMemory]:
        return self.live[n % len(self.live)]

    # -- lives --------------------------------------------------------------

    @precondition(lambda self: len(self.live) < 3)
    @rule(style=st.sampled_from(STYLES))
    def operator_makes_a_guest(self, style: str) -> None:
        self.add(style)

    @precondition(lambda self: len(self.live) > 1)
    @rule(n=guests)
    def operator_destroys_a_guest(self, n: int) -> None:
        puppet, model = self.pick(n)
        self.live.remove((puppet, model))
        puppet.destroy()

    # -- the guest ----------------------------------------------------------

    @rule(n=guests, gfn=gfns, offset=offsets)
    def guest_loads(self, n: int, gfn: int, offset: int) -> None:
        puppet, model = self.pick(n)
        agree("load", puppet.load(gfn, offset), model.load(gfn, offset))

    @rule(n=guests, writer=writers, gfn=gfns, offset=offsets, value=values)
    def somebody_writes(
        self, n: int, writer: str, gfn: int, offset: int, value: int
    ) -> None:
        puppet, model = self.pick(n)
        if writer in PV_WRITERS and not puppet.pv:
            writer = "store"
        done = puppet.change(writer, gfn, offset, value)
        agree(writer, done, model.store(gfn, offset, value))

    @rule(n=guests, gfn=gfns, offset=st.sampled_from([0, PAGE - 24]))
    def multicall_stores_its_errors(
        self, n: int, gfn: int, offset: int
    ) -> None:
        """A record {features, error, leaf 9}: an error is stored back."""
        puppet, model = self.pick(n)
        if not puppet.pv or not model.is_ram(gfn):
            return
        for i, word in enumerate((Hypercall.FEATURES, 0, 9)):
            at = offset + 4 * i
            assert puppet.change("api", gfn, at, word)
            assert model.store(gfn, at, word)
        at = gfn * PAGE + offset
        assert puppet.call(Hypercall.MULTICALL, at, 1) == 0
        assert model.store(gfn, offset + 4, 0xFFFFFFFD)

    @rule(n=guests, gfns=lists)
    def guest_gives_pages_back(self, n: int, gfns: Sequence[int]) -> None:
        puppet, model = self.pick(n)
        if puppet.pv:
            done = puppet.balloon(Hypercall.BALLOON_GIVE, gfns)
            agree("give", done, model.give(gfns))

    @rule(n=guests, gfns=lists)
    def guest_takes_pages(self, n: int, gfns: Sequence[int]) -> None:
        puppet, model = self.pick(n)
        if puppet.pv:
            gfns = [g for g in gfns if g in model.gone] or gfns
            done = puppet.balloon(Hypercall.BALLOON_TAKE, gfns)
            agree("take", done, model.take(gfns))

    @rule(n=guests, gfns=bad_lists)
    def guest_names_what_it_may_not(self, n: int, gfns: Sequence[int]) -> None:
        puppet, model = self.pick(n)
        if puppet.pv:
            done = puppet.balloon(Hypercall.BALLOON_GIVE, gfns)
            agree("give", done, model.give(gfns))
            done = puppet.balloon(Hypercall.BALLOON_TAKE, gfns)
            agree("take", done, model.take(gfns))

    # -- the host -----------------------------------------------------------

    @rule(n=guests, frames=st.integers(1, PAGES))
    def operator_sets_a_target(self, n: int, frames: int) -> None:
        puppet, model = self.pick(n)
        lib = self.host.lib
        self.host.ok(lib.hv_balloon_set(self.host.raw, puppet.id, frames))
        model.target = frames

    @rule(frames=st.integers(1, 20))
    def operator_scans_a_little(self, frames: int) -> None:
        self.host.scan(frames)

    @rule()
    def operator_scans_everything(self) -> None:
        self.host.scan()
        held, pages = 0, list[bytes]()
        for puppet, model in self.live:
            for gfn, data in puppet.populated().items():
                held += gfn in model.held
                if gfn not in model.held:
                    pages.append(data)
        agree("frames", self.host.used, held + fewest_frames(pages))
        agree("scan", self.host.scan(), 0)

    @rule(n=guests)
    def operator_asks_for_the_log(self, n: int) -> None:
        puppet, model = self.pick(n)
        lib, raw = self.host.lib, self.host.raw
        if model.log is None:
            self.host.ok(lib.hv_dirty_start(raw, puppet.id))
            model.start_log()
            return
        log = self.host.ffi.new("uint8_t[]", 2)
        count = self.host.ffi.new("uint32_t *")
        self.host.ok(lib.hv_dirty_fetch(raw, puppet.id, log, 2, count))
        named = {FIRST + i for i in range(PAGES) if log[i // 8] >> i % 8 & 1}
        assert len(named) == count[0]
        agree("log", named - SCRATCH, model.fetch_log() - SCRATCH)

    @precondition(
        lambda self: any(model.log is not None for _, model in self.live)
    )
    @rule()
    def operator_stops_logging(self) -> None:
        for puppet, model in self.live:
            if model.log is not None:
                lib, raw = self.host.lib, self.host.raw
                self.host.ok(lib.hv_dirty_stop(raw, puppet.id))
                model.stop_log()

    # -- always -------------------------------------------------------------

    @invariant()
    def everything_adds_up(self) -> None:
        self.host.audit()

    @invariant()
    def memory_is_what_its_guest_made_it(self) -> None:
        for puppet, model in self.live:
            for gfn in range(DATA, FIRST + PAGES):
                if not model.is_ram(gfn):
                    agree("frame", puppet.frame(gfn), None)
                    continue
                now = puppet.read(gfn * PAGE, PAGE)
                same = now == model.page(gfn)
                assert same, f"memory: page {gfn:#x} is another"

    def teardown(self) -> None:
        self.host.audit()
        for puppet, _ in self.live:
            puppet.destroy()
        self.host.audit()
        assert self.host.used == 0
        assert self.host.info.frames_reserved == 0
