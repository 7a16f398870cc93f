"""What each packet asks for, and the answer: no socket, no framing.

A session is total: whatever a client sends, it gets an answer; what is wrong
with its packet is an error to it, and what hv does not have is the empty
answer, which is the protocol's word for "not here". Here are the commands about
the session itself and its threads; those that let the guest go are in moves.py,
those for what is in it in access.py.

A VM's vCPUs (or the bare machine's harts) are GDB's threads, by number from 1.
Source: "Debugging with GDB", Appendix E.2 to E.4.
"""

from collections.abc import Callable
from enum import Enum
from typing import ClassVar

from hv.errors import UsageError
from hv.gdb import access, monitor, moves, words
from hv.gdb.packet import LONGEST
from hv.gdb.running import Running, Stop, Why
from hv.gdb.target import Target
from hv.guest import Guest
from hv.reverse import Past

_SUPPORTED = (
    b"PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;vContSupported+;"
    b"swbreak+;hwbreak+;ReverseStep+;ReverseContinue+" % LONGEST
)


class Left(Enum):
    """How a client has taken its leave."""

    DETACHED = "detached"  # the guest may go on
    KILLED = "killed"  # it may not


Command = Callable[["Session", bytes], bytes]


def _constant(answer: bytes) -> Command:
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
        self.vcpu = 0  # that registers and memory are asked of
        self.last = Stop(Why.STEP, 0)
        self._notes: list[bytes] = []
        self.says_breaks = False  # the client has the word swbreak
        self._xml = self.target.description

    def answer(self, payload: bytes) -> list[bytes]:
        """Return what to send: text for the person, if any, then the answer.

        :raises HypervisorBug: if an assertion of hv fails meanwhile.
        """
        self._notes = []
        try:
            last = self._answer(payload)
        except (words.MalformedError, UsageError):
            last = words.MALFORMED
        return [*self._notes, last] if payload != b"k" else []

    def _answer(self, payload: bytes) -> bytes:
        for name, command in self._COMMANDS.items():
            if payload.startswith(name):
                return command(self, payload[len(name) :])
        return words.NOT_HERE

    def say(self, text: str) -> None:
        """Let the client print something, before the answer."""
        data, size = text.encode(), (LONGEST - 1) // 2
        self._notes += [
            b"O" + data[at : at + size].hex().encode()
            for at in range(0, len(data), size)
        ]

    # -- threads ------------------------------------------------------------

    def thread(self, text: bytes) -> int:
        """Return the vCPU that is meant: -1 and 0 are any of them."""
        if text in (b"-1", b"0"):
            return self.vcpu
        vcpu = words.number(text) - 1
        if not 0 <= vcpu < len(self.guest.cpu):
            raise words.MalformedError
        return vcpu

    def _choose(self, rest: bytes) -> bytes:
        if rest[:1] not in (b"g", b"c"):
            raise words.MalformedError
        self.vcpu = self.thread(rest[1:])
        return words.OK

    def _alive(self, rest: bytes) -> bytes:
        self.thread(rest)
        return words.OK

    def _current(self, _: bytes) -> bytes:
        return b"QC%x" % (self.vcpu + 1)

    def _threads(self, _: bytes) -> bytes:
        numbers = (b"%x" % (i + 1) for i in range(len(self.guest.cpu)))
        return b"m" + b",".join(numbers)

    def _about_thread(self, rest: bytes) -> bytes:
        cpu = self.guest.cpu[self.thread(rest)]
        return f"{self.guest.name}, in {cpu.priv}".encode().hex().encode()

    # -- what there is, and how it ends ---------------------------------------

    def _support(self, rest: bytes) -> bytes:
        self.says_breaks = b"swbreak+" in rest.lstrip(b":").split(b";")
        return _SUPPORTED

    def _features(self, rest: bytes) -> bytes:
        name, _, window = rest.partition(b":")
        offset, size = words.span(window)
        if name != b"target.xml":
            return words.REFUSED
        piece = self._xml[offset:][: min(size, LONGEST // 2)]
        more = offset + len(piece) < len(self._xml)
        return (b"m" if more else b"l") + piece

    def _no_acks(self, _: bytes) -> bytes:
        self.acks = False
        return words.OK

    def _monitor(self, rest: bytes) -> bytes:
        line = words.raw(rest).decode(errors="replace")
        self.say(monitor.answer(self.running, self.vcpu, line))
        return words.OK

    def _detach(self, _: bytes) -> bytes:
        self.guest.breakpoints.clear()
        self.running.watched.clear()
        self.left = Left.DETACHED
        return words.OK

    def _kill(self, _: bytes) -> bytes:
        self.left = Left.KILLED
        return words.OK

    # By how a packet begins; the first that fits.
    _COMMANDS: ClassVar[dict[bytes, Command]] = {
        **moves.COMMANDS,
        **access.COMMANDS,
        b"qSupported": _support,
        b"qXfer:features:read:": _features,
        b"QStartNoAckMode": _no_acks,
        b"qfThreadInfo": _threads,
        b"qsThreadInfo": _constant(b"l"),
        b"qThreadExtraInfo,": _about_thread,
        b"qCRC:": _constant(words.NOT_HERE),
        b"qC": _current,
        b"qAttached": _constant(b"1"),
        b"qRcmd,": _monitor,
        b"vCont?": _constant(b"vCont;c;C;s;S"),
        b"vKill;": _kill,
        b"H": _choose,
        b"T": _alive,
        b"D": _detach,
        b"k": _kill,
    }
