"""Going back: every place of a run can be come to, and is what it was.

The oracle is the run itself: what was seen at each place on the way there.
"""

import random
from pathlib import Path

import pytest

import hv
from hv import images
from tests.control import programs as p
from tests.control.elfs import kernel, words
from tests.control.test_cli import hv as command
from tests.machine import asm

RAM = 0x8000_0000
DATA = RAM + 0x4000
KERNEL = 0x8040_0000  # where an ELF file of the tests is loaded


def counting(times: int = 50) -> list[int]:
    """Store a count to a word, and the count by eight to the next."""
    return asm.program(
        asm.li(asm.T0, DATA),
        [
            asm.addi(asm.S1, asm.S1, 1),
            asm.sw(asm.S1, 0, asm.T0),
            asm.srli(asm.T1, asm.S1, 3),
            asm.sw(asm.T1, 4, asm.T0),
            *p.say("x"),
            asm.slti(asm.T2, asm.S1, times),
        ],
        asm.bne(asm.T2, asm.ZERO, -4 * (5 + len(p.say("x")))),
        p.SPIN,
    )


def started(hypervisor: hv.Hypervisor, style: str = "emulate") -> hv.VM:
    vm = hypervisor.create(style=style, mem="64KiB")
    vm.mem.write(RAM, words(counting()))
    vm.boot(RAM)
    return vm


@pytest.mark.parametrize("harts", [1, 2])
@pytest.mark.parametrize("engine", ["ref", "fast"])
def test_every_place_again(engine: str, harts: int) -> None:
    with hv.Hypervisor(ram="2MiB", engine=engine, harts=harts) as hypervisor:
        past = hv.Past(hypervisor, every=37, keep=5)
        first = started(hypervisor)
        second = started(hypervisor, "nested")
        rng, seen = random.Random(harts), {}
        for i in range(120):
            if i == 60:
                second.destroy()
            if i % 10 == 0:
                first.console.send(b"typed")
            hypervisor.run(rng.randrange(1, 9))
            seen[past.position] = hypervisor.hash(), first.console.data
        for position in sorted(seen, reverse=True)[::7]:
            past.to(position)
            assert past.position == position
            assert (hypervisor.hash(), first.console.data) == seen[position]
        assert second in hypervisor.vms
        second.pause()
        hypervisor.audit()


def test_one_step_back() -> None:
    with hv.Machine(ram="64KiB") as machine:
        machine.mem.write(RAM, words(counting()))
        machine.boot(RAM)
        past = hv.Past(machine, every=10)
        pcs = []
        for _ in range(60):
            pcs.append(machine.cpu[0].reg("pc"))
            machine.run(1)
        for pc in reversed(pcs):
            past.back()
            assert machine.cpu[0].reg("pc") == pc
        with pytest.raises(hv.UsageError, match="begins 0 instructions"):
            past.back()
        with pytest.raises(hv.UsageError):
            past.to(1)


def test_back_to_a_breakpoint() -> None:
    with hv.Hypervisor(ram="2MiB") as hypervisor:
        past = hv.Past(hypervisor, every=100)
        vm = started(hypervisor)
        store = RAM + 4 * (len(asm.li(asm.T0, DATA)) + 1)
        hypervisor.run(400)
        count = vm.mem.read32(DATA)
        assert count > 3
        vm.breakpoints.add(store)
        for back in range(count - 1, -1, -1):
            assert past.to_break()
            assert vm.cpu[0].reg("pc") == store
            assert vm.mem.read32(DATA) == back
            assert list(vm.breakpoints) == [store]
        at, state = past.position, hypervisor.hash()
        assert not past.to_break()
        assert (past.position, hypervisor.hash()) == (at, state)


def test_the_command(tmp_path: Path) -> None:
    """``hv back``: of a recorded run, who wrote, and where it was before."""
    image, path = tmp_path / "kernel.elf", tmp_path / "journal"
    image.write_bytes(kernel(counting()))
    store = KERNEL + 4 * (len(asm.li(asm.T0, DATA)) + 1)
    for style in ("bare", "emulate"):
        done = command(
            *("run", "--style", style, "--max-insns", "5000"),
            *("--record", path, image),
        )
        assert done.status == 4
        told = command("back", "--write", hex(DATA), path)
        assert told.status == 0, told.err
        assert "31000000 became 32000000" in told.out
        assert f"pc {store:#010x}" in told.out
        told = command("back", "--break", hex(store), path)
        assert f"pc {store:08x}" in told.out
    told = command("back", "--to", "0", path)
    assert told.out.startswith("after 0 instructions:")
    for options in (
        ("--to", "1000000"),
        ("--write", hex(DATA + 64)),
        ("--break", "0x4"),
        ("--write", "nonsense"),
        ("--vm", "5", "--write", hex(DATA)),
        ("--to", "1", "--steps", "2"),
    ):
        bad = command("back", *options, path)
        assert (bad.status, bad.out) == (2, ""), options
        assert bad.err


@pytest.mark.parametrize("style", ["bare", "emulate", "assist", "nested"])
def test_who_wrote_last(style: str) -> None:
    place: hv.Hypervisor | hv.Machine
    place = hv.Machine() if style == "bare" else hv.Hypervisor(ram="2MiB")
    with place:
        past = hv.Past(place, every=150)
        guest: hv.VM | hv.Machine
        if isinstance(place, hv.Machine):
            guest = place
            guest.mem.write(RAM, words(counting()))
            guest.boot(RAM)
        else:
            guest = started(place, style)
        guest.run(450)
        count = guest.mem.read32(DATA)
        store = RAM + 4 * (len(asm.li(asm.T0, DATA)) + 1)
        for now in (count, count - 1, count - 2):
            write = past.last_write(guest, DATA)
            assert write.by == "guest", str(write)
            assert (write.pc, write.vm) == (store, guest.number)
            assert write.after == now.to_bytes(4, "little")
            assert write.before == (now - 1).to_bytes(4, "little")
            assert past.position == write.position
            assert guest.mem.read32(DATA) == now - 1
        # Bytes beside it that are stored each time, but seldom another value.
        eighth = past.last_write(guest, DATA + 4)
        assert eighth.pc == store + 8
        assert int.from_bytes(eighth.after, "little") == (count - 3) // 8


def test_a_call_from_outside_wrote_last() -> None:
    with hv.Hypervisor(ram="2MiB") as hypervisor:
        vm = started(hypervisor)
        past = hv.Past(hypervisor)
        vm.run(100)
        at = past.position
        vm.mem.write(DATA + 16, b"here")
        vm.run(100)
        write = past.last_write(vm, DATA + 16)
        assert (write.by, write.position) == ("hv_mem_write", at)
        assert "hv_mem_write() from outside" in str(write)
        assert vm.mem.read(DATA + 16, 4) == bytes(4)
        with pytest.raises(hv.UsageError, match="nothing has changed"):
            past.last_write(vm, DATA + 16)
        with pytest.raises(hv.UsageError, match="nobody has touched"):
            past.last_write(vm, DATA + 0x4000)
        with pytest.raises(hv.AddressError):
            past.last_machine_write(0x1000)


def test_the_hypervisor_wrote_last() -> None:
    """An entry of a shadow table is written in an exit, for who faulted."""
    with hv.Hypervisor(ram="24MiB") as hypervisor:
        past = hv.Past(hypervisor, every=50_000)
        vm = hypervisor.create(mem="8MiB")
        vm.load(images.find("kernel-native").path)
        vm.boot()
        vm.run(200_000)
        shadow = next(it for it in vm.shadows() if it.entries > 1)
        assert shadow.hfn is not None
        table = hypervisor.read(shadow.hfn * 4096, 4096)
        index = next(i for i in range(1024) if table[4 * i] & 1)
        write = past.last_machine_write(shadow.hfn * 4096 + 4 * index)
        assert (write.by, write.vm) == ("hypervisor", vm.number), str(write)
        assert write.after == table[4 * index : 4 * index + 4]
        hypervisor.run(1)
        again = hypervisor.read(shadow.hfn * 4096 + 4 * index, 4)
        assert again == write.after
