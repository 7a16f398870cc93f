"""The commands of a session for what is in its guest, and what guards it.

Registers and memory; breakpoints, and watchpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hv.errors import UsageError
from hv.gdb import words
from hv.gdb.packet import LONGEST
from hv.gdb.running import Watched
from hv.gdb.target import PC

if TYPE_CHECKING:
    from hv.gdb.session import Command, Session


def _read_all(session: Session, rest: bytes) -> bytes:
    words.nothing(rest)
    return b"".join(_register(session, i) for i in range(PC + 1))


def _register(session: Session, number: int) -> bytes:
    value = session.target.register(session.vcpu, number)
    if value is None:
        return words.REFUSED
    return value.to_bytes(4, "little").hex().encode()


def _read_one(session: Session, rest: bytes) -> bytes:
    return _register(session, words.number(rest))


def _write_all(session: Session, rest: bytes) -> bytes:
    data = words.raw(rest)
    if len(data) != 4 * (PC + 1):
        raise words.MalformedError
    for number in range(1, PC + 1):
        value = int.from_bytes(data[4 * number :][:4], "little")
        if not session.target.set_register(session.vcpu, number, value):
            return words.REFUSED
    return words.OK


def _write_one(session: Session, rest: bytes) -> bytes:
    which, _, digits = rest.partition(b"=")
    value = int.from_bytes(words.raw(digits), "little")
    if len(digits) != 8:
        raise words.MalformedError
    done = session.target.set_register(session.vcpu, words.number(which), value)
    return words.OK if done else words.REFUSED


def _read_memory(session: Session, rest: bytes) -> bytes:
    address, size = words.span(rest)
    size = min(size, LONGEST // 2)
    data = session.target.read(session.vcpu, address, size)
    return words.FAULT if size and not data else data.hex().encode()


def _write_memory(session: Session, rest: bytes) -> bytes:
    place, _, data = rest.partition(b":")
    return _write(session, place, words.raw(data))


def _write_binary(session: Session, rest: bytes) -> bytes:
    place, _, data = rest.partition(b":")
    return _write(session, place, data)


def _write(session: Session, place: bytes, data: bytes) -> bytes:
    address, size = words.span(place)
    if size != len(data):
        raise words.MalformedError
    return (
        words.OK
        if session.target.write(session.vcpu, address, data)
        else words.FAULT
    )


# -- breakpoints and watchpoints ---------------------------------------------


def _breakpoint(session: Session, rest: bytes) -> bytes:
    address = words.word(rest.split(b";")[0].partition(b",")[0])
    try:
        session.guest.breakpoints.add(address)
    except UsageError:
        return words.FULL
    return words.OK


def _no_breakpoint(session: Session, rest: bytes) -> bytes:
    session.guest.breakpoints.discard(words.word(rest.partition(b",")[0]))
    return words.OK


def _watch(session: Session, rest: bytes) -> bytes:
    gva, size = words.span(rest.split(b";")[0])
    gpa = session.target.physical(session.vcpu, gva)
    if gpa is None or not session.running.watch(Watched(gva, gpa, size)):
        return words.FAULT
    return words.OK


def _no_watch(session: Session, rest: bytes) -> bytes:
    asked = words.span(rest)
    session.running.watched = {
        it for it in session.running.watched if (it.gva, it.size) != asked
    }
    return words.OK


# By how a packet begins.
COMMANDS: dict[bytes, Command] = {
    b"g": _read_all,
    b"G": _write_all,
    b"p": _read_one,
    b"P": _write_one,
    b"m": _read_memory,
    b"M": _write_memory,
    b"X": _write_binary,
    b"Z0,": _breakpoint,
    b"z0,": _no_breakpoint,
    b"Z1,": _breakpoint,
    b"z1,": _no_breakpoint,
    b"Z2,": _watch,
    b"z2,": _no_watch,
}
