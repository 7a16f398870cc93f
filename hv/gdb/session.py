"""What each packet asks for, and the answer: no socket, no framing.

A session is total: whatever a client sends, it gets an answer; what is wrong
with its packet is an error to it, and what hv does not have is the empty
answer, which is the protocol's word for "not here".

A VM's vCPUs (or the bare machine's harts) are GDB's threads, by number from 1.
Source: "Debugging with GDB", Appendix E.2 to E.4.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import ClassVar

from hv.errors import UsageError
from hv.facts import U32
from hv.gdb import monitor
from hv.gdb.packet import LONGEST
from hv.gdb.running import Running, Stop, Watched, Why
from hv.gdb.target import PC, Target
from hv.guest import Guest
from hv.reverse import Past

MALFORMED, FAULT, REFUSED, FULL = b"E01", b"E0e", b"E16", b"E1c"
NOT_HERE = b""
OK = b"OK"

_SUPPORTED = (
    b"PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;vContSupported+;"
    b"swbreak+;hwbreak+;ReverseStep+;ReverseContinue+" % LONGEST
)
_SIGTRAP = 5
_SIGNALS = {Why.CTRL_C: 2, Why.BUG: 6}  # SIGINT, SIGABRT


class Left(Enum):
    """How a client has taken its leave."""

    DETACHED = "detached"  # the guest may go on
    KILLED = "killed"  # it may not


class _MalformedError(Exception):
    """A packet that says nothing."""


_Command = Callable[["Session", bytes], bytes]


def _constant(answer: bytes) -> _Command:
    return lambda _session, _rest: answer


class Session:
    """A client's view of one guest.

    :param past: of the guest's host; where it begins, going back ends.
    :param interrupted: whether the client has sent Ctrl-C, asked as the guest
        runs.

    >>> import hv
    >>> with hv.Machine() as machine:
    ...     machine.mem.write(0x80000000, bytes.fromhex("130515006ff0dfff"))
    ...     machine.boot(0x80000000)  # count in a0, for ever
    ...     session = Session(machine, hv.Past(machine))
    ...     ask = lambda line: session.answer(line)[-1].decode()
    ...     ask(b"s"), ask(b"pa"), ask(b"bs"), ask(b"pa"), ask(b"nonsense")
    ('T05thread:1;', '01000000', 'T05thread:1;', '00000000', '')
    """

    def __init__(
        self,
        guest: Guest,
        past: Past,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.guest = guest
        self.target = Target(guest)
        self.running = Running(guest, past, interrupted)
        self.left: Left | None = None
        self.acks = True
        self._vcpu = 0  # that registers and memory are asked of
        self._last = Stop(Why.STEP, 0)
        self._notes: list[bytes] = []
        self._says_breaks = False  # the client has the word swbreak
        self._xml = self.target.description

    def answer(self, payload: bytes) -> list[bytes]:
        """Return what to send: text for the person, if any, then the answer.

        :raises HypervisorBug: if an assertion of hv fails meanwhile.
        """
        self._notes = []
        try:
            last = self._answer(payload)
        except (_MalformedError, UsageError):
            last = MALFORMED
        return [*self._notes, last] if payload != b"k" else []

    def _answer(self, payload: bytes) -> bytes:
        for name, command in self._COMMANDS.items():
            if payload.startswith(name):
                return command(self, payload[len(name) :])
        return NOT_HERE

    def _say(self, text: str) -> None:
        """Let the client print something, before the answer."""
        data, size = text.encode(), (LONGEST - 1) // 2
        self._notes += [
            b"O" + data[at : at + size].hex().encode()
            for at in range(0, len(data), size)
        ]

    # -- stopping and going -------------------------------------------------

    def _stopped(self, stop: Stop) -> bytes:
        """Return a stop as the protocol says it."""
        self._last, self._vcpu = stop, stop.vcpu
        what = {
            Why.BREAK: b"swbreak:;" if self._says_breaks else b"",
            Why.WATCH: b"watch:%x;" % stop.gva,
            Why.ENDED: b"replaylog:end;",
            Why.BEGIN: b"replaylog:begin;",
        }.get(stop.why, b"")
        signal = _SIGNALS.get(stop.why, _SIGTRAP)
        return b"T%02x%sthread:%x;" % (signal, what, stop.vcpu + 1)

    def _moved(self, stop: Stop) -> bytes:
        if stop.why is Why.ENDED:
            self._say(f"{self.running.ending}; you can go back from here\n")
        elif stop.why is Why.IDLE:
            self._say(
                "everybody waits for input: `monitor send TEXT` types a line\n"
            )
        elif stop.why is Why.BUG:
            self._say(f"{stop.bug}; the guest stands before it\n")
        return self._stopped(stop)

    def _why(self, _: bytes) -> bytes:
        return self._stopped(self._last)

    def _step(self, rest: bytes) -> bytes:
        self._from(rest)
        return self._moved(self.running.step(self._vcpu))

    def _go_on(self, rest: bytes) -> bytes:
        self._from(rest)
        return self._moved(self.running.go_on(self._vcpu))

    def _from(self, rest: bytes) -> None:
        """Let the vCPU go on elsewhere, if an address says so."""
        if rest:
            self.guest.cpu[self._vcpu].pc = _word(rest)

    def _step_back(self, rest: bytes) -> bytes:
        _nothing(rest)
        return self._stopped(self.running.step_back(self._vcpu))

    def _go_back(self, rest: bytes) -> bytes:
        _nothing(rest)
        return self._stopped(self.running.go_back(self._vcpu))

    def _actions(self, rest: bytes) -> bytes:
        """vCont: what each thread is to do. All run that the scheduler lets."""
        for action in rest.split(b";"):
            what, _, thread = action.partition(b":")
            name = what[:1].lower()
            if name not in (b"c", b"s") or len(what) not in (1, 3):
                raise _MalformedError
            if name == b"s":
                vcpu = self._thread(thread) if thread else self._vcpu
                return self._moved(self.running.step(vcpu))
        return self._moved(self.running.go_on(self._vcpu))

    def _signalled(self, rest: bytes) -> bytes:
        """C, to go on with a signal: a guest has none."""
        _number(rest.partition(b";")[0])
        return self._go_on(rest.partition(b";")[2])

    def _step_signalled(self, rest: bytes) -> bytes:
        _number(rest.partition(b";")[0])
        return self._step(rest.partition(b";")[2])

    # -- registers and memory ------------------------------------------------

    def _read_all(self, rest: bytes) -> bytes:
        _nothing(rest)
        return b"".join(self._register(i) for i in range(PC + 1))

    def _register(self, number: int) -> bytes:
        value = self.target.register(self._vcpu, number)
        if value is None:
            return REFUSED
        return value.to_bytes(4, "little").hex().encode()

    def _read_one(self, rest: bytes) -> bytes:
        return self._register(_number(rest))

    def _write_all(self, rest: bytes) -> bytes:
        words = _hex(rest)
        if len(words) != 4 * (PC + 1):
            raise _MalformedError
        for number in range(1, PC + 1):
            value = int.from_bytes(words[4 * number :][:4], "little")
            if not self.target.set_register(self._vcpu, number, value):
                return REFUSED
        return OK

    def _write_one(self, rest: bytes) -> bytes:
        number, _, word = rest.partition(b"=")
        value = int.from_bytes(_hex(word), "little")
        if len(word) != 8:
            raise _MalformedError
        done = self.target.set_register(self._vcpu, _number(number), value)
        return OK if done else REFUSED

    def _read_memory(self, rest: bytes) -> bytes:
        address, size = _range(rest)
        size = min(size, LONGEST // 2)
        data = self.target.read(self._vcpu, address, size)
        return FAULT if size and not data else data.hex().encode()

    def _write_memory(self, rest: bytes) -> bytes:
        place, _, data = rest.partition(b":")
        return self._write(place, _hex(data))

    def _write_binary(self, rest: bytes) -> bytes:
        place, _, data = rest.partition(b":")
        return self._write(place, data)

    def _write(self, place: bytes, data: bytes) -> bytes:
        address, size = _range(place)
        if size != len(data):
            raise _MalformedError
        return OK if self.target.write(self._vcpu, address, data) else FAULT

    # -- breakpoints and watchpoints ----------------------------------------

    def _breakpoint(self, rest: bytes) -> bytes:
        address = _word(rest.split(b";")[0].partition(b",")[0])
        try:
            self.guest.breakpoints.add(address)
        except UsageError:
            return FULL
        return OK

    def _no_breakpoint(self, rest: bytes) -> bytes:
        self.guest.breakpoints.discard(_word(rest.partition(b",")[0]))
        return OK

    def _watch(self, rest: bytes) -> bytes:
        gva, size = _range(rest.split(b";")[0])
        gpa = self.target.physical(self._vcpu, gva)
        if gpa is None or not self.running.watch(Watched(gva, gpa, size)):
            return FAULT
        return OK

    def _no_watch(self, rest: bytes) -> bytes:
        asked = _range(rest)
        self.running.watched = {
            it for it in self.running.watched if (it.gva, it.size) != asked
        }
        return OK

    # -- threads ------------------------------------------------------------

    def _thread(self, text: bytes) -> int:
        """Return the vCPU that is meant: -1 and 0 are any of them."""
        if text in (b"-1", b"0"):
            return self._vcpu
        vcpu = _number(text) - 1
        if not 0 <= vcpu < len(self.guest.cpu):
            raise _MalformedError
        return vcpu

    def _choose(self, rest: bytes) -> bytes:
        if rest[:1] not in (b"g", b"c"):
            raise _MalformedError
        self._vcpu = self._thread(rest[1:])
        return OK

    def _alive(self, rest: bytes) -> bytes:
        self._thread(rest)
        return OK

    def _current(self, _: bytes) -> bytes:
        return b"QC%x" % (self._vcpu + 1)

    def _threads(self, _: bytes) -> bytes:
        numbers = (b"%x" % (i + 1) for i in range(len(self.guest.cpu)))
        return b"m" + b",".join(numbers)

    def _about_thread(self, rest: bytes) -> bytes:
        cpu = self.guest.cpu[self._thread(rest)]
        return f"{self.guest.name}, in {cpu.priv}".encode().hex().encode()

    # -- what there is, and how it ends ---------------------------------------

    def _support(self, rest: bytes) -> bytes:
        self._says_breaks = b"swbreak+" in rest.lstrip(b":").split(b";")
        return _SUPPORTED

    def _features(self, rest: bytes) -> bytes:
        name, _, window = rest.partition(b":")
        offset, size = _range(window)
        if name != b"target.xml":
            return REFUSED
        piece = self._xml[offset:][: min(size, LONGEST // 2)]
        more = offset + len(piece) < len(self._xml)
        return (b"m" if more else b"l") + piece

    def _no_acks(self, _: bytes) -> bytes:
        self.acks = False
        return OK

    def _monitor(self, rest: bytes) -> bytes:
        line = _hex(rest).decode(errors="replace")
        self._say(monitor.answer(self.running, self._vcpu, line))
        return OK

    def _detach(self, _: bytes) -> bytes:
        self.guest.breakpoints.clear()
        self.running.watched.clear()
        self.left = Left.DETACHED
        return OK

    def _kill(self, _: bytes) -> bytes:
        self.left = Left.KILLED
        return OK

    # By how a packet begins; the first that fits.
    _COMMANDS: ClassVar[dict[bytes, _Command]] = {
        b"?": _why,
        b"qSupported": _support,
        b"qXfer:features:read:": _features,
        b"QStartNoAckMode": _no_acks,
        b"qfThreadInfo": _threads,
        b"qsThreadInfo": _constant(b"l"),
        b"qThreadExtraInfo,": _about_thread,
        b"qCRC:": _constant(NOT_HERE),
        b"qC": _current,
        b"qAttached": _constant(b"1"),
        b"qRcmd,": _monitor,
        b"vCont?": _constant(b"vCont;c;C;s;S"),
        b"vCont;": _actions,
        b"vKill;": _kill,
        b"H": _choose,
        b"T": _alive,
        b"g": _read_all,
        b"G": _write_all,
        b"p": _read_one,
        b"P": _write_one,
        b"m": _read_memory,
        b"M": _write_memory,
        b"X": _write_binary,
        b"c": _go_on,
        b"C": _signalled,
        b"s": _step,
        b"S": _step_signalled,
        b"bs": _step_back,
        b"bc": _go_back,
        b"Z0,": _breakpoint,
        b"z0,": _no_breakpoint,
        b"Z1,": _breakpoint,
        b"z1,": _no_breakpoint,
        b"Z2,": _watch,
        b"z2,": _no_watch,
        b"D": _detach,
        b"k": _kill,
    }


# -- numbers in packets: hexadecimal, without a sign ---------------------------


def _number(text: bytes) -> int:
    if not text or not set(text) <= set(b"0123456789abcdefABCDEF"):
        raise _MalformedError
    return int(text, 16)


def _word(text: bytes) -> int:
    value = _number(text)
    if value > U32:
        raise _MalformedError
    return value


def _range(text: bytes) -> tuple[int, int]:
    """Return an address and a size, or an offset and one."""
    address, _, size = text.partition(b",")
    return _word(address), _word(size)


def _hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        raise _MalformedError from None


def _nothing(rest: bytes) -> None:
    if rest:
        raise _MalformedError


def lines(session: Session, packets: Iterator[str]) -> Iterator[str]:
    """Answer packets that are lines of text, for people: ``hv gdb --batch``.

    What the client would print is printed, and not as it is sent.
    """
    for line in packets:
        payload = line.rstrip("\n").encode()
        if not payload or payload.startswith(b"#"):
            continue
        yield f"-> {line.strip()}"
        for answer in session.answer(payload):
            if answer[:1] == b"O" and answer != OK:
                yield bytes.fromhex(answer[1:].decode()).decode().rstrip("\n")
            else:
                yield f"<- {answer.decode('latin-1')}"
        if session.left:
            return
