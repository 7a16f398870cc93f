"""The console as a tube: what it waits for, and how waiting ends."""

import pytest

import hv
from tests.control import programs as p
from tests.control.conftest import STYLES, Boot

every_style = pytest.mark.parametrize("style", STYLES)


@every_style
def test_reading_runs_the_guest(boot: Boot, style: str) -> None:
    guest = boot([*p.say("one\r\ntwo three\nlast"), *p.off()], style)
    console = guest.console
    assert console.clean() == b""
    assert console.recvline() == b"one"
    assert console.recvuntil(" ") == b"two "
    found = console.expect(r"(\w+)ree\n")
    assert found[1] == b"th"
    assert console.recv() == b"last"[:4]
    assert console.text == "one\r\ntwo three\nlast"
    with pytest.raises(hv.ConsoleEnded, match=r"powered off.*last"):
        console.recvline()
    assert console.clean() == b""


@every_style
def test_a_conversation(boot: Boot, style: str) -> None:
    console = boot(p.echo(), style).console
    for line in ("hello", "", "x" * 1000, b"\x00\xff"):
        console.sendline(line)
        expected = line if isinstance(line, bytes) else line.encode()
        assert console.recvline() == expected


@every_style
def test_every_byte_is_a_byte(boot: Boot, style: str) -> None:
    """The legacy call answers with it: a value, whatever errors are called."""
    console = boot(p.echo(), style).console
    data = bytes(range(256)) + b"end"
    console.send(data)
    assert console.recvuntil("end") == data


@every_style
def test_a_wait_has_a_budget(boot: Boot, style: str) -> None:
    guest = boot(p.SPIN, style)
    with pytest.raises(hv.BudgetExceeded, match="within 1000 instructions"):
        guest.console.recvline(wait=1000)
    assert guest.info.insns == 1000


def test_a_failure_ends_a_wait(boot: Boot) -> None:
    guest = boot([*p.say("almost"), *p.off(9)], "emulate")
    with pytest.raises(hv.GuestFailed):
        guest.console.recvuntil("!")
    assert guest.console.clean() == b"almost"


def test_a_breakpoint_ends_a_wait(boot: Boot) -> None:
    guest = boot(p.SPIN)
    guest.breakpoints.add(guest.cpu[0].pc)
    with pytest.raises(hv.ConsoleEnded, match="breakpoint"):
        guest.console.recvline()


def test_before_boot() -> None:
    with hv.Hypervisor() as hypervisor:
        vm = hypervisor.create()
        with pytest.raises(hv.UsageError, match="not booted"):
            vm.console.recvline()


def test_waiting_for_one_runs_the_others(boot: Boot) -> None:
    guest = boot([*p.count(10_000), *p.say("me\n"), *p.off()], "emulate")
    assert isinstance(guest, hv.VM)
    hypervisor_host = guest.host
    assert guest.console.recvline() == b"me"
    assert hypervisor_host.info.vms == 1


@every_style
def test_a_flood_is_kept_within_limits(boot: Boot, style: str) -> None:
    from hv import console as module  # noqa: PLC0415

    flood = [*p.say("x" * 40)]
    guest = boot([*flood, *p.j_back(flood)], style)
    seen: list[int] = []
    guest.console.sink = lambda data: seen.append(len(data))
    guest.run(3_000_000)
    written = sum(seen)
    assert written > 500_000
    assert len(guest.console.data) == min(written, module.HISTORY)
