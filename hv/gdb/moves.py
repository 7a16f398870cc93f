"""The commands of a session that let its guest go: on, back, and to a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.gdb import words
from hv.gdb.running import Stop, Why

if TYPE_CHECKING:
    from hv.gdb.session import Command, Session

_SIGTRAP = 5
_SIGNALS = {Why.CTRL_C: 2, Why.BUG: 6}  # SIGINT, SIGABRT


def _stopped(session: Session, stop: Stop) -> bytes:
    """Return a stop as the protocol says it."""
    session.last, session.vcpu = stop, stop.vcpu
    what = {
        Why.BREAK: b"swbreak:;" if session.says_breaks else b"",
        Why.WATCH: b"watch:%x;" % stop.gva,
        Why.ENDED: b"replaylog:end;",
        Why.BEGIN: b"replaylog:begin;",
    }.get(stop.why, b"")
    signal = _SIGNALS.get(stop.why, _SIGTRAP)
    return b"T%02x%sthread:%x;" % (signal, what, stop.vcpu + 1)


def _moved(session: Session, stop: Stop) -> bytes:
    if stop.why is Why.ENDED:
        session.say(f"{session.running.ending}; you can go back from here\n")
    elif stop.why is Why.IDLE:
        session.say(
            "everybody waits for input: `monitor send TEXT` types a line\n"
        )
    elif stop.why is Why.BUG:
        session.say(f"{stop.bug}; the guest stands before it\n")
    return _stopped(session, stop)


def _why(session: Session, _: bytes) -> bytes:
    return _stopped(session, session.last)


def _step(session: Session, rest: bytes) -> bytes:
    _from(session, rest)
    return _moved(session, session.running.step(session.vcpu))


def _go_on(session: Session, rest: bytes) -> bytes:
    _from(session, rest)
    return _moved(session, session.running.go_on(session.vcpu))


def _from(session: Session, rest: bytes) -> None:
    """Let the vCPU go on elsewhere, if an address says so."""
    if rest:
        session.guest.cpu[session.vcpu].pc = words.word(rest)


def _step_back(session: Session, rest: bytes) -> bytes:
    words.nothing(rest)
    return _stopped(session, session.running.step_back(session.vcpu))


def _go_back(session: Session, rest: bytes) -> bytes:
    words.nothing(rest)
    return _stopped(session, session.running.go_back(session.vcpu))


def _actions(session: Session, rest: bytes) -> bytes:
    """vCont: what each thread is to do. All run that the scheduler lets."""
    for action in rest.split(b";"):
        what, _, thread = action.partition(b":")
        name = what[:1].lower()
        if name not in (b"c", b"s") or len(what) not in (1, 3):
            raise words.MalformedError
        if name == b"s":
            vcpu = session.thread(thread) if thread else session.vcpu
            return _moved(session, session.running.step(vcpu))
    return _moved(session, session.running.go_on(session.vcpu))


def _signalled(session: Session, rest: bytes) -> bytes:
    """C, to go on with a signal: a guest has none."""
    words.number(rest.partition(b";")[0])
    return _go_on(session, rest.partition(b";")[2])


def _step_signalled(session: Session, rest: bytes) -> bytes:
    words.number(rest.partition(b";")[0])
    return _step(session, rest.partition(b";")[2])


# By how a packet begins.
COMMANDS: dict[bytes, Command] = {
    b"?": _why,
    b"vCont;": _actions,
    b"c": _go_on,
    b"C": _signalled,
    b"s": _step,
    b"S": _step_signalled,
    b"bs": _step_back,
    b"bc": _go_back,
}
