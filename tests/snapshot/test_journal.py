"""A recorded run can be made again: on a new host, bit for bit, anywhere."""

import hashlib
import json
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import hv
from hv import images
from hv.journal import MAGIC, Recorded
from tests.control import programs as p
from tests.control.elfs import kernel, words
from tests.control.test_cli import hv as command

RAM = 0x8000_0000
REFUSED = r"damaged|not a journal"
ENGINES = ("ref", "fast")


def other(engine: str) -> str:
    return ENGINES[engine == "ref"]


def meddle(vm: hv.VM, rng: random.Random) -> None:
    """Do something to a VM from outside, and let it run."""
    vm.console.send(rng.randbytes(5))
    vm.run(rng.randrange(1, 4000))
    vm.mem.write(vm.mem.base + 0x20000, rng.randbytes(300))
    for call in rng.sample(sorted(EXTRAS), 3):
        with suppress(hv.UsageError, hv.GuestError):
            EXTRAS[call](vm, rng)


def pause(vm: hv.VM, _: random.Random) -> None:
    vm.pause()
    vm.resume()


def log(vm: hv.VM, _: random.Random) -> None:
    vm.start_log()
    vm.run(500)
    vm.fetch_log()


EXTRAS: dict[str, Callable[[hv.VM, random.Random], object]] = {
    "balloon": lambda vm, rng: vm.set_balloon(4096 * rng.randrange(20, 60)),
    "style": lambda vm, rng: vm.change_style(
        rng.choice(["emulate", "assist", "nested"])
    ),
    "sync": lambda vm, rng: vm.change_sync(rng.choice(["lazy", "trace"])),
    "pause": pause,
    "log": log,
    "step": lambda vm, _: vm.step(),
    "register": lambda vm, rng: vm.cpu[0].set_reg("a7", rng.getrandbits(32)),
    "break": lambda vm, rng: vm.breakpoints.add(RAM + rng.randrange(0, 64, 4)),
    "weight": lambda vm, rng: vm.change_schedule(weight=rng.randrange(1, 99)),
    "pin": lambda vm, _: vm.pin(0, [0]),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("harts", [1, 3])
def test_the_same_run_again(engine: str, harts: int, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for seed in range(2):
        rng = random.Random(seed)
        with hv.Hypervisor(
            ram="8MiB",
            engine=engine,
            harts=harts,
            interleave=seed,
            policy="credit",
            record=True,
        ) as hypervisor:
            for _ in range(2):
                vm = hypervisor.create(mem="256KiB", vcpus=harts)
                vm.mem.write(RAM, words([*p.echo()]))
                vm.boot(RAM)
            for _ in range(6):
                for vm in hypervisor.vms:
                    meddle(vm, rng)
                hypervisor.share(50)
            with hypervisor.watch():
                hypervisor.run(1000)
            hypervisor.vms[0].destroy()
            hypervisor.run(1000)
            hypervisor.journal.save(path)
            before = hypervisor.hash(), hypervisor.vms[0].console.data
        for kind in (engine, other(engine)):
            with hv.replay(path, engine=kind) as again:
                assert isinstance(again, hv.Hypervisor)
                again.audit()
                assert (again.hash(), again.vms[0].console.data) == before


def test_a_kernel_again(tmp_path: Path) -> None:
    """Long runs are a few entries, however they were cut."""
    path = tmp_path / "journal"
    with hv.Machine(record=True, harts=2) as machine:
        machine.load(images.find("kernel-native").path)
        machine.boot()
        while not machine.state.ended:
            machine.run(10_000)
        machine.journal.save(path)
        ends = machine.hash(), machine.console.text
    with hv.replay(path, engine="ref") as again:
        assert isinstance(again, hv.Machine)
        assert (again.hash(), again.console.text) == ends
    runs = [it for it in Recorded(path).entries if it.name == "hv_run"]
    assert len(runs) < 60  # one for each time that it had printed


def test_going_back_is_no_part_of_it(tmp_path: Path) -> None:
    """What a reset undid is not played."""
    path = tmp_path / "journal"
    with hv.Machine(ram="64KiB", record=True) as machine:
        machine.mem.write(RAM, words([*p.say("a"), *p.say("b"), *p.SPIN]))
        machine.boot(RAM)
        machine.run(4)
        with machine.mark() as mark:
            machine.mem.write(RAM + 0x1000, b"undone")
            machine.run(3)
            mark.reset()
            assert [it.name for it in machine.journal.entries[-1:]] == [
                "hv_run"
            ]
            machine.run(100)
        machine.journal.save(path)
        before = machine.hash()
    with hv.replay(path) as again:
        assert again.hash() == before


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with hv.Machine(ram="64KiB", record=True) as machine:
        machine.mem.write(RAM, words(p.SPIN))
        machine.boot(RAM)
        machine.run(100)
        machine.journal.save(path)
    good = path.read_bytes()
    rng = random.Random(1)
    for _ in range(60):
        bad = bytearray(good)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(hv.UsageError, match=REFUSED):
            hv.replay(path)
    for size in (0, 5, len(MAGIC), len(MAGIC) + 20, len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(hv.UsageError, match=REFUSED):
            hv.replay(path)
    with pytest.raises(hv.UsageError, match="No such file"):
        hv.replay(tmp_path / "nothing")


def forged(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change what is in a file, and make its checksum right."""
    import zlib  # noqa: PLC0415 -- as the file has it

    import msgspec  # noqa: PLC0415

    data = path.read_bytes()[len(MAGIC) + 32 :]
    file = msgspec.msgpack.decode(zlib.decompress(data))
    change(file)
    body = zlib.compress(msgspec.msgpack.encode(file))
    path.write_bytes(MAGIC + hashlib.sha256(body).digest() + body)


def test_a_forged_file_is_refused(tmp_path: Path) -> None:
    """Its checksum is right; what is in it still is not believed."""
    path = tmp_path / "journal"
    with hv.Hypervisor(ram="1MiB", record=True) as hypervisor:
        hypervisor.create(mem="64KiB")
        hypervisor.journal.save(path)
    good = path.read_bytes()

    def put(key: str, value: object) -> Callable[[dict[str, object]], object]:
        return lambda file: file.update({key: value})

    def entry(*values: object) -> Callable[[dict[str, object]], object]:
        return put("entries", [list(values)])

    for change in (
        put("version", "0.0.0"),
        put("config", {"m_mode": "none"}),
        put("config", {"m_mode": "hypervisor", "harts": 99}),
        put("entries", 5),
        entry("hv_host_free", [], []),
        entry("hv_step", [1], [0]),
        entry("hv_step", [1, b"2"], [0]),
        entry("hv_vm_create", [b"short"], [0]),
        entry("hv_reg_set", [1, 2, 3, 1 << 40], [0]),
        entry("hv_watch_take", [1 << 40], [0]),
        entry("hv_run", [-1], [0]),
    ):
        path.write_bytes(good)
        forged(path, change)
        with pytest.raises(hv.UsageError):
            hv.replay(path)
    path.write_bytes(good)
    forged(path, put("hash", 5))
    with pytest.raises(hv.HypervisorBug, match="hash"):
        hv.replay(path)
    path.write_bytes(good)
    forged(path, entry("hv_vm_destroy", [7], [0]))
    with pytest.raises(hv.HypervisorBug, match="hv_vm_destroy"):
        hv.replay(path)


def test_the_commands(tmp_path: Path) -> None:
    """``hv run --record``, and ``hv replay`` of it: the same output."""
    image, path = tmp_path / "kernel.elf", tmp_path / "journal"
    image.write_bytes(kernel([*p.say("hi\n"), *p.count(100), *p.off()]))
    for style in ("bare", "emulate"):
        done = command("run", "--style", style, "--record", path, image)
        assert (done.status, done.out) == (0, "hi\n")
        for engine in ENGINES:
            again = command("replay", "--engine", engine, path)
            assert (again.status, again.out) == (0, "hi\n")
            assert again.err.startswith("hv: the same again: ")
    report = json.loads(command("replay", "--json", path).out)
    assert [guest["console"] for guest in report["guests"]] == ["hi\n"]
    bad = command("replay", image)
    assert (bad.status, bad.out) == (2, "")
    assert "no recorded run" in bad.err
    path.write_bytes(path.read_bytes()[:-1])
    bad = command("replay", path)
    assert bad.status == 2
    assert "damaged" in bad.err
    bad = command("run", "--record", tmp_path / "no" / "such", image)
    assert bad.status == 1
    assert "No such file" in bad.err


def test_nothing_is_recorded_unasked() -> None:
    with hv.Machine(ram="64KiB") as machine, pytest.raises(hv.UsageError):
        machine.journal  # noqa: B018
