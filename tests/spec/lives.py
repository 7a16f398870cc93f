"""Random lives of VMs: whatever they ask, what the specification says happens.

After each rule every VM is compared with its specification, and the audit runs.
Arguments are live (pages, lists, vCPUs that are there), stale (pages in the
balloon, tables that were unpinned) or at a boundary.
"""

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
from hv.spec import sbi
from hv.spec.csr import Csr
from hv.spec.frames import violations
from tests.equivalence.core import Core
from tests.machine import asm
from tests.memory.puppet import DATA, FIRST, LISTS, PAGE, SHARED, Host
from tests.spec.registers import CSR, PRIV
from tests.spec.world import PAGES, VCPUS, Actor, frames_of, host

FRAMES = 96
END = FIRST + PAGES
ROOT, LEAVES = DATA + 4, DATA + 5  # by habit; any page may become one
WINDOW = 0x4000_0000
STYLES = ("PV", "PV", "PV", "DIRECT", "EMULATE", "ASSIST", "NESTED")
MOST = 0xFFFF_FFFF
V, R, W, X, U, A, D = 1, 2, 4, 8, 16, 64, 128

actors = st.integers(0, 2)
vcpus = st.sampled_from([0, 0, 0, 1])
pages = st.integers(DATA, END - 1)
values = st.sampled_from([0, 1, 0x5A5A5A5A, MOST])
numbers = st.sampled_from([*Hypercall, 26, 27, MOST])
small = st.sampled_from(
    [*range(5), 7, 16, 31, 32, 33, 63, 64, 65, 1024, 4095, 4096, 4097]
)
places = st.builds(
    lambda gfn, offset: (gfn * PAGE + offset) & MOST,
    st.integers(FIRST - 1, END),
    st.sampled_from([0, 0, 0, 4, 16, 64, PAGE - 4, PAGE - 24, 2, PAGE - 1]),
)
wild = st.sampled_from(
    [
        *(MOST, MOST - 3, MOST - 63, 0x7FFFFFFF, 1 << 31, END * PAGE),
        *(0x1_0000_0000 - FIRST * PAGE, MOST - PAGE + 1, END * PAGE - 1),
        *(1 << 31 | ROOT, 1 << 31 | END, 3 << 30 | ROOT, 1 << 31 | 1 << 20),
        *range(FIRST, END),
    ]
)
arguments = st.tuples(*[places | small | wild] * 4)
frames = st.integers(FIRST - 1, END) | st.sampled_from([0, MOST, 0x100000])
gfn_lists = st.lists(pages, min_size=1, max_size=3) | st.lists(
    frames, max_size=4
)
rights = st.sampled_from(
    [
        *(V | R, V | R | W, V | R | W | A | D, V | R | X | A, V | W, 0, V),
        *(V | R | W | U, V | X | U | A, V | R | W | X | U | A | D, V | U),
        V | R | U | 32,
    ]
)
accesses = st.sampled_from(
    [
        *(asm.lw(asm.T1, 0, asm.T0), asm.lbu(asm.T1, 0, asm.T0)),
        *(asm.sw(asm.T1, 0, asm.T0), asm.sb(asm.T1, 0, asm.T0)),
        *(asm.amoadd_w(asm.T2, asm.T1, asm.T0), asm.lh(asm.T1, 0, asm.T0)),
    ]
)
odd = st.sampled_from(
    [
        *(asm.EBREAK, 0, MOST, 0x1020_0073, 0x3020_0073, 0x1200_0073),
        *(0x1800_2373, 0xC010_2373, 0xC010_1373, 0x1000_1373, asm.ECALL),
    ]
)
sbi_calls = st.sampled_from([*sbi.CALLS, (sbi.TIME, 1), (sbi.RFNC, 3)])


class Lives(RuleBasedStateMachine):
    """VMs on one host, and what each of them must be."""

    core: ClassVar[Core]

    @initialize(styles=st.tuples(*[st.sampled_from(STYLES)] * 2))
    def boot(self, styles: tuple[str, str]) -> None:
        self.host: Host = host(self.core, FRAMES)
        self.live = [Actor(self.host, PAGES, style) for style in styles]

    def pick(self, n: int, vcpu: int = 0) -> Actor:
        actor = self.live[n % len(self.live)]
        actor.vcpu = vcpu if vcpu < VCPUS else 0
        return actor

    # -- calls ---------------------------------------------------------------

    @rule(n=actors, vcpu=vcpus, number=numbers, args=arguments)
    def guest_calls(
        self, n: int, vcpu: int, number: int, args: tuple[int, ...]
    ) -> None:
        actor = self.pick(n, vcpu)
        actor.hypercall(number, *args)

    @rule(
        n=actors,
        number=st.sampled_from(
            [
                *(Hypercall.SET_SHARED, Hypercall.CONSOLE_WRITE),
                *(Hypercall.CONSOLE_READ, Hypercall.PT_PIN),
                *(Hypercall.PT_UNPIN, Hypercall.MULTICALL),
                *(Hypercall.PT_UPDATE, Hypercall.BALLOON_GIVE),
            ]
        ),
        gpa=places,
        count=small,
    )
    def guest_names_memory(
        self, n: int, number: int, gpa: int, count: int
    ) -> None:
        self.pick(n).hypercall(number, gpa, count)

    @rule(n=actors, vcpu=vcpus, other=small, gpa=places)
    def guest_asks_of_vcpus(
        self, n: int, vcpu: int, other: int, gpa: int
    ) -> None:
        actor = self.pick(n, vcpu)
        actor.hypercall(Hypercall.KICK, other)
        actor.hypercall(Hypercall.YIELD_TO, other)
        actor.hypercall(Hypercall.RUNSTATE, other, gpa)

    @rule(
        n=actors,
        vcpu=vcpus,
        records=st.lists(st.tuples(numbers, arguments), max_size=3),
        at=st.sampled_from([0, 4, PAGE - 24, PAGE - 28]),
    )
    def guest_makes_many_calls(
        self,
        n: int,
        vcpu: int,
        records: list[tuple[int, tuple[int, ...]]],
        at: int,
    ) -> None:
        actor = self.pick(n, vcpu)
        memory = actor.spec.memory
        gpa, size = LISTS * PAGE + at, 24 * len(records)
        free = not (actor.is_table(LISTS) or actor.is_table(LISTS + 1))
        if not memory.owns(gpa, size) or not free:
            return
        words = [w for number, args in records for w in (number, 9, *args)]
        actor.put(gpa, b"".join(word.to_bytes(4, "little") for word in words))
        actor.hypercall(Hypercall.MULTICALL, gpa, len(records))

    @rule(n=actors, vcpu=vcpus, call=sbi_calls, args=arguments)
    def guest_calls_its_firmware(
        self, n: int, vcpu: int, call: tuple[int, int], args: tuple[int, ...]
    ) -> None:
        self.pick(n, vcpu).make(*call, *args)

    @rule(n=actors, vcpu=vcpus, number=st.integers(0, 8), args=arguments)
    def guest_calls_as_of_old(
        self, n: int, vcpu: int, number: int, args: tuple[int, ...]
    ) -> None:
        self.pick(n, vcpu).make(number, 0, *args)

    @rule(
        n=actors,
        sends=st.sampled_from([1, 2, 3, 4, 0]),
        base=st.sampled_from([0, 1, 2, MOST]),
    )
    def guest_interrupts(self, n: int, sends: int, base: int) -> None:
        self.pick(n).make(sbi.IPI, 0, sends, base)

    @rule(n=actors, entry=pages, opaque=values)
    def guest_starts_a_hart(self, n: int, entry: int, opaque: int) -> None:
        self.pick(n).make(sbi.HSM, 0, 1, entry * PAGE, opaque)

    @rule(n=actors, said=st.sampled_from([0, 1, 2, 3]))
    def guest_tells_of_its_balloon(self, n: int, said: int) -> None:
        self.pick(n).hypercall(Hypercall.BALLOON, said)

    @rule(n=actors, gfns=gfn_lists)
    def guest_gives_pages_back(self, n: int, gfns: list[int]) -> None:
        self.pick(n).listed(Hypercall.BALLOON_GIVE, gfns)

    @rule(n=actors, gfns=gfn_lists)
    def guest_takes_pages(self, n: int, gfns: list[int]) -> None:
        actor = self.pick(n)
        gone = [g for g in gfns if g in actor.spec.memory.gone]
        actor.listed(Hypercall.BALLOON_TAKE, gone or gfns)

    # -- calls that come close to a limit, or to themselves --------------------

    @rule(
        n=actors,
        number=st.sampled_from(
            [
                *(Hypercall.PT_UPDATE, Hypercall.MULTICALL),
                *(Hypercall.BALLOON_GIVE, Hypercall.BALLOON_TAKE),
            ]
        ),
        count=st.sampled_from([0, 32, 33, 64, 65]),
    )
    def guest_goes_to_the_limit(self, n: int, number: int, count: int) -> None:
        self.pick(n).hypercall(number, DATA * PAGE, count)

    @rule(n=actors, page=pages, value=values, wild=places | wild)
    def guest_updates_two(
        self, n: int, page: int, value: int, wild: int
    ) -> None:
        words = [page * PAGE + 0x800, value, wild, value]
        self.pick(n).listed(Hypercall.PT_UPDATE, words)

    @rule(n=actors, gfn=pages)
    def guest_gives_away_its_list(self, n: int, gfn: int) -> None:
        actor = self.pick(n)
        memory = actor.spec.memory
        if memory.is_ram(LISTS) and not actor.is_table(LISTS):
            record = (Hypercall.BALLOON_GIVE, 9, LISTS * PAGE, 2, 0, 0)
            words = (LISTS, gfn, *record)
            data = b"".join(word.to_bytes(4, "little") for word in words)
            actor.put(LISTS * PAGE, data)
            actor.hypercall(Hypercall.MULTICALL, LISTS * PAGE + 8, 1)

    @rule(n=actors, at=places | wild, high=st.sampled_from([0, 0, 1, MOST]))
    def guest_asks_for_its_steal_time(self, n: int, at: int, high: int) -> None:
        self.pick(n).make(sbi.STA, 0, at, high, 0)

    @rule(n=actors, other=small)
    def guest_asks_after_a_hart(self, n: int, other: int) -> None:
        self.pick(n).make(sbi.HSM, 2, other)

    @rule(n=actors, at=places, size=small | wild)
    def guest_prints(self, n: int, at: int, size: int) -> None:
        self.pick(n).hypercall(Hypercall.CONSOLE_WRITE, at, size)
        self.pick(n).hypercall(Hypercall.CONSOLE_READ, at, size)

    # -- instructions --------------------------------------------------------

    @rule(n=actors, vcpu=vcpus, access=accesses, at=places, value=values)
    def guest_touches(
        self, n: int, vcpu: int, access: int, at: int, value: int
    ) -> None:
        actor = self.pick(n, vcpu)
        if actor.can_act():
            actor.let(asm.T0, at)
            actor.let(asm.T1, value)
            actor.execute(access)

    @rule(n=actors, vcpu=vcpus, insn=odd)
    def guest_tries(self, n: int, vcpu: int, insn: int) -> None:
        self.pick(n, vcpu).execute(insn)

    @rule(n=actors, vcpu=vcpus, number=numbers, args=arguments)
    def user_calls(
        self, n: int, vcpu: int, number: int, args: tuple[int, ...]
    ) -> None:
        """An ecall from user mode is the guest's own, whatever it says."""
        actor = self.pick(n, vcpu)
        if actor.can_act():
            actor.let(PRIV, 0)
            actor.hypercall(number, *args)

    @rule(n=actors, vcpu=vcpus)
    def guest_goes_back_to_its_kernel(self, n: int, vcpu: int) -> None:
        actor = self.pick(n, vcpu)
        if actor.can_act():
            actor.let(PRIV, 1)

    @rule(
        n=actors,
        words=st.tuples(*[values | places | st.integers(0, 3)] * 9),
        enabled=st.integers(0, 1),
    )
    def guest_writes_its_shared_page(
        self, n: int, words: tuple[int, ...], enabled: int
    ) -> None:
        actor = self.pick(n)
        if actor.spec.memory.is_ram(SHARED) and not actor.is_table(SHARED):
            data = b"".join(w.to_bytes(4, "little") for w in words[1:])
            where = SHARED * PAGE
            actor.put(where, enabled.to_bytes(4, "little") + data)

    # -- address spaces ------------------------------------------------------

    @rule(n=actors, page=pages, index=st.integers(0, 9), bits=rights)
    def guest_edits_a_leaf(
        self, n: int, page: int, index: int, bits: int
    ) -> None:
        actor = self.pick(n)
        if actor.kind != "DIRECT" and self.habits(actor):
            entry = page << 10 | bits
            self.edit(actor, LEAVES * PAGE + 4 * index, entry)

    @rule(n=actors, vcpu=vcpus)
    def guest_turns_translation_on(self, n: int, vcpu: int) -> None:
        """Code and lists by a megapage, and a window of leaves."""
        actor = self.pick(n, vcpu)
        if actor.kind == "DIRECT" or not self.habits(actor):
            return
        full = V | R | W | X | A | D
        self.edit(actor, ROOT * PAGE + 4 * (FIRST >> 10), FIRST << 10 | full)
        self.edit(actor, ROOT * PAGE + 4 * (WINDOW >> 22), LEAVES << 10 | V)
        if not actor.can_act():
            return
        satp = 1 << 31 | ROOT
        if actor.pv:
            actor.hypercall(Hypercall.SET_ROOT, satp)
        else:
            actor.let(CSR + Csr.SATP, satp)
        self.fence(actor)

    @rule(n=actors, vcpu=vcpus)
    def guest_turns_translation_off(self, n: int, vcpu: int) -> None:
        actor = self.pick(n, vcpu)
        if actor.kind != "DIRECT" and actor.can_act():
            actor.let(CSR + Csr.SATP, 0)

    @rule(
        n=actors,
        vcpu=vcpus,
        access=accesses,
        index=st.integers(0, 10),
        user=st.booleans(),
    )
    def guest_touches_its_window(
        self, n: int, vcpu: int, access: int, index: int, *, user: bool
    ) -> None:
        actor = self.pick(n, vcpu)
        if actor.can_act() and not user:
            actor.let(asm.T0, WINDOW + index * PAGE + 8)
            actor.execute(access)

    def habits(self, actor: Actor) -> bool:
        memory = actor.spec.memory
        return memory.is_ram(ROOT) and memory.is_ram(LEAVES)

    def edit(self, actor: Actor, slot: int, entry: int) -> None:
        """Change an entry as the architecture asks: with a fence."""
        actor.put(slot, entry.to_bytes(4, "little"))
        self.fence(actor)

    def fence(self, actor: Actor) -> None:
        if actor.pv:
            actor.hypercall(Hypercall.FENCE, 0, 0)
        else:
            actor.execute(asm.sfence_vma(0, 0))

    # -- typed tables --------------------------------------------------------

    @rule(n=actors, gfn=pages, level=st.sampled_from([0, 0, 1, 2]))
    def guest_pins(self, n: int, gfn: int, level: int) -> None:
        self.pick(n).hypercall(Hypercall.PT_PIN, gfn * PAGE, level)

    @rule(n=actors, gfn=pages)
    def guest_unpins(self, n: int, gfn: int) -> None:
        self.pick(n).hypercall(Hypercall.PT_UNPIN, gfn * PAGE)

    @rule(
        n=actors,
        table=pages,
        index=st.sampled_from([0, FIRST >> 10, 1023]),
        page=pages,
        bits=rights,
    )
    def guest_updates_an_entry(
        self, n: int, table: int, index: int, page: int, bits: int
    ) -> None:
        actor = self.pick(n)
        tables = actor.spec.tables
        frame = page
        if tables is not None:
            frame = next(h for h, gfn in tables.frames.items() if gfn == page)
        elif table in (ROOT, LEAVES):
            return  # a right that is added needs no call, and may be seen late
        slot = table * PAGE + 4 * index
        actor.listed(Hypercall.PT_UPDATE, [slot, frame << 10 | bits])

    # -- the host ------------------------------------------------------------

    @rule(n=actors, size=st.integers(1, PAGES))
    def host_sets_a_balloon(self, n: int, size: int) -> None:
        actor = self.pick(n)
        status = self.host.lib.hv_balloon_set(self.host.raw, actor.id, size)
        if status == self.host.lib.HV_OK:
            actor.spec.memory.target = size
        else:
            assert actor.kind == "DIRECT"

    @rule()
    def host_shares(self) -> None:
        self.host.scan()

    @rule(n=actors, data=st.binary(min_size=1, max_size=5))
    def host_types(self, n: int, data: bytes) -> None:
        self.pick(n).type(data)

    @rule(n=actors)
    def host_pauses_and_resumes(self, n: int) -> None:
        lib, raw, actor = self.host.lib, self.host.raw, self.pick(n)
        self.host.ok(lib.hv_vm_pause(raw, actor.id))
        assert lib.hv_step(raw, actor.id, 0) == lib.HV_ERR_STATE
        self.host.ok(lib.hv_vm_resume(raw, actor.id))

    @rule(n=actors)
    def host_logs_or_stops(self, n: int) -> None:
        lib, raw, actor = self.host.lib, self.host.raw, self.pick(n)
        if lib.hv_dirty_start(raw, actor.id) == lib.HV_ERR_STATE:
            self.host.ok(lib.hv_dirty_stop(raw, actor.id))

    @precondition(lambda self: len(self.live) < 3)
    @rule(style=st.sampled_from(STYLES))
    def host_makes_a_vm(self, style: str) -> None:
        self.live.append(Actor(self.host, PAGES, style))

    @precondition(lambda self: len(self.live) > 1)
    @rule(n=actors)
    def host_destroys_a_vm(self, n: int) -> None:
        actor = self.pick(n)
        self.live.remove(actor)
        actor.destroy()

    # -- always --------------------------------------------------------------

    @invariant()
    def all_is_as_specified(self) -> None:
        for actor in self.live:
            actor.compare()
        self.host.audit()
        wrong = list(violations(frames_of(self.host, self.live)))
        assert not wrong, f"frames: {wrong}"
        ended = [a for a in self.live if a.spec.ended is not None]
        for actor in ended:
            self.live.remove(actor)
            actor.destroy()
        if not self.live:
            self.live.append(Actor(self.host, PAGES, "PV"))

    def teardown(self) -> None:
        for actor in self.live:
            actor.destroy()
        self.host.audit()
        assert self.host.used == 0
