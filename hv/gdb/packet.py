"""Packets of GDB's remote serial protocol, and the bytes that carry them.

::

    $ payload # two hexadecimal digits      the sum of the payload, modulo 256
    + -                                     it came well; send it again
    0x03                                    Ctrl-C, outside of packets

In a payload ``}`` says that the next byte is meant xor 0x20. The decoder is
total: it has an answer to every sequence of bytes, and keeps no more of them
than the longest packet.

Source: "Debugging with GDB", Appendix E.1 (Overview).
"""

from dataclasses import dataclass

LONGEST = 0x1000  # bytes between $ and #
_ESCAPED = b"#$}*"  # * would be a run length, in what a stub sends
_HEX = b"0123456789abcdefABCDEF"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that came well."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Bad:
    """A packet that did not, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Ack:
    """What the other side says of the last packet that it got."""

    good: bool


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ctrl-C."""


Event = Packet | Bad | Ack | Interrupt

# What a byte says that is in no packet.
_BETWEEN: dict[int, Event] = {
    ord("+"): Ack(good=True),
    ord("-"): Ack(good=False),
    0x03: Interrupt(),
}


def checksum(body: bytes) -> bytes:
    """Return the two digits that follow ``#``.

    >>> checksum(b"OK")
    b'9a'
    """
    return b"%02x" % (sum(body) & 0xFF)


def encode(payload: bytes) -> bytes:
    r"""Return a payload as it goes over the wire.

    >>> encode(b"m#1")
    b'$m}\x031#1e'
    """
    body = bytearray()
    for byte in payload:
        body += bytes((0x7D, byte ^ 0x20) if byte in _ESCAPED else (byte,))
    return b"$" + body + b"#" + checksum(bytes(body))


def unescaped(body: bytes) -> bytes | None:
    """Return what was meant; None if it ends within an escape."""
    payload, bytes_left = bytearray(), iter(body)
    for byte in bytes_left:
        if byte != 0x7D:
            payload.append(byte)
            continue
        meant = next(bytes_left, None)
        if meant is None:
            return None
        payload.append(meant ^ 0x20)
    return bytes(payload)


class Decoder:
    """Bytes in, as they come; what they say, out.

    >>> Decoder().feed(b"+$?#3f")
    [Ack(good=True), Packet(payload=b'?')]
    """

    def __init__(self) -> None:
        self._body: bytearray | None = None  # None: between packets
        self._digits: bytearray | None = None  # None: # has not come

    def feed(self, data: bytes) -> list[Event]:
        """Take in more bytes; return what is complete by now."""
        found = (self._byte(byte) for byte in data)
        return [event for event in found if event is not None]

    def _byte(self, byte: int) -> Event | None:
        if byte == ord("$"):
            return self._begin()
        if self._body is None:
            return _BETWEEN.get(byte)  # else noise, as serial lines have it
        if self._digits is None:
            return self._within(byte)
        self._digits.append(byte)
        return self._end() if len(self._digits) == 2 else None

    def _begin(self) -> Event | None:
        """Begin a packet: $ never occurs within one."""
        cut = self._body is not None
        self._body, self._digits = bytearray(), None
        return Bad("cut off by another packet") if cut else None

    def _within(self, byte: int) -> Event | None:
        body = self._body
        if byte == ord("#"):
            self._digits = bytearray()
        elif body is not None and len(body) == LONGEST:
            self._body = None
            return Bad(f"longer than {LONGEST} bytes")
        elif body is not None:
            body.append(byte)
        return None

    def _end(self) -> Event:
        body, digits = bytes(self._body or b""), bytes(self._digits or b"")
        self._body = self._digits = None
        if any(digit not in _HEX for digit in digits):
            return Bad("no checksum behind #")
        if digits.lower() != checksum(body):
            return Bad("its checksum is that of other bytes")
        payload = unescaped(body)
        return (
            Bad("cut off in an escape") if payload is None else Packet(payload)
        )
