"""Lab 0: a kernel of a page, run step by step; and what was predicted of it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hv.labs.points import answered, expect, fail, points
from hv.machine import Machine

BUDGET = 10_000  # instructions from one place to the next
TRAPS = ("t0", "t1", "t2", "s0", "s1", "a0", "a1", "a7", "ra", "sp")


@contextmanager
def booted(image: Path) -> Iterator[Machine]:
    with Machine(ram="16MiB", engine="ref") as machine:
        machine.load(image)
        machine.boot()
        yield machine


def run_to(machine: Machine, name: str) -> None:
    """Run to a label, or say where the machine is instead."""
    address = machine.address(name)
    machine.breakpoints.add(address)
    machine.run(BUDGET)
    machine.breakpoints.discard(address)
    if machine.cpu[0].pc != address:
        fail(
            f"the machine does not come to `{name}`",
            f"  after {BUDGET} instructions it is at "
            f"{machine.cpu[0].pc:#x}, in {machine.cpu[0].priv.value}",
            f"  scause {machine.cpu[0].reg('scause'):#x}, "
            f"sepc {machine.cpu[0].reg('sepc'):#x}",
        )


@points(5, "it starts")
def test_starts(image: Path) -> None:
    with booted(image) as machine:
        run_to(machine, "main")


@points(20, "puts: a line on the console")
def test_puts(image: Path) -> None:
    with booted(image) as machine:
        run_to(machine, "printed")
        expect(
            repr(machine.console.text),
            repr("hello, machine\n"),
            "what is on the console at `printed`",
        )


@points(15, "sum: the numbers")
def test_sum(image: Path) -> None:
    with booted(image) as machine:
        run_to(machine, "summed")
        expect(machine.cpu[0].a0, 14, "a0 at `summed`")


@points(10, "sum: any numbers")
def test_sum_any(image: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 -- chosen, and the same again
    for count in (5, 0, 1, 3):
        with booted(image) as machine:
            run_to(machine, "main")
            values = [draw.getrandbits(32) for _ in range(count)]
            at = machine.address("numbers")
            for i, value in enumerate(values):
                machine.mem.write32(at + 4 * i, value)
            cpu = machine.cpu[0]
            cpu.a0, cpu.a1, cpu.ra = at, count, machine.address("summed")
            cpu.pc = machine.address("sum")
            run_to(machine, "summed")
            expect(
                cpu.a0, sum(values) % 2**32, f"a0 after sum of {count} numbers"
            )


@points(15, "handler: behind the trap")
def test_handler(image: Path) -> None:
    with booted(image) as machine:
        run_to(machine, "after_first")
        traps = machine.mem.read32(machine.address("traps"))
        expect(traps, 1, "`traps` after the ebreak")
        cause = machine.mem.read32(machine.address("last_cause"))
        expect(cause, 3, "`last_cause` after the ebreak")


@points(15, "handler: it leaves no trace in the registers")
def test_handler_saves(image: Path) -> None:
    with booted(image) as machine:
        run_to(machine, "first_trap")
        cpu = machine.cpu[0]
        for i, name in enumerate(TRAPS[:-1]):
            cpu.set_reg(name, 0x1000 + i)
        before = cpu.registers
        run_to(machine, "after_first")
        for name, value in before.items():
            if name != "pc":
                expect(cpu.reg(name), value, f"{name} after the ebreak")


@points(10, "the whole way: two traps, then off")
def test_whole(image: Path) -> None:
    with booted(image) as machine:
        machine.run(BUDGET)
        expect(machine.state.value, "off", "the machine's state at the end")
        traps = machine.mem.read32(machine.address("traps"))
        expect(traps, 2, "`traps` at the end")


def predicted(work: Path, name: str, happened: object) -> None:
    answered(
        *(work / "answers.toml", name, happened),
        otherwise="is not what happens; run it and look",
    )


@points(5, "predicted: where it starts, how often it goes to M")
def test_predict_modes(image: Path, work: Path) -> None:
    with booted(image) as machine:
        cpu = machine.cpu[0]
        predicted(work, "mode", cpu.priv.value)
        cpu.set_reg("stvec", machine.address("handler"))
        for place in ("first_trap", "second_trap"):
            cpu.pc = machine.address(place)
            machine.step()
        cpu.pc = machine.address("after_second")
        machine.run(BUDGET)
        predicted(work, "into_m", machine.counters["traps_m"])


@points(5, "predicted: the traps")
def test_predict_traps(image: Path, work: Path) -> None:
    with booted(image) as machine:
        cpu = machine.cpu[0]
        for place, name in (("first", "handler"), ("second", "handler")):
            cpu.pc = machine.address(f"{place}_trap")
            cpu.set_reg("stvec", machine.address(name))
            machine.step()
            predicted(work, f"{place}_cause", cpu.reg("scause"))
        predicted(work, "second_value", cpu.reg("stval"))
