"""A socket with one client at the other end of it.

While the guest runs, the line is looked at now and then, for Ctrl-C alone; that
a look finds something depends on the clock, so it decides when the guest stands
and nothing else.
"""

import select
import socket
from collections import deque

from hv.gdb.packet import Ack, Bad, Decoder, Event, Interrupt, Packet, encode
from hv.gdb.session import Left, Session

_ROOM = 4096


class Line:
    """The bytes to and from a client, as packets."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._decoder = Decoder()
        self._events: deque[Event] = deque()
        self._open = True

    def next(self) -> Event | None:
        """Wait for what the client says next; None: it is gone."""
        while not self._events and self._open:
            self._receive()
        return self._events.popleft() if self._events else None

    def interrupted(self) -> bool:
        """Return whether Ctrl-C has come, or the end; without waiting."""
        while self._open and select.select([self._socket], [], [], 0)[0]:
            self._receive()
        found = Interrupt() in self._events
        self._events = deque(it for it in self._events if it != Interrupt())
        return found or not self._open

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_ROOM)
        except OSError:
            data = b""
        self._open = bool(data)
        self._events += self._decoder.feed(data)

    def send(self, data: bytes) -> None:
        """Send bytes, if anybody is there."""
        try:
            self._socket.sendall(data)
        except OSError:
            self._open = False


def serve(session: Session, connection: socket.socket) -> Left:
    """Answer one client until it leaves; return how it did.

    One that is gone without a word has left for good.

    :raises HypervisorBug: if an assertion of hv fails as the guest runs.
    """
    line, sent = Line(connection), b""
    session.running.interrupted = line.interrupted
    while session.left is None:
        match line.next():
            case None:
                return Left.KILLED
            case Packet(payload):
                if session.acks:
                    line.send(b"+")
                sent = b"".join(map(encode, session.answer(payload)))
                line.send(sent)
            case Bad() if session.acks:
                line.send(b"-")
            case Ack(good=False):
                line.send(sent)
            case _:
                pass  # an ack; Ctrl-C while the guest stands
    return session.left


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that clients can connect to.

    :param port: 0 is one that is free.
    :raises OSError: if that is not possible.
    """
    return socket.create_server((host, port))
