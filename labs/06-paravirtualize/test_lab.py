"""Lab 6: the kernel's privileged operations, one by one; then all of it.

A test calls a function of the student's in a VM whose kernel has come as far as
it goes without it, and looks at registers, memory and the counters of exits.
The oracle of the whole is the native kernel on the bare machine.
"""

import random
import re
from pathlib import Path
from typing import Self

from hv.counters import Counters
from hv.hypervisor import Hypervisor
from hv.images import find
from hv.labs.kit import AD, RAM, RWX, SATP_MODE, V
from hv.labs.points import expect, fail, points
from hv.machine import Machine

SPARE = RAM + 0xC00000  # pages that the kernel has not given to anybody yet
TRAP, BACK, TARGET = SPARE, SPARE + 0x100, SPARE + 0x200
STACK, LIST, SLOTS = SPARE + 0x1800, SPARE + 0x2000, SPARE + 0x3000
SLED = SPARE + 0x4000
ROOTS = (SPARE + 0x6000, SPARE + 0x7000)
NOPS = 600
EBREAK, LOOP, NOP, JR_T0 = 0x00100073, 0x6F, 0x13, 0x00028067
BUDGET = 200_000  # instructions until a function returns
WHOLE = 50_000_000  # ... and a whole run has ended

ENABLED, PENDING, CAUSE, EPC, PREV, SP = 0, 4, 8, 16, 20, 24  # SI_x of abi/pv.h
PREV_KERNEL, PREV_IRQ = 1, 2
TIMER, SYSTEM_CALL = 0x80000005, 8
REGISTERS = [f"x{i}" for i in range(1, 32) if i != 2]
FRAME = 144
F_SP, F_EPC, F_CAUSE, F_TVAL, F_STATUS = 8, 128, 132, 136, 140
FENCE, SET_ENTRY, NO_CALL = 6, 2, 999
U32 = 1 << 32

LINE = re.compile(r"^\[(\d+ \w+)\] (.*?)\r?$", re.MULTILINE)
WORK = ("crc", "forks", "hog", "ping", "sieve", "syscalls", "churn", "mixed")


class Kernel:
    """The student's kernel in a VM of style pv, untranslated yet."""

    def __init__(self, image: Path) -> None:
        self._hypervisor = Hypervisor(ram="32MiB")
        self.vm = self._hypervisor.create(style="pv", mem="16MiB")
        self.vm.load(image, append="quiet")
        self.vm.boot()
        self.cpu, self.mem = self.vm.cpu[0], self.vm.mem
        self.shared = self.vm.address("pv_shared_page")
        self.must("lock_init")  # the first function after priv_init()
        self.mem.write32(TRAP, EBREAK)
        self.mem.write32(BACK, LOOP)
        self.mem.write32(TARGET, LOOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hypervisor.close()

    def to(self, *places: str | int, budget: int = BUDGET) -> str | int:
        """Run to one of these places; "" if it comes to none."""
        at = {
            p if isinstance(p, int) else self.vm.address(p): p for p in places
        }
        self.vm.breakpoints |= at.keys()
        self.vm.run(budget)
        self.vm.breakpoints.clear()
        return at.get(self.cpu.pc, "")

    def must(
        self, place: str | int, what: str = "", budget: int = BUDGET
    ) -> None:
        """Run to a place, or say where the kernel is instead."""
        got = self.to(place, "panic", budget=budget)
        if got == place:
            return
        name = place if isinstance(place, str) else f"{place:#x}"
        fail(
            f"{what or 'starting'}: the kernel does not come to {name}",
            f"  it is at {self.where()}, in {self.cpu.priv.value}",
            *([f"  it says: {self.panic()}"] if got == "panic" else []),
            *([f"  {self.vm.reason}"] if self.vm.reason else []),
        )

    def where(self) -> str:
        """Return the function that it is in."""
        pc, layout = self.cpu.pc, self.vm.layout
        below = [
            (address, name)
            for name, address in (layout.symbols if layout else {}).items()
            if address <= pc
        ]
        near = max(below, default=(0, "?"))[1]
        return f"{pc:#x} ({near})"

    def panic(self) -> str:
        """Return the message of the panic that it has just called."""
        values = iter(range(1, 8))

        def value(match: re.Match[str]) -> str:
            word = self.cpu.reg(f"a{next(values)}")
            match match[0][-1]:
                case "s":
                    return self.text(word)
                case "d":
                    return str(word - (word >> 31 << 32))
            return f"{word:#x}"

        return re.sub(r"%0?8?[sduxc]", value, self.text(self.cpu.a0))

    def text(self, at: int) -> str:
        """Return the C string at an address."""
        return self.mem.read(at, 80).partition(b"\0")[0].decode("latin-1")

    def flag(self, offset: int) -> int:
        """Return a word of the shared page."""
        return self.mem.read32(self.shared + offset)

    def set_flag(self, offset: int, value: int) -> None:
        self.mem.write32(self.shared + offset, value)

    def ready(self, function: str, *args: int) -> None:
        """Stand before the first instruction of a function."""
        for i, value in enumerate(args):
            self.cpu.set_reg(f"a{i}", value)
        self.cpu.ra, self.cpu.pc = BACK, self.vm.address(function)

    def call(self, function: str, *args: int) -> int:
        """Call a function and return what it does."""
        self.ready(function, *args)
        self.must(BACK, f"{function}()")
        return self.cpu.a0

    def count(self, function: str, *args: int) -> Counters:
        """Call a function and return what was counted meanwhile."""
        before = self.vm.counters
        self.call(function, *args)
        return self.vm.counters - before

    def timer(self, ticks: int) -> None:
        """Let the timer's interrupt come in so many ticks of `time`."""
        self.call("hcall_set_timer", self.cpu.reg("time") + ticks, 0)


@points(5, "it starts")
def test_starts(image: Path) -> None:
    with Kernel(image):
        pass


def check_frame(kernel: Kernel, frame: int, wanted: dict[str, int]) -> None:
    for name, value in wanted.items():
        place = {
            "sp": F_SP, "epc": F_EPC, "cause": F_CAUSE,
            "tval": F_TVAL, "status": F_STATUS,
        }.get(name)  # fmt: skip
        if place is None:
            place = 4 * int(name.removeprefix("x"))
        expect(kernel.mem.read32(frame + place), value, f"the frame: {name}")


def interrupted(
    kernel: Kernel, draw: random.Random, mode: str, irq: int
) -> None:
    """Let the kernel take a trap; look at the frame that it makes."""
    stack = STACK - 16 * draw.randrange(8)
    sp = STACK - 0x400 if mode == "S" else draw.randrange(0, U32, 4)
    entry = kernel.vm.address("pv_trap_entries")
    kernel.call("hcall_set_entry", entry, stack)
    values = {name: draw.getrandbits(32) for name in REGISTERS}
    for name, value in values.items():
        kernel.cpu.set_reg(name, value)
    kernel.cpu.sp, kernel.cpu.pc = sp, TRAP
    kernel.cpu.set_priv(mode)
    kernel.set_flag(ENABLED, irq)
    kernel.must("trap_handle", f"a trap from {mode}")
    top = sp if mode == "S" else stack
    expect(kernel.cpu.a0, top - FRAME, "where the frame is")
    status = (PREV_KERNEL if mode == "S" else 0) | (PREV_IRQ if irq else 0)
    check_frame(
        kernel,
        kernel.cpu.a0,
        {**values, "sp": sp, "epc": TRAP, "cause": 3, "tval": TRAP}
        | {"status": status},
    )


@points(15, "traps: the frame")
def test_entry(image: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for mode, irq in (("S", 0), ("S", 1), ("U", 1)):
        with Kernel(image) as kernel:
            interrupted(kernel, draw, mode, irq)


@points(15, "traps: the way back")
def test_return(image: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for status in (PREV_KERNEL, PREV_KERNEL | PREV_IRQ, PREV_IRQ):
        with Kernel(image) as kernel:
            values = {f"x{i}": draw.randrange(0, U32, 16) for i in range(1, 32)}
            frame = STACK - FRAME
            for name, value in values.items():
                kernel.mem.write32(frame + 4 * int(name[1:]), value)
            kernel.mem.write32(frame + F_EPC, TARGET)
            kernel.mem.write32(frame + F_STATUS, status)
            kernel.cpu.sp = frame
            kernel.cpu.pc = kernel.vm.address("priv_trap_return")
            what = f"priv_trap_return, status {status:#x}"
            kernel.must(TARGET, what)
            for name, value in values.items():
                expect(kernel.cpu.reg(name), value, f"{what}: {name}")
            mode = "S" if status & PREV_KERNEL else "U"
            expect(kernel.cpu.priv.value, mode, f"{what}: the mode")
            on = int(bool(status & PREV_IRQ))
            expect(kernel.flag(ENABLED), on, f"{what}: interrupts are on")


@points(10, "interrupts: masked without an exit")
def test_mask(image: Path) -> None:
    with Kernel(image) as kernel:
        kernel.count("priv_irq_off")  # its pages are there from now on
        for before in (1, 0):
            kernel.set_flag(ENABLED, before)
            done = kernel.count("priv_irq_off")
            what = "priv_irq_off()"
            expect(
                kernel.cpu.a0 & 0xFF, before, f"{what}: whether they were on"
            )
            expect(kernel.flag(ENABLED), 0, f"{what}: the flag behind it")
            expect(done["exits"], 0, f"{what}: exits")
        for on in (0, 1):
            kernel.set_flag(ENABLED, 0)
            done = kernel.count("priv_irq_restore", on)
            what = f"priv_irq_restore({on}), nothing pending"
            expect(kernel.flag(ENABLED), on, f"{what}: the flag behind it")
            expect(done["exits"], 0, f"{what}: exits")


@points(10, "interrupts: what is pending is taken")
def test_unmask(image: Path) -> None:
    with Kernel(image) as kernel:
        kernel.call("priv_irq_off")
        kernel.timer(0)
        kernel.count("priv_irq_restore", 0)
        expect(kernel.flag(ENABLED), 0, "priv_irq_restore(0): the flag")
        expect(kernel.flag(PENDING), 1 << 5, "SI_IRQ_PENDING: the timer's bit")
        kernel.ready("priv_irq_restore", 1)
        got = kernel.to("pv_trap_entries", BACK)
        if got != "pv_trap_entries":
            fail(
                "priv_irq_restore(1) with a timer interrupt pending: it is not "
                "taken before the function returns"
            )
        expect(kernel.flag(CAUSE), TIMER, "the interrupt that is taken")


def sled(kernel: Kernel, nops: int) -> None:
    """Stand so many instructions before priv_irq_restore(1)."""
    kernel.ready("priv_irq_restore", 1)
    kernel.cpu.t0 = kernel.cpu.pc
    kernel.cpu.pc = SLED + 4 * (NOPS - nops)


def timed(image: Path) -> Kernel:
    """Return a kernel at a sled; its timer will fire on the way."""
    kernel = Kernel(image)
    words = [NOP] * NOPS + [JR_T0]
    code = b"".join(word.to_bytes(4, "little") for word in words)
    kernel.mem.write(SLED, code)
    sled(kernel, NOPS)  # a first time, so that all pages are there
    kernel.must(BACK, "priv_irq_restore(1)")
    kernel.timer(30)
    kernel.set_flag(ENABLED, 0)
    return kernel


@points(5, "interrupts: none is lost, whenever it comes")
def test_race(image: Path) -> None:
    with timed(image) as kernel:
        kernel.set_flag(ENABLED, 1)
        sled(kernel, NOPS)
        kernel.must("pv_trap_entries", "a timer on the way")
        distance = (kernel.flag(EPC) - SLED) // 4
    for into in range(24):
        with timed(image) as kernel:
            sled(kernel, distance - into)
            if kernel.to("pv_trap_entries", BACK) == BACK:
                expect(kernel.flag(ENABLED), 1, "priv_irq_restore(1): the flag")
                lost = kernel.flag(PENDING)
                expect(
                    lost,
                    0,
                    f"priv_irq_restore(1), the timer fires {into} instructions "
                    f"into it: an interrupt is left pending, and nobody asks "
                    f"(SI_IRQ_PENDING)",
                )


@points(5, "interrupts: sleep")
def test_idle(image: Path) -> None:
    with Kernel(image) as kernel:
        kernel.timer(1000)
        kernel.set_flag(ENABLED, 0)
        before = kernel.vm.counters
        kernel.ready("priv_idle")
        what = "priv_idle() until the timer's interrupt"
        kernel.must("pv_trap_entries", what)
        done = kernel.vm.counters - before
        expect(done["hypercalls"], 1, f"{what}: hypercalls until it is taken")
        kernel.cpu.pc, kernel.cpu.sp = kernel.flag(EPC), kernel.flag(SP)
        kernel.set_flag(ENABLED, int(bool(kernel.flag(PREV) & PREV_IRQ)))
        kernel.must(BACK, what)
        expect(kernel.flag(ENABLED), 0, f"{what}: the flag behind it")


@points(10, "switch: two calls, one exit")
def test_switch(image: Path) -> None:
    with Kernel(image) as kernel:
        other, root = ROOTS
        for table in ROOTS:  # the memory as it is, by megapages
            for i in range(4):
                entry = (RAM >> 2) + (i << 20) | V | RWX | AD
                kernel.mem.write32(table + 4 * ((RAM >> 22) + i), entry)
        stack = STACK - 0x200
        kernel.call("priv_switch", other, stack)
        done = kernel.count("priv_switch", root, stack)
        expect(done["exit_hypercall"], 1, "priv_switch(): exits by hypercalls")
        expect(
            kernel.cpu.reg("satp"),
            SATP_MODE | root >> 12,
            "priv_switch(): satp behind it",
        )
        kernel.cpu.set_priv("U")
        kernel.cpu.pc = 0x1000
        kernel.must("pv_trap_entries", "a trap from U behind priv_switch()")
        expect(kernel.cpu.sp, stack, "the stack of a trap from U behind it")


@points(5, "multicall: an error is noticed")
def test_multicall(image: Path) -> None:
    for calls, bad in (
        ([FENCE, FENCE, FENCE], False),
        ([FENCE, NO_CALL, FENCE], True),
        ([FENCE, FENCE, NO_CALL], True),
    ):
        with Kernel(image) as kernel:
            for i, number in enumerate(calls):
                kernel.mem.write32(LIST + 24 * i, number)
            kernel.mem.write(STACK, b"a test\0")
            kernel.ready("pv_multicall", STACK, LIST, len(calls))
            before = kernel.vm.counters
            got = kernel.to("panic", BACK)
            what = f"pv_multicall() of calls {calls}"
            expect(
                got == "panic",
                bad,
                f"{what}: it panics",
                f"  at {kernel.where()}",
            )
            done = kernel.vm.counters - before
            expect(done["exit_hypercall"], 1, f"{what}: exits by hypercalls")


@points(10, "updates: told in bulk")
def test_update(image: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for count in (1, 5, 63, 64, 65, 64 + draw.randrange(2, 64), 200):
        with Kernel(image) as kernel:
            before = kernel.vm.counters
            values = [draw.getrandbits(31) for _ in range(count)]
            for i, value in enumerate(values):
                kernel.call("priv_pte_set", SLOTS + 4 * i, value)
            kernel.call("priv_pte_flush")
            done = kernel.vm.counters - before
            what = f"{count} entries, then priv_pte_flush()"
            got = [kernel.mem.read32(SLOTS + 4 * i) for i in range(count)]
            wrong = [i for i in range(count) if got[i] != values[i]]
            expect(wrong, [], f"{what}: entries that are not stored")
            expect(
                done["exit_hypercall"],
                (count + 63) // 64,
                f"{what}: hypercalls",
            )
            again = kernel.count("priv_pte_flush")
            expect(
                again["exit_hypercall"],
                0,
                "priv_pte_flush() of nothing: hypercalls",
            )


def lines(text: str) -> dict[str, list[str]]:
    """Return each program's own lines; the kernel's depend on time."""
    found: dict[str, list[str]] = {}
    for name, line in LINE.findall(text):
        found.setdefault(name, []).append(line)
    return found


def happened(image: Path, style: str, append: str) -> dict[str, int]:
    """Run a kernel, and count what its vCPU does, as the scheduler sees it."""
    with Hypervisor(ram="32MiB") as hypervisor:
        vm = hypervisor.create(style=style, mem="16MiB")
        vm.load(image, append=append)
        vm.boot()
        with hypervisor.watch(["sleep", "wake", "inject"]) as watch:
            vm.run(WHOLE)
        events = [(event.kind.value, event.arg) for event in watch.events]
    return {
        "sleeps": sum(kind == "sleep" for kind, _ in events),
        "wakes": sum(kind == "wake" for kind, _ in events),
        "system calls": events.count(("inject", SYSTEM_CALL)),
    }


def ran(image: Path, append: str, harts: int = 1) -> tuple[str, Counters]:
    """Run the student's kernel to its end."""
    with Hypervisor(ram="32MiB", harts=harts) as hypervisor:
        vm = hypervisor.create(style="pv", mem="16MiB", vcpus=harts)
        vm.load(image, append=append)
        vm.boot()
        vm.run(WHOLE)
        text = vm.console.text
        if vm.exit_code != 0:
            fail(
                f"{append}: it does not end well: state {vm.state.value}, "
                f"exit code {vm.exit_code} {vm.reason}".rstrip(),
                *(f"  {line}" for line in text.splitlines()[-4:]),
            )
        return text, vm.counters


def native(append: str, harts: int = 1) -> str:
    """Run the native kernel on the bare machine."""
    with Machine(ram="16MiB", harts=harts) as machine:
        machine.load(find("kernel-native"), append=append)
        machine.boot()
        machine.run(WHOLE)
        return machine.console.text


def same(image: Path, append: str, harts: int = 1) -> None:
    text, _ = ran(image, append, harts)
    expect(
        lines(text),
        lines(native(append, harts)),
        f"{append}, {harts} harts: what the programs print",
    )


@points(5, "the whole: what the native kernel does")
def test_whole(image: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    same(image, "run=ping,forks")
    same(image, f"run={','.join(draw.sample(WORK, 4))}")
    append = f"run=ping quiet scale={draw.randrange(1, 5)}"  # it mostly waits
    expect(
        happened(image, "pv", append),
        happened(find("kernel-native").path, "emulate", append),
        f"{append}: what the scheduler sees of it (expected is what it sees of "
        f"the native kernel, by trap and emulate)",
    )
    same(image, "run=locks,parallel", harts=2)


@points(5, "the whole: how many exits that takes")
def test_cost(image: Path) -> None:
    _, count = ran(image, "run=syscalls quiet")
    if count["exits"] >= 2.2 * count["exit_syscall"]:
        fail(
            "run=syscalls: fewer than 2.2 exits for each system call",
            f"  {count['exits']} exits, {count['exit_syscall']} system calls",
        )
    _, count = ran(image, "run=forks quiet")
    if count["exit_hypercall"] >= 620:
        fail(
            "run=forks: fewer than 620 exits by hypercalls",
            f"  {count['exit_hypercall']} exits, {count['hypercalls']} calls",
        )
