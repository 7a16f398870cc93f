"""VMs and what the specification says of them, step by step.

An actor is a puppet (tests/memory/puppet.py) with its specification beside it.
What it executes, both execute; what the host does, is done to both. Then all
actors are compared, not only the one that acted: registers, memory, run
states, balloons, consoles.

Time stands still: an instruction costs one cycle, all else nothing, and a tick
is a million. So what a call says of time is 0, and a deadline is due or is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hv.abi import Hypercall
from hv.spec import hypercalls, sbi, trv32
from hv.spec.calls import A0, Answer
from hv.spec.csr import SSIP, STIP, WRITABLE, Csr
from hv.spec.direct import Tables
from hv.spec.firmware import Sbi
from hv.spec.frames import Domain, Frame, Machine
from hv.spec.hart import Computer, Hart, Off, Style
from hv.spec.p2m import GuestMemory
from hv.spec.typed import typed
from tests.equivalence.core import CData, Core
from tests.memory.puppet import CODE, FIRST, LISTS, PAGE, SHARED, Host, Puppet
from tests.spec.registers import CSR, PC, PRIV, put_register

AT = CODE * PAGE + 0x80  # where an actor's next instruction is put
RUNNING, RUNNABLE, BLOCKED, OFFLINE = range(4)
TICK = 1_000_000  # cycles
VCPUS = 2
PAGES = 10  # of each VM: a small world, so that choices collide
POOL = 4 * VCPUS + 4


def host(core: Core, frames: int, **options: int) -> Host:
    """Make a host on which time stands still."""
    plain = core.config()
    made = Host(core, frames, time_div=TICK, cost=list(plain.cost), **options)
    made.ok(made.lib.hv_audit(made.raw, made.ffi.NULL, 0))
    return made


def frames_of(where: Host, actors: Sequence["Actor"]) -> Machine:
    """Return the machine's frames, as the specification speaks of them."""
    info = where.info
    table: CData = where.ffi.new("struct hv_frame[]", info.frames)
    where.ok(where.lib.hv_frames(where.raw, FIRST, info.frames, table))
    frames = {
        FIRST + n: Frame(f.owner, f.refs, f.gfn, f.entries)
        for n, f in enumerate(table)
    }
    domains = [
        Domain(
            id=actor.id,
            p2m={
                gfn: hfn
                for gfn in range(FIRST, FIRST + PAGES)
                if (hfn := actor.frame(gfn)) is not None
            },
            pages=PAGES - len(actor.spec.memory.gone),
            promised=PAGES,
            held=actor.spec.memory.held,
            second_stage=actor.kind == "NESTED",
            tables=actor.told_tables(),
        )
        for actor in actors
    ]
    pools = sum(actor.for_tables for actor in actors)
    return Machine(
        frames, domains, info.frames_reserved, pools - info.frames_hyp
    )


@dataclass
class Seen:
    """What is compared of a hart."""

    x: list[int]
    pc: int
    mode: int
    csr: dict[str, int]
    state: str


class Actor(Puppet):
    """A VM, and what must be so."""

    def __init__(self, where: Host, pages: int, style: str) -> None:
        before = where.info.frames_reserved + where.info.frames_hyp
        super().__init__(where, pages, style, vcpus=VCPUS, shadow_frames=POOL)
        after = where.info.frames_reserved + where.info.frames_hyp
        # Frames for its tables, had or to be had: what is not for its pages.
        self.for_tables = after - before - (pages - self.info.frames_own)
        self.kind = style
        native = style not in ("PV", "DIRECT")
        memory = GuestMemory(first=FIRST, pages=pages)
        self.spec = Computer(
            memory=memory,
            harts=[Hart(id=n, stopped=n > 0) for n in range(VCPUS)],
            style=Style.NATIVE if native else Style[style],
            time_div=TICK,
        )
        self.beneath = Sbi() if native else hypercalls.Pv()
        self._begin()

    def _begin(self) -> None:
        """Take the state that the puppet's own beginning has left."""
        memory, hart = self.spec.memory, self.spec.harts[0]
        for gfn in range(FIRST, FIRST + self.pages):
            memory.contents[gfn] = bytearray(self.read(gfn * PAGE, PAGE))
        if self.pv:
            trap = CODE * PAGE + 24
            memory.held.append(SHARED)
            hart.shared.info, hart.shared.entry = SHARED * PAGE, (trap, 0)
            sbi.open_to_paravirtual(hart)
        hart.x = [self.get(n) for n in range(32)]
        hart.pc = self.get(PC)
        for number in WRITABLE:
            hart.csr[number] = self.get(CSR + number)
        if self.kind == "DIRECT":
            frames = {
                frame: gfn
                for gfn in range(FIRST, FIRST + self.pages)
                if (frame := self.frame(gfn)) is not None
            }
            self.spec.tables = Tables(frames, held=memory.held)

    # -- both ----------------------------------------------------------------

    @property
    def hart(self) -> Hart:
        """The hart that acts."""
        return self.spec.harts[self.vcpu]

    def put(self, gpa: int, data: bytes) -> None:
        """Write memory from outside."""
        self.write(gpa, data)
        self.spec.put(gpa, data)

    def let(self, register: int, value: int) -> None:
        """Set a register from outside."""
        self.set(register, value)
        put_register(self.hart, register, value)

    def can_act(self) -> bool:
        """Say whether a step would be made now, and not wait for ever."""
        hart = self.hart
        if hart.stopped or self.spec.ended is not None:
            return False
        return not hart.waiting or self.awake(hart)

    def awake(self, hart: Hart) -> bool:
        """Say whether something has come that ends its sleep."""
        come = hart.asked or (hart.timer is not None and hart.timer == 0)
        return come or self.beneath.wakes(hart)

    def step(self) -> None:
        """Make one step on both."""
        status = self.lib.hv_step(self.host.raw, self.id, self.vcpu)
        broken = status == self.lib.HV_ERR_BROKEN
        assert not broken, self.host.text(
            self.lib.hv_host_reason(self.host.raw)
        )
        made = trv32.step(self.spec, self.hart, self.beneath)
        done = status == self.lib.HV_OK
        ended = self.spec.ended is not None
        assert done == made or ended, f"step: {status}, {made}"

    def execute(self, *words: int) -> None:
        """Execute instructions, or take the traps and interrupts instead."""
        if not self.can_act() or not self.spec.memory.is_ram(CODE):
            return
        self.put(AT, b"".join(word.to_bytes(4, "little") for word in words))
        self.let(PC, AT)
        for _ in words:
            if self.can_act():
                self.step()

    def answered(self) -> None:
        """Where the specification leaves a choice: what was chosen."""
        last = self.beneath.last
        if last is None or len(last.errors) == 1:
            return
        got = self.get(A0)
        got -= got >> 31 << 32
        assert got in last.errors, f"error: {got} is none of {last.errors}"
        self.hart.set(A0, got)

    def told_tables(self) -> Tables | None:
        """Return its typed tables, told what is in memory."""
        return typed(self.spec) if self.spec.tables else None

    def make(self, extension: int, function: int, *args: int) -> Answer | None:
        """Make a call; return what the specification says of it."""
        for register, value in enumerate((*args, 0, 0, 0, 0, 0, 0)[:6], A0):
            self.let(register, value & 0xFFFFFFFF)
        self.let(17, extension)
        self.let(16, function)
        self.beneath.last = None
        self.execute(0x73)
        self.answered()
        return self.beneath.last

    def hypercall(self, number: int, *args: int) -> Answer | None:
        """Make one of hv's own calls."""
        return self.make(sbi.HV, number, *args)

    def listed(self, number: Hypercall, words: list[int]) -> Answer | None:
        """Make a call about a list, which it puts where lists are."""
        if not self.spec.memory.is_ram(LISTS) or self.is_table(LISTS):
            return None
        data = b"".join(word.to_bytes(4, "little") for word in words)
        self.put(LISTS * PAGE, data[:PAGE])
        size = 2 if number == Hypercall.PT_UPDATE else 1
        return self.hypercall(number, LISTS * PAGE, len(words) // size)

    def is_table(self, gfn: int) -> bool:
        """Say whether a page is a typed table."""
        tables = self.spec.tables
        return tables is not None and tables.level(gfn) is not None

    # -- comparing -----------------------------------------------------------

    def compare(self) -> None:
        """Expect what the specification says."""
        self._compare_life()
        if self.spec.ended is None:
            for n in range(VCPUS):
                got, right = self._seen(n), self._right(n)
                for field in ("state", "pc", "mode", "x", "csr"):
                    a, b = getattr(got, field), getattr(right, field)
                    assert a == b, f"{field} of vCPU {n}: {a} is not {b}"
        self._compare_memory()
        self._compare_console()

    def _compare_life(self) -> None:
        info, ended = self.info, self.spec.ended
        if isinstance(ended, Off):
            assert info.state == self.lib.HV_VM_OFF, "life: not off"
            how = (info.exit_code, bool(info.rebooted))
            assert how == (ended.code, ended.reset), f"life: {how}"
        elif ended is not None:
            assert info.state == self.lib.HV_VM_KILLED, "life: not killed"
            assert self.reason.startswith(ended), f"life: {self.reason}"
        else:
            lives = (self.lib.HV_VM_RUNNABLE, self.lib.HV_VM_BLOCKED)
            assert info.state in lives, f"life: {info.state}, {self.reason}"

    def _seen(self, n: int) -> Seen:
        self.vcpu, before = n, self.vcpu
        info: CData = self.ffi.new("struct hv_vcpu_info *")
        self.host.ok(self.lib.hv_vcpu_info(self.host.raw, self.id, n, info))
        states = ("runs", "runs", "sleeps", "off")
        seen = Seen(
            [self.get(i) for i in range(32)],
            self.get(PC),
            self.get(PRIV),
            {number.name: self.get(CSR + number) for number in self._csrs},
            states[info.state],
        )
        self.vcpu = before
        return seen

    @property
    def _csrs(self) -> tuple[Csr, ...]:
        # A paravirtual kernel has no CSRs; of these its hypervisor keeps two.
        if self.spec.style is Style.NATIVE:
            return tuple(WRITABLE)
        return (Csr.SATP, Csr.SIP) if self.kind == "PV" else (Csr.SIP,)

    def _right(self, n: int) -> Seen:
        hart = self.spec.harts[n]
        csr = {number.name: hart.csr[number] for number in self._csrs}
        if hart.asked:
            csr["SIP"] |= SSIP
        if hart.timer == 0:
            csr["SIP"] |= STIP
        if hart.stopped:
            state = "off"
        else:
            asleep = hart.waiting and not self.awake(hart)
            state = "sleeps" if asleep else "runs"
        return Seen(hart.x, hart.pc, hart.mode, csr, state)

    def _compare_memory(self) -> None:
        memory = self.spec.memory
        for hart in self.spec.harts:
            self._settle_steal(hart)
        for gfn in range(FIRST, FIRST + self.pages):
            if not memory.is_ram(gfn):
                assert self.frame(gfn) is None, f"p2m: {gfn:#x} is there"
                continue
            now, right = self.read(gfn * PAGE, PAGE), memory.page(gfn)
            if now != right:
                at = next(i for i in range(PAGE) if now[i] != right[i]) & ~3
                a, b = now[at : at + 4].hex(), right[at : at + 4].hex()
                raise AssertionError(
                    f"memory at {gfn * PAGE + at:#x}: {a} is not {b}"
                )
            empty = self.frame(gfn) is None
            blank = not empty or right == bytes(PAGE)
            assert blank, f"p2m: {gfn:#x} has no frame"
        self._compare_balloon()

    def _settle_steal(self, hart: Hart) -> None:
        """Take over what is told of steal time: it is the scheduler's to say.

        At rest the sequence is even; nothing was stolen, since time stands.
        """
        at = hart.shared.steal
        if at is None or self.spec.ended is not None:
            return
        told = self.read(at, sbi.STEAL_SIZE)
        assert told[0] % 2 == 0, "steal: it is being written"
        assert not any(told[4:16]), "steal: time was stolen"
        assert not any(told[20:]), "steal: more was written"
        self.spec.memory.write(at, told)

    def _compare_balloon(self) -> None:
        out = self.ffi.new("struct hv_balloon *")
        status = self.lib.hv_balloon_info(self.host.raw, self.id, out)
        if self.kind == "DIRECT":
            return
        self.host.ok(status)
        memory = self.spec.memory
        got = (out.actual, out.target)
        right = (memory.pages - len(memory.gone), memory.target)
        assert got == right, f"balloon: {got} is not {right}"
        stuck = out.state == self.lib.HV_BALLOON_STUCK
        said = memory.pages - len(memory.gone) > memory.target
        said = said and self.spec.balloon_said == 2
        assert stuck == said, f"balloon: stuck is {stuck}"

    def _compare_console(self) -> None:
        out = self.ffi.new("uint8_t[]", 1 << 14)
        taken = self.lib.hv_console_take(self.host.raw, self.id, out, len(out))
        got = bytes(self.ffi.buffer(out, taken))
        right = bytes(self.spec.printed)
        assert got == right, f"console: {got[:40]!r} is not {right[:40]!r}"
        self.spec.printed.clear()

    def type(self, data: bytes) -> None:
        """Give it console input."""
        given = self.lib.hv_console_give(
            self.host.raw, self.id, data, len(data)
        )
        assert given == len(data)
        self.spec.typed += data
