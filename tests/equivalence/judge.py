"""Unfenced programs: was the architecture indifferent where the two parted?

A program that changes its tables and does not fence may see the old
translation or the new one, and the bare machine (with a small TLB) and a VM
(with shadow tables) may well see different ones. So a difference is legal if

1. the instruction that differed made an access with more than one allowed
   outcome, as :class:`hv.spec.History` tells; and
2. what each of the two did is one of the allowed outcomes: the fault that was
   taken, the address that was read or written, the A and D bits that were set.

To know the history, the program is run again up to there, and every change of
memory and satp and every fence is told to the specification.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

from hv.spec import Access, Board, History, Mode, Outcome, Translated, View
from hv.spec.mmu import PAGE_SIZE
from tests.equivalence.lockstep import RAM_BASE, Divergence, Lockstep, World

SSTATUS, SCAUSE, STVAL, SATP = 0x100, 0x142, 0x143, 0x180
SUM, MXR = 1 << 18, 1 << 19
PC, MODE = 32, 33
ECALL, RFNC = 0x73, 0x52464E43
DEVICES = (
    range(0x10_0000, 0x10_1000),
    range(0xC00_0000, 0xC60_0000),
    range(0x1000_0000, 0x1000_0100),
)


class Ram(MutableMapping[int, int]):
    """The words of memory, by physical address."""

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content)

    def __getitem__(self, pa: int) -> int:
        at = pa - RAM_BASE
        if not 0 <= at < len(self.content):
            raise KeyError(pa)
        return int.from_bytes(self.content[at : at + 4], "little")

    def __setitem__(self, pa: int, word: int) -> None:
        at = pa - RAM_BASE
        self.content[at : at + 4] = word.to_bytes(4, "little")

    def __delitem__(self, pa: int) -> None:
        raise TypeError

    def __iter__(self) -> Iterator[int]:
        return iter(range(RAM_BASE, RAM_BASE + len(self.content), 4))

    def __len__(self) -> int:
        return len(self.content) // 4


def changed(old: bytes, new: bytes) -> dict[int, int]:
    """Return the words that differ: address and new value."""
    found: dict[int, int] = {}
    for page in range(0, len(old), PAGE_SIZE):
        a, b = old[page : page + PAGE_SIZE], new[page : page + PAGE_SIZE]
        if a == b:
            continue
        for at in range(0, PAGE_SIZE, 4):
            if a[at : at + 4] != b[at : at + 4]:
                word = int.from_bytes(b[at : at + 4], "little")
                found[RAM_BASE + page + at] = word
    return found


@dataclass(frozen=True)
class State:
    """What an instruction sees of the hart."""

    x: tuple[int, ...]
    pc: int
    mode: int
    sstatus: int
    satp: int

    @classmethod
    def of(cls, world: World) -> "State":
        """Look at a world."""
        return cls(
            x=tuple(world.get(i) for i in range(32)),
            pc=world.get(PC),
            mode=world.get(MODE),
            sstatus=world.csr(SSTATUS),
            satp=world.csr(SATP),
        )

    @property
    def view(self) -> View:
        """Say what decides its accesses."""
        return View(
            Mode(self.mode),
            sum=bool(self.sstatus & SUM),
            mxr=bool(self.sstatus & MXR),
        )


@dataclass(frozen=True)
class DataAccess:
    """The load, store or AMO that an instruction is."""

    kind: Access
    va: int
    size: int
    rd: int | None = None  # where a loaded value goes ...
    signed: bool = False
    value: int | None = None  # ... and what a plain store writes

    @classmethod
    def of(cls, insn: int, x: tuple[int, ...]) -> "DataAccess | None":
        """Decode an instruction; None if it touches no data."""
        f3, rd, rs2 = insn >> 12 & 7, insn >> 7 & 31, insn >> 20 & 31
        base = x[insn >> 15 & 31]
        match insn & 0x7F:
            case 0x03 if f3 != 3 and f3 < 6:
                offset = (insn >> 20 ^ 0x800) - 0x800
                va, size = (base + offset) & 0xFFFFFFFF, 1 << (f3 & 3)
                return cls(Access.LOAD, va, size, rd=rd, signed=f3 < 2)
            case 0x23 if f3 < 3:
                offset = ((insn >> 25 << 5 | rd) ^ 0x800) - 0x800
                va, size = (base + offset) & 0xFFFFFFFF, 1 << f3
                return cls(Access.STORE, va, size, value=x[rs2])
            case 0x2F if f3 == 2 and insn >> 27 == 2:
                return cls(Access.LOAD, base, 4, rd=rd)
            case 0x2F if f3 == 2:
                return cls(Access.STORE, base, 4)
        return None

    def loaded(self, ram: Ram, pa: int) -> int | None:
        """Return what a load from there gives; None if a device decides."""
        word = ram.get(pa & ~3)
        if word is None or self.rd is None:
            return None
        value = word >> 8 * (pa & 3) & (1 << 8 * self.size) - 1
        sign = 1 << 8 * self.size - 1
        if self.signed and value & sign:
            value |= 0xFFFFFFFF & -sign
        return value


@dataclass(frozen=True)
class Effect:
    """What a step did, as far as an access can matter."""

    cause: int | None  # of the exception; None if the instruction retired
    tval: int
    state: State
    writes: dict[int, int]


@dataclass(frozen=True)
class Prediction:
    """One allowed way through the instruction."""

    cause: int | None
    tval: int
    outcomes: tuple[Outcome, ...]  # of the fetch, and of the data access
    access: DataAccess | None = None
    pa: int = 0

    def explains(self, effect: Effect, ram: Ram) -> bool:
        """Say whether this is what happened."""
        if (self.cause, self.tval) != (effect.cause, effect.tval):
            return False
        writes = dict(effect.writes)
        for mark in self.outcomes:
            if isinstance(mark, Translated) and mark.slot is not None:
                now = ram[mark.slot] | mark.sets
                if writes.pop(mark.slot, now) != now:
                    return False
        access = self.access
        if self.cause is not None or access is None:
            return access is None or not writes
        if access.kind is Access.STORE:
            return set(writes) <= {self.pa & ~3}
        value = access.loaded(ram, self.pa)
        right = value is None or access.rd in (0, None)
        return not writes and (right or effect.state.x[access.rd or 0] == value)


class Judge:
    """Follows a program, and knows at each step what is allowed."""

    def __init__(self, world: World, *, ad_fault: bool) -> None:
        self.world = world
        self.before = State.of(world)
        self.ram = Ram(world.memory())
        board = Board(
            ram=range(RAM_BASE, RAM_BASE + len(self.ram.content)),
            devices=DEVICES,
            ad_fault=ad_fault,
        )
        self.history = History(board, self.ram, self.before.satp)

    def step(self) -> None:
        """Follow one step."""
        before = self.before
        insn = self._insn()
        self.world.step()
        after = State.of(self.world)
        for pa, word in changed(
            bytes(self.ram.content), self.world.memory()
        ).items():
            self.history.write(pa, word)
        if after.satp != before.satp:
            self.history.set_satp(after.satp)
        if after.pc == before.pc + 4 and before.mode == Mode.SUPERVISOR:
            self._fence(insn, before)
        self.before = after

    def _insn(self) -> int:
        """Return what is about to be executed, as far as the tables know."""
        state = self.before
        fault, pa = (
            self.world.ffi.new("int *"),
            self.world.ffi.new("uint32_t *"),
        )
        self.world.lib.hv_translate(
            self.world.host, self.world.vm, 0, state.pc, 0, pa, fault
        )
        return 0 if fault[0] >= 0 else self.ram.get(int(pa[0]) & ~3, 0)

    def _fence(self, insn: int, state: State) -> None:
        """Tell the history of a fence that was executed."""
        if insn & 0xFE007FFF == 0x12000073:
            rs1 = insn >> 15 & 31
            self.history.fence(state.x[rs1] if rs1 else None)
        elif insn == ECALL:
            call, function = state.x[17], state.x[16]
            mine = state.x[11] == 0xFFFFFFFF or (
                state.x[11] == 0 and state.x[10] & 1
            )
            start, size = state.x[12], state.x[13]
            if call in (6, 7) and state.x[10] == 0:
                self.history.fence()
            elif call == RFNC and function in (1, 2) and mine:
                if start == 0 and size in (0, 0xFFFFFFFF):
                    self.history.fence()
                elif size <= 16 * PAGE_SIZE:
                    for va in range(start, start + size, PAGE_SIZE):
                        self.history.fence(va)

    def predictions(self) -> list[Prediction]:
        """Return every allowed way through the next instruction."""
        state, found = self.before, []
        for fetch in self._allowed(state.pc, Access.FETCH):
            if not isinstance(fetch, Translated):
                found.append(Prediction(fetch.cause, state.pc, (fetch,)))
                continue
            access = DataAccess.of(self.ram.get(fetch.pa & ~3, 0), state.x)
            if access is None:
                found.append(Prediction(None, 0, (fetch,)))
            elif access.va % access.size:
                cause = 6 if access.kind is Access.STORE else 4
                found.append(Prediction(cause, access.va, (fetch,), access))
            else:
                found += self._data(fetch, access)
        return found

    def _data(
        self, fetch: Translated, access: DataAccess
    ) -> Iterator[Prediction]:
        """Yield every allowed way that an aligned access may go."""
        for data in self._allowed(access.va, access.kind):
            both = (fetch, data)
            if not isinstance(data, Translated):
                yield Prediction(data.cause, access.va, both, access)
                continue
            yield Prediction(None, 0, both, access, data.pa)
            if data.pa not in self.history.board.ram:
                # A device may not like the access.
                cause = 7 if access.kind is Access.STORE else 5
                yield Prediction(cause, access.va, both, access)

    def _allowed(self, va: int, kind: Access) -> set[Outcome]:
        return self.history.allowed(va, kind, self.before.view)

    def effect(self, world: World, traps: set[int]) -> Effect:
        """Let a world make the step, and say what it did."""
        world.step()
        after = State.of(world)
        writes = changed(bytes(self.ram.content), world.memory())
        cause, tval = world.csr(SCAUSE), world.csr(STVAL)
        vector = world.csr(0x105) & ~3
        if after.pc == vector and after.mode == 1 and cause in traps:
            return Effect(cause, tval, after, writes)
        return Effect(None, 0, after, writes)


FAULTS = {1, 4, 5, 6, 7, 12, 13, 15}


def may_differ(lockstep: Lockstep, found: Divergence) -> bool:
    """Say whether the architecture allows this difference."""
    if found.what in ("broken", "ending", "console"):
        return False
    pair = lockstep.pair(found.seed, lockstep.image(found.seed))
    bare, vm = pair.worlds()
    judge = Judge(bare, ad_fault=bool(lockstep.config.ad_fault))
    for _ in range(found.steps):
        judge.step()
        vm.step()
    predictions = judge.predictions()
    if len({p.outcomes for p in predictions}) < 2:
        return False
    return all(
        any(p.explains(effect, judge.ram) for p in predictions)
        for effect in (judge.effect(bare, FAULTS), judge.effect(vm, FAULTS))
    )
