"""A debugger sees the run that would have been, forward and back.

The oracle is the same guest run without a debugger, one instruction at a time
by hv.Guest.run(); the client is tests/gdb/client.py.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import hv
from hv.errors import HypervisorBug
from hv.gdb.session import Session
from hv.images import find
from tests.control import programs as p
from tests.control.elfs import words
from tests.gdb.client import connected
from tests.gdb.guests import (
    DATA,
    LOOP,
    RAM,
    STORE,
    STYLES,
    TIMES,
    counting,
    pings,
    started,
    state,
)
from tests.machine import asm

STEPS = 90
S1 = 9
SECOND = len(asm.li(asm.T0, 2)) + 4  # instructions of a guest's vCPU 1


def alone(style: str, steps: int) -> list[tuple[object, ...]]:
    """Return the state before each of so many instructions, and after."""
    with started(style) as (guest, _):
        seen = [state(guest)]
        for _ in range(steps):
            guest.run(1)
            seen.append(state(guest))
        return seen


@pytest.mark.parametrize("style", STYLES)
def test_steps_are_those_of_a_run_alone(style: str) -> None:
    expected = alone(style, STEPS)
    with (
        started(style) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        for i in range(STEPS):
            assert state(guest) == expected[i]
            assert gdb.ask("s") == "T05thread:1;"
        for i in reversed(range(STEPS)):
            assert gdb.ask("bs") == "T05thread:1;"
            assert state(guest) == expected[i]
        assert gdb.ask("bs") == "T05replaylog:begin;thread:1;"
        assert state(guest) == expected[0]


@pytest.mark.parametrize("style", STYLES)
def test_registers_are_the_guests(style: str) -> None:
    with (
        started(style) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        for _ in range(30):
            gdb.ask("s")
        words = bytes.fromhex(gdb.ask("g"))
        values = [
            int.from_bytes(words[i : i + 4], "little")
            for i in range(0, len(words), 4)
        ]
        assert values == list(guest.cpu[0].registers.values())
        assert gdb.reg(65 + 0x105) == guest.cpu[0].reg("stvec")
        assert gdb.reg(65 + 4096) == 1  # S, as the guest believes
        assert gdb.ask(f"P{S1:x}=78563412") == "OK"
        assert guest.cpu[0].s1 == 0x12345678
        if style != "bare":  # a guest has no mstatus
            assert gdb.ask(f"p{65 + 0x300:x}") == "E16"
        values[5] += 1
        words = b"".join(value.to_bytes(4, "little") for value in values)
        assert gdb.ask("G" + words.hex()) == "OK"
        assert list(guest.cpu[0].registers.values()) == values
        assert gdb.ask("P0=78563412") == "OK"
        assert gdb.reg(0) == 0


@pytest.mark.parametrize("style", STYLES)
def test_it_stops_at_each_coming_to_a_breakpoint(style: str) -> None:
    with (
        started(style) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        code = gdb.mem(RAM, 64)
        assert gdb.ask(f"Z0,{STORE:x},4") == "OK"
        for i in range(1, TIMES + 1):
            assert gdb.ask("c") == "T05thread:1;"
            assert (gdb.pc, gdb.reg(S1)) == (STORE, i)
            assert gdb.mem(RAM, 64) == code == words(counting())[:64]
            assert guest.mem.read(RAM, 64) == code
        assert gdb.ask("c") == "T05replaylog:end;thread:1;"
        assert "powered off with code 0" in gdb.printed
        for i in range(TIMES, 0, -1):
            assert gdb.ask("bc") == "T05thread:1;"
            assert (gdb.pc, gdb.reg(S1)) == (STORE, i)
        assert gdb.ask("bc") == "T05replaylog:begin;thread:1;"
        assert gdb.pc == RAM
        assert gdb.ask(f"z0,{STORE:x},4") == "OK"
        assert gdb.ask("c") == "T05replaylog:end;thread:1;"


def test_who_steps_onto_a_breakpoint_goes_on_over_it() -> None:
    with (
        started("emulate") as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        assert gdb.ask(f"Z0,{STORE:x},4") == "OK"
        while gdb.pc != LOOP:
            gdb.ask("s")
        assert gdb.ask("s") == "T05thread:1;"
        assert (gdb.pc, gdb.reg(S1)) == (STORE, 1)
        assert gdb.ask("c") == "T05thread:1;"
        assert (gdb.pc, gdb.reg(S1)) == (STORE, 2)
        assert gdb.ask("bs") == "T05thread:1;"
        assert gdb.pc == LOOP
        assert gdb.ask("c") == "T05thread:1;"
        assert (gdb.pc, gdb.reg(S1)) == (STORE, 2)


def test_a_client_that_has_the_word_is_told_what_stopped_it() -> None:
    with (
        started("bare") as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        assert "ReverseContinue+" in gdb.ask("qSupported:swbreak+;xml=riscv")
        gdb.ask(f"Z0,{STORE:x},4")
        assert gdb.ask("c") == "T05swbreak:;thread:1;"
        assert gdb.ask("?") == "T05swbreak:;thread:1;"


def test_a_core_has_room_for_so_many_breakpoints() -> None:
    with (
        started("bare") as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        answers = [gdb.ask(f"Z0,{RAM + 4 * i:x},4") for i in range(65)]
        assert answers == ["OK"] * 64 + ["E1c"]
        assert len(guest.breakpoints) == 64


@pytest.mark.parametrize("style", STYLES)
def test_what_is_watched_stops_it_when_it_changes(style: str) -> None:
    """The second word changes every eighth time alone."""
    watch = f"2,{DATA + 4:x},4"
    with (
        started(style) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        assert gdb.ask("Z" + watch) == "OK"
        for i in range(1, TIMES // 8 + 1):
            assert gdb.ask("c") == f"T05watch:{DATA + 4:x};thread:1;"
            assert gdb.mem(DATA, 8) == words([8 * i, i])
            assert gdb.pc == STORE + 12
        assert gdb.ask("c") == "T05replaylog:end;thread:1;"
        gdb.ask(f"Z0,{STORE:x},4")
        for _ in range(TIMES - 16):
            assert gdb.ask("bc") == "T05thread:1;"
        assert gdb.reg(S1) == 17
        assert gdb.ask("bc") == f"T05watch:{DATA + 4:x};thread:1;"
        assert gdb.mem(DATA, 8) == words([16, 1])
        assert gdb.pc == STORE + 8
        assert gdb.ask("z" + watch) == "OK"
        assert gdb.ask("c") == "T05thread:1;"
        assert gdb.reg(S1) == 17


def test_only_memory_can_be_watched() -> None:
    with (
        started("emulate") as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        for bad in ("2,10000000,4", f"2,{RAM + 0xFFE:x},4", f"2,{RAM:x},0"):
            assert gdb.ask("Z" + bad) == "E0e"
        assert gdb.ask(f"Z3,{RAM:x},4") == ""


@pytest.mark.parametrize("style", STYLES)
def test_a_session_changes_nothing(style: str) -> None:
    """The state's hash at the end is that of a run without it."""
    with started(style) as (guest, _):
        guest.run_until("halt")
        expected = guest.host.hash(), guest.console.text
    with (
        started(style) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        gdb.ask(f"Z0,{STORE:x},4")
        gdb.ask(f"Z2,{DATA + 4:x},4")
        for _ in range(7):
            assert gdb.ask("c")[:3] == "T05"
        for request in ("g", f"m{RAM:x},40", "bs", "bs", "s", "bc", "s", "?"):
            gdb.ask(request)
        for line in ("where", "exits", f"pt {RAM:x}", "help", "nonsense"):
            assert gdb.monitor(line)
        gdb.ask(f"z2,{DATA + 4:x},4")
        while "end" not in gdb.ask("c"):
            pass
        assert (guest.host.hash(), guest.console.text) == expected


def test_what_is_printed_twice_is_shown_once() -> None:
    with (
        started("emulate") as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        shown = bytearray()
        guest.console.sink = shown.extend
        gdb.ask(f"Z0,{STORE:x},4")
        for _ in range(5):
            gdb.ask("c")
        gdb.ask("bs")
        gdb.ask("bc")
        assert shown == b"xxxx"
        assert guest.console.text == "xxx"


# -- memory -------------------------------------------------------------------


@pytest.mark.parametrize("style", ["bare", "emulate"])
def test_memory_is_read_as_far_as_it_goes(style: str) -> None:
    with (
        started(style) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        end = guest.mem.end
        assert gdb.mem(end - 4, 16) == bytes(4)
        for nowhere in (end, 0x1000_0000, 0, 0xFFFF_FFFF):
            assert gdb.ask(f"m{nowhere:x},4") == "E0e"
            assert gdb.ask(f"M{nowhere:x},1:00") == "E0e"
        assert gdb.ask(f"M{end - 2:x},4:01020304") == "E0e"
        assert guest.mem.read(end - 2, 2) == bytes(2)
        assert gdb.ask(f"M{DATA:x},3:0102ff") == "OK"
        assert gdb.ask(b"X%x,4:}\x03}\x04}]a" % (DATA + 3)) == "OK"
        assert guest.mem.read(DATA, 7) == b"\x01\x02\xff#$}a"


@pytest.mark.images
def test_virtual_memory_is_the_present_address_space() -> None:
    """In user mode the kernel's pages may not be touched; a debugger may."""
    with hv.Hypervisor() as place:
        vm = place.create(style="emulate")
        vm.load(find("kernel-native").path, append="run=sieve")
        vm.boot()
        past = hv.Past(place)
        with connected(vm, past) as (gdb, _):
            at = vm.address("schedule")
            code = vm.mem.read(at, 16)
            assert gdb.mem(at, 16) == code
            while vm.cpu[0].priv is not hv.Priv.U:
                vm.run(500)
            assert isinstance(vm.translate(at, "fetch"), hv.Fault)
            assert gdb.mem(at, 16) == code
            assert gdb.reg(65 + 4096) == 0
            gpa = vm.translate(gdb.pc, "fetch")
            assert not isinstance(gpa, hv.Fault)
            assert gpa != gdb.pc
            assert gdb.mem(gdb.pc, 4) == vm.mem.read(gpa, 4)
            assert gdb.monitor(f"gpa {gpa:x} 1").split()[1] == (
                f"{vm.mem.read32(gpa & ~3):08x}"
            )
            assert "verdict: ok" in gdb.monitor(f"pt {gdb.pc:x}")
            assert "second stage" not in gdb.monitor("pt")
            assert "schedule" not in gdb.monitor("where")


# -- several vCPUs ------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "harts"), [("bare", 2), ("emulate", 1), ("emulate", 2)]
)
def test_threads_are_vcpus(style: str, harts: int) -> None:
    with (
        started(style, pings(), vcpus=2, harts=harts) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        assert gdb.ask("qfThreadInfo") == "m1,2"
        assert gdb.ask("qsThreadInfo") == "l"
        assert gdb.ask("T2") == "OK"
        assert gdb.ask("T3") == "E01"
        second = RAM + 4 * (len(pings()) - SECOND)
        assert gdb.ask(f"Z0,{second:x},4") == "OK"
        assert gdb.ask("vCont;c") == "T05thread:2;"
        assert gdb.ask("qC") == "QC2"
        assert gdb.pc == second
        seen = [second]
        for _ in range(SECOND - 3):  # to its wfi
            assert gdb.ask("vCont;s:2;c") == "T05thread:2;"
            seen.append(gdb.pc)
        assert seen == [second + 4 * i for i in range(SECOND - 2)]
        for pc in reversed(seen[:-1]):
            assert gdb.ask("bs") == "T05thread:2;"
            assert gdb.pc == pc
        assert gdb.ask("Hg1") == "OK"
        assert gdb.pc == guest.cpu[0].pc
        assert gdb.ask("bc") in (
            "T05replaylog:begin;thread:1;",
            "T05thread:2;",
        )
        assert gdb.ask(f"z0,{second:x},4") == "OK"
        assert gdb.ask("c") == "T05replaylog:end;thread:1;"


# -- endings ------------------------------------------------------------------


def test_a_killed_guest_can_be_asked_what_it_did() -> None:
    with (
        started("emulate", p.lost()) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        assert gdb.ask("c") == "T05replaylog:end;thread:1;"
        assert "was killed" in gdb.printed
        assert gdb.ask("s") == "T05replaylog:end;thread:1;"
        assert gdb.ask("bs") == "T05thread:1;"
        assert guest.state is hv.State.RUNNABLE
        assert gdb.monitor("where").startswith("after ")


def test_a_guest_that_waits_is_typed_to() -> None:
    waiting = [0x1050_0073, *p.off()]  # wfi
    with (
        started("emulate", waiting) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        assert gdb.ask("c") == "T05thread:1;"
        assert "monitor send" in gdb.printed
    with (
        started("emulate", p.echo()) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        assert gdb.monitor("send hallo there") == "typed: 'hallo there'\n"
        gdb.ask(f"Z0,{RAM + 12:x},4")  # a character has come
        for _ in range(5):
            assert gdb.ask("c") == "T05thread:1;"
        assert guest.console.text == "hall"
        for _ in range(2):
            assert gdb.ask("bc") == "T05thread:1;"
        assert guest.console.text == "ha"
        for _ in range(4):
            assert gdb.ask("c") == "T05thread:1;"
        assert guest.console.text == "hallo "


def test_ctrl_c_stops_a_guest_that_runs() -> None:
    with (
        started("emulate", p.SPIN) as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        gdb.send("c")
        gdb.raw(b"\x03")
        assert gdb.answer() == "T02thread:1;"
        assert gdb.pc == RAM
        assert gdb.ask("bs") == "T05thread:1;"


def test_an_assertion_of_hv_is_stopped_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A student's core breaks itself at some instruction: stand before it.

    What fails is played by the host's run(), which does not come over it.
    """
    broken_at = 123
    with started("emulate") as (guest, past):
        honest = guest.host.run

        def run(max_insns: int = 0) -> hv.RunResult:
            if past.position + max_insns > broken_at:
                if past.position < broken_at:
                    honest(broken_at - past.position)
                raise HypervisorBug("running: frame.c:1: assertion failed: x")
            return honest(max_insns)

        monkeypatch.setattr(guest.host, "run", run)
        expected = alone("emulate", broken_at)[-1]
        with connected(guest, past) as (gdb, _):
            for _ in range(2):
                assert gdb.ask("c") == "T06thread:1;"
                assert "assertion failed: x" in gdb.printed
                assert past.position == broken_at
                assert state(guest) == expected
            assert gdb.ask("s") == "T06thread:1;"
            assert gdb.ask("bs") == "T05thread:1;"
            assert past.position == broken_at - 1


# -- the line -----------------------------------------------------------------


def test_a_damaged_packet_is_asked_for_again() -> None:
    with (
        started("bare") as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        gdb.raw(b"$g#00")
        assert gdb.byte() == b"-"
        gdb.raw(b"noise$p20#d2")
        assert gdb.byte() == b"+"
        first = gdb.receive()
        gdb.raw(b"-")
        assert gdb.receive() == first == "00000080"
        assert gdb.ask("QStartNoAckMode") == "OK"
        gdb.acks = False
        gdb.raw(b"$p20#00")  # nobody is told of it
        assert gdb.ask("p20") == first


@pytest.mark.parametrize(
    ("last", "how"), [("D", "DETACHED"), ("vKill;1", "KILLED")]
)
def test_clients_take_their_leave(last: str, how: str) -> None:
    with started("bare") as (guest, past):
        with connected(guest, past) as (gdb, session):
            gdb.ask(f"Z0,{RAM:x},4")
            assert gdb.ask(last) == "OK"
            assert gdb.byte() == b""
        assert session.left is not None
        assert session.left.name == how
        assert bool(guest.breakpoints) == (how == "KILLED")


def test_clients_may_be_gone_without_a_word() -> None:
    with started("bare") as (guest, past):
        with connected(guest, past) as (gdb, session):
            gdb.send("k")
            assert gdb.byte() == b""
        with connected(guest, past) as (gdb, session):
            gdb.raw(b"$half")
        assert session.left is None


def test_the_description_is_read_in_pieces() -> None:
    with (
        started("emulate") as (guest, past),
        connected(guest, past) as (gdb, _),
    ):
        text, at = "", 0
        while True:
            piece = gdb.ask(f"qXfer:features:read:target.xml:{at:x},100")
            text += piece[1:]
            at += len(piece) - 1
            if piece[0] == "l":
                break
        assert text.count("<reg ") > 33 + 10
        assert 'name="satp" bitsize="32" regnum="449"' in text
        assert "riscv:rv32" in text
        assert gdb.ask("qXfer:features:read:other.xml:0,100") == "E16"


COMMANDS = (
    *("?", "g", "G", "p", "P", "m", "M", "X", "c", "C", "s", "S", "bs", "bc"),
    *("Z0,", "z0,", "Z2,", "z2,", "H", "Hg", "T", "qC", "qRcmd,", "vCont;"),
    *("vCont;s:", "qSupported", "qXfer:features:read:target.xml:", "D"),
    *("qThreadExtraInfo,", "vCont?", "vX", "!"),
)
arguments = st.one_of(
    st.binary(max_size=12),
    st.text("0123456789abcdef,:;=-#", max_size=24).map(str.encode),
    st.sampled_from([b"80004004,4", b"80004004,ffffffff", b"20", b"ffffffff"]),
)
packets = st.builds(
    lambda name, rest: name.encode() + rest,
    st.sampled_from(COMMANDS),
    arguments,
)


@given(st.lists(packets, max_size=15))
@example([b"M80004ffe,4:00000000", b"Z2,80004ffe,4", b"m80004ffe,4"])
def test_any_packet_has_an_answer(sent: list[bytes]) -> None:
    with started("emulate") as (guest, past):
        session = Session(guest, past, lambda: True)
        for packet in sent:
            answers = session.answer(packet)
            assert len(answers) >= 1
            assert all(isinstance(answer, bytes) for answer in answers)
        past.place.host.audit()
