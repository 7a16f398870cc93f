"""Misuse of the library is an exception, and changes nothing."""

from collections.abc import Callable

import pytest

import hv
from tests.control import programs as p
from tests.control.conftest import STYLES, Boot

RAM = 0x80000000
every_style = pytest.mark.parametrize("style", STYLES)

BAD_MACHINES: list[dict[str, object]] = [
    {"ram": 0},
    {"ram": 1},
    {"ram": 4095},
    {"ram": 1 << 32},
    {"ram": 1 << 40},
    {"ram": -1},
    {"ram": "16 apples"},
    {"ram": None.__class__},
    {"engine": "jit"},
    {"profile": "dirty"},
    {"harts": 0},
    {"harts": 9},
    {"harts": -1},
    {"harts": 1 << 33},
    {"harts": "two"},
    {"harts": True},
    {"quantum": 0},
    {"quantum": 1 << 32},
    {"harts": 2, "interleave": -1},
    {"harts": 2, "interleave": 1 << 64},
    {"harts": 2, "interleave": [hv.Round(0, (0, 1))]},
    {"harts": 2, "interleave": [hv.Round(1 << 32, (0, 1))]},
    {"harts": 2, "interleave": [hv.Round(1, (0,))]},
    {"harts": 2, "interleave": [hv.Round(1, (1, 1))]},
    {"harts": 2, "interleave": [hv.Round(1, (0, 1, 2))]},
    {"asid_bits": 5},
    {"time_div": 0},
    {"costs": {"insn": -1}},
    {"costs": {"insn": 1 << 40}},
    {"costs": {"insm": 1}},
    {"costs": {3: 1}},
]


@pytest.mark.parametrize("options", BAD_MACHINES, ids=str)
def test_bad_machines(options: dict[str, object]) -> None:
    with pytest.raises(hv.UsageError):
        hv.Machine(**options)  # type: ignore[arg-type]


BAD_VMS: list[dict[str, object]] = [
    {"mem": 0},
    {"mem": 100},
    {"mem": "1GiB"},
    {"mem": "3GiB"},
    {"mem": 1 << 40},
    {"vcpus": 0},
    {"vcpus": 9},
    {"style": "bare"},
    {"style": 3},
    {"shadow_frames": -1},
    {"shadow_frames": 1 << 31},
    {"max_insns": -1},
    {"max_insns": 1 << 64},
]


@pytest.mark.parametrize("options", BAD_VMS, ids=str)
def test_bad_vms(options: dict[str, object]) -> None:
    with hv.Hypervisor() as hypervisor:
        before = hypervisor.hash(), hypervisor.info
        with pytest.raises(hv.UsageError):
            hypervisor.create(**options)  # type: ignore[arg-type]
        assert (hypervisor.hash(), hypervisor.info) == before
        assert hypervisor.vms == ()


MISUSE: dict[str, Callable[[hv.Guest], object]] = {
    "read below": lambda g: g.mem.read(RAM - 1, 1),
    "read above": lambda g: g.mem.read(g.mem.end, 1),
    "read across": lambda g: g.mem.read(g.mem.end - 1, 2),
    "read far": lambda g: g.mem.read(1 << 40, 1),
    "read negative": lambda g: g.mem.read(-4, 4),
    "read much": lambda g: g.mem.read(RAM, 1 << 31),
    "read less than nothing": lambda g: g.mem.read(RAM, -1),
    "read at a name": lambda g: g.mem.read("here", 1),  # type: ignore[arg-type]
    "write above": lambda g: g.mem.write(g.mem.end - 1, b"ab"),
    "write text": lambda g: g.mem.write(RAM, "ab"),  # type: ignore[arg-type]
    "write a wide word": lambda g: g.mem.write32(RAM, 1 << 32),
    "no register": lambda g: g.cpu[0].reg("x32"),
    "no CSR": lambda g: g.cpu[0].reg("shadow"),
    "no CSR number": lambda g: g.cpu[0].reg(0x7FF),
    "CSR number": lambda g: g.cpu[0].reg(0x1000),
    "a machine CSR": lambda g: g.cpu[0].set_reg("mhartid", 1),
    "a wide register": lambda g: g.cpu[0].set_reg("a0", 1 << 32),
    "a negative register": lambda g: g.cpu[0].set_reg("a0", -1),
    "a register of text": lambda g: g.cpu[0].set_reg("a0", "1"),  # type: ignore[arg-type]
    "translate far": lambda g: g.translate(1 << 32),
    "translate how": lambda g: g.translate(0, "execute"),
    "translate whose": lambda g: g.translate(0, vcpu=1),
    "step whom": lambda g: g.step(5),
    "boot odd": lambda g: g.boot(RAM + 1),
    "boot far": lambda g: g.boot(1 << 32),
    "boot nothing": lambda g: g.boot(),
    "break far": lambda g: g.breakpoints.add(1 << 32),
    "break at no symbol": lambda g: g.breakpoints.add("main"),
    "run less than nothing": lambda g: g.run(-1),
    "run for a while": lambda g: g.run("long"),  # type: ignore[arg-type]
    "run until doomsday": lambda g: g.run_until("doomsday"),  # type: ignore[arg-type]
    "run before boot": lambda g: g.run(1),
    "step before boot": lambda g: g.step(),
    "send a number": lambda g: g.console.send(5),  # type: ignore[arg-type]
    "wait for nothing": lambda g: g.console.recvuntil(b""),
    "wait for a bad pattern": lambda g: g.console.expect("("),
    "append a NUL": lambda g: g.load(__file__, append="\0", flat=True),
    "append a surrogate": lambda g: g.load(
        __file__, append="\udc80", flat=True
    ),
}  # fmt: skip


@every_style
@pytest.mark.parametrize("name", MISUSE)
def test_misuse(style: str, name: str) -> None:
    host: hv.Machine | hv.Hypervisor
    guest: hv.Guest
    if style == "bare":
        host = guest = hv.Machine()
    else:
        host = hv.Hypervisor(ram="24MiB")
        guest = host.create(style=style, mem="8MiB")
    with host:
        before = host.hash()
        with pytest.raises(hv.UsageError) as caught:
            MISUSE[name](guest)
        assert caught.value.exit_code == 2
        assert host.hash() == before
        assert guest.state is hv.State.CREATED


def test_no_breakpoints_are_left(boot: Boot) -> None:
    guest = boot(p.SPIN)

    def too_many() -> None:
        for i in range(10_000):
            guest.breakpoints.add(RAM + 4 * i)

    with pytest.raises(hv.UsageError):
        too_many()
    assert len(guest.breakpoints) > 4
    guest.breakpoints.clear()
    guest.run(100)


AFTER_CLOSE: dict[str, Callable[[hv.VM], object]] = {
    "read": lambda vm: vm.mem.read(RAM, 4),
    "write": lambda vm: vm.mem.write(RAM, b"1234"),
    "register": lambda vm: vm.cpu[0].a0,
    "state": lambda vm: vm.state,
    "run": lambda vm: vm.run(1),
    "step": lambda vm: vm.step(),
    "boot": lambda vm: vm.boot(RAM),
    "load": lambda vm: vm.load(__file__, flat=True),
    "pause": lambda vm: vm.pause(),
    "resume": lambda vm: vm.resume(),
    "destroy": lambda vm: vm.destroy(),
    "break": lambda vm: vm.breakpoints.add(RAM),
    "counters": lambda vm: vm.counters,
    "translate": lambda vm: vm.translate(0),
    "frame": lambda vm: vm.frame_of(0x80000),
    "wait": lambda vm: vm.console.recvline(),
    "schedule": lambda vm: vm.schedule,
    "change schedule": lambda vm: vm.change_schedule(weight=1),
    "pin": lambda vm: vm.pin(0, [0]),
    "vcpus": lambda vm: vm.vcpus,
}


@pytest.mark.parametrize("name", AFTER_CLOSE)
@pytest.mark.parametrize("end", ["closed", "destroyed"])
def test_use_after(name: str, end: str) -> None:
    hypervisor = hv.Hypervisor()
    vm = hypervisor.create()
    if end == "closed":
        hypervisor.close()
        hypervisor.close()
    else:
        vm.destroy()
        other = hypervisor.create()  # may have the same slot
    if end == "destroyed" and name == "wait":
        other.mem.write(RAM, b"\x6f\0\0\0")
        other.boot(RAM)
    with pytest.raises((hv.ClosedError, hv.ConsoleEnded)):
        AFTER_CLOSE[name](vm)
    hypervisor.close()


def test_a_closed_machine() -> None:
    with hv.Machine() as machine:
        pass
    for use in (machine.hash, machine.boot, lambda: machine.host_info):
        with pytest.raises(hv.UsageError):
            use()


def test_closing_with_references_left() -> None:
    hypervisor = hv.Hypervisor()
    vm = hypervisor.create()
    cpu, mem, console = vm.cpu[0], vm.mem, vm.console
    del hypervisor, vm
    assert mem.read(RAM, 4) == bytes(4)
    assert cpu.a0 == 0
    assert console.text == ""


def test_a_pool_has_room_for_all_that_run_at_once() -> None:
    with hv.Hypervisor(harts=4) as hypervisor:
        hypervisor.create(vcpus=1, shadow_frames=4)
        hypervisor.create(vcpus=8, shadow_frames=16)
        with pytest.raises(hv.UsageError, match="at least 4 for each vCPU"):
            hypervisor.create(vcpus=3, shadow_frames=11)
