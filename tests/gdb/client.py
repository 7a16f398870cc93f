"""A client of GDB's remote protocol, written from the protocol's text alone.

It shares no line with hv/gdb, so that the two can disagree. The server runs in
a thread, at the other end of a pair of sockets; every call waits for its answer
and for nothing else.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import hv
from hv.gdb.server import serve
from hv.gdb.session import Session

PATIENCE = 60  # seconds; a hang must be a failure


class Client:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        self._socket = connection
        self._file = connection.makefile("rb")
        self.acks = True
        self.printed = ""

    def close(self) -> None:
        """Be gone."""
        self._file.close()
        self._socket.close()

    def raw(self, data: bytes) -> None:
        """Send bytes, whatever they are."""
        self._socket.sendall(data)

    def byte(self) -> bytes:
        """Receive one byte; none at the end."""
        try:
            return self._file.read(1)
        except ConnectionResetError:  # it had not read our last ack
            return b""

    def send(self, text: str | bytes) -> None:
        """Send a packet, and have it acknowledged."""
        payload = text if isinstance(text, bytes) else text.encode()
        self.raw(b"$%s#%02x" % (payload, sum(payload) % 256))
        if self.acks:
            assert self.byte() == b"+"

    def receive(self) -> str:
        """Receive a packet: what is between $ and #."""
        assert self.byte() == b"$"
        body, total = bytearray(), 0
        while (byte := self.byte()) != b"#":
            assert byte, "the server is gone"
            total += byte[0]
            if byte == b"}":
                more = self.byte()
                total += more[0]
                byte = bytes([more[0] ^ 32])
            body += byte
        digits = self._file.read(2)
        assert int(digits, 16) == total % 256
        if self.acks:
            with suppress(OSError):  # who has said goodbye may be gone
                self.raw(b"+")
        return body.decode("latin-1")

    def ask(self, text: str | bytes) -> str:
        """Send a packet and return the answer; keep what is printed."""
        self.send(text)
        return self.answer()

    def answer(self) -> str:
        """Return the next answer, and keep what is printed before it."""
        self.printed = ""
        while (got := self.receive())[:1] == "O" and got != "OK":
            self.printed += bytes.fromhex(got[1:]).decode()
        return got

    # -- what a debugger wants ---------------------------------------------

    def reg(self, number: int) -> int:
        """Return a register."""
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    @property
    def pc(self) -> int:
        """Where the thread is."""
        return self.reg(32)

    def mem(self, address: int, size: int) -> bytes:
        """Return memory, or a part of it."""
        return bytes.fromhex(self.ask(f"m{address:x},{size:x}"))

    def monitor(self, line: str) -> str:
        """Return what a command of the monitor prints."""
        assert self.ask(f"qRcmd,{line.encode().hex()}") == "OK"
        return self.printed


@contextmanager
def connected(
    guest: hv.Guest, past: hv.Past
) -> Iterator[tuple[Client, Session]]:
    """Connect a client to a session of its own; let it end at the end."""
    session = Session(guest, past)
    ours, theirs = socket.socketpair()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with theirs:
                serve(session, theirs)
        except BaseException as error:  # noqa: BLE001 -- shown in the test
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    client = Client(ours)
    try:
        yield client, session
    finally:
        client.close()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not failed, failed
