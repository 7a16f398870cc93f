"""A guest's console, as a tube: send text, read it, wait for what comes.

Waiting runs the guest, so time-outs are budgets of instructions and a test
that waits gives the same answer on every computer.
"""

import re
from collections.abc import Callable
from typing import Protocol

from hv.errors import BudgetExceeded, ConsoleEnded, UsageError

DEFAULT_WAIT = 200_000_000
HISTORY = 4 << 20


class Runner(Protocol):
    """What a console needs of its guest."""

    def advance(self, max_insns: int) -> int:
        """Run for a moment, draining consoles; return the instructions.

        :raises GuestError: if the guest can execute no further, saying why.
        """
        ...


class Console:
    """One guest's console. ``guest.console`` is the only way to get one.

    ``wait`` is always in instructions. A guest that ends, or that waits for
    input that nobody sends, ends the wait with an exception.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._unread = bytearray()
        self._history = bytearray()
        self._outbox = bytearray()
        self.sink: Callable[[bytes], None] | None = None

    # -- what the host calls ------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take in what the guest has written."""
        self._unread += data
        self._history += data
        for buffer in (self._unread, self._history):
            del buffer[: max(0, len(buffer) - HISTORY)]
        if self.sink is not None:
            self.sink(data)

    def kept(self) -> tuple[bytes, bytes, bytes]:
        """Return what a mark has to keep of it."""
        return bytes(self._unread), bytes(self._history), bytes(self._outbox)

    def put_back(self, kept: tuple[bytes, bytes, bytes]) -> None:
        """Be as it was when :meth:`kept` was called."""
        self._unread[:], self._history[:], self._outbox[:] = kept

    @property
    def outbox(self) -> bytearray:
        """Input that the guest has not taken yet."""
        return self._outbox

    # -- what a person calls ------------------------------------------------

    @property
    def data(self) -> bytes:
        """Everything the guest has written, the last 4 MiB of it."""
        return bytes(self._history)

    @property
    def text(self) -> str:
        """The same as text; bytes that are not UTF-8 are replaced."""
        return self._history.decode(errors="replace")

    def send(self, data: str | bytes) -> None:
        """Queue input for the guest; it arrives when the guest runs.

        :raises UsageError: if it is neither text nor bytes.
        """
        self._outbox += _encode(data)

    def sendline(self, line: str | bytes = "") -> None:
        """Queue a line of input, ended by a newline."""
        self.send(line)
        self.send(b"\n")

    def clean(self) -> bytes:
        """Return what was written and not yet read. Runs nothing."""
        return self._take(len(self._unread))

    def recv(self, *, wait: int = DEFAULT_WAIT) -> bytes:
        """Return what was written and not yet read, waiting for something.

        :raises GuestError: as every reading method: GuestKilled, GuestFailed,
            ConsoleEnded, or BudgetExceeded.
        """
        self._wait(lambda: 0 if self._unread else None, "output", wait)
        return self.clean()

    def recvuntil(
        self, delim: str | bytes, *, wait: int = DEFAULT_WAIT
    ) -> bytes:
        """Return what is written up to and including a delimiter.

        :raises GuestError: see :meth:`recv`.
        """
        want = _encode(delim)
        if not want:
            raise UsageError("cannot wait for nothing")

        def end() -> int | None:
            at = self._unread.find(want)
            return None if at < 0 else at + len(want)

        return self._take(self._wait(end, repr(delim), wait))

    def recvline(self, *, wait: int = DEFAULT_WAIT) -> bytes:
        """Return one line without its end (newline or CR, newline).

        :raises GuestError: see :meth:`recv`.
        """
        return self.recvuntil(b"\n", wait=wait)[:-1].removesuffix(b"\r")

    def expect(
        self, pattern: str | bytes, *, wait: int = DEFAULT_WAIT
    ) -> re.Match[bytes]:
        """Read up to the first match of a regular expression; return it.

        As with pexpect, ``$`` and greedy tails see only what was written by
        the time of the first match: match up to a newline instead.

        :raises UsageError: if the pattern is not a regular expression.
        :raises GuestError: see :meth:`recv`.
        """
        try:
            regex = re.compile(_encode(pattern))
        except re.error as error:
            raise UsageError(f"not a pattern: {pattern!r}: {error}") from None
        found: re.Match[bytes] | None = None

        def end() -> int | None:
            nonlocal found
            found = regex.search(bytes(self._unread))
            return found and found.end()

        self._take(self._wait(end, repr(pattern), wait))
        assert found is not None  # noqa: S101 -- _wait() returned
        return found

    def _take(self, size: int) -> bytes:
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    def _wait(
        self, end: Callable[[], int | None], what: str, budget: int
    ) -> int:
        """Run the guest until ``end()`` is a position, and return that."""
        left = budget
        while (at := end()) is None:
            if left <= 0:
                raise BudgetExceeded(
                    f"no {what} within {budget} instructions; {self._tail()}"
                )
            try:
                left -= self._runner.advance(left)
            except ConsoleEnded as error:
                if (at := end()) is not None:
                    return at
                raise ConsoleEnded(
                    f"no {what}: {error}; {self._tail()}"
                ) from None
        return at

    def _tail(self) -> str:
        if not self._history:
            return "it printed nothing"
        last = bytes(self._history[-80:]).decode(errors="replace")
        return f"the last it printed: {last!r}"


def _encode(data: object) -> bytes:
    if isinstance(data, str):
        return data.encode(errors="surrogateescape")
    if isinstance(data, bytes | bytearray):
        return bytes(data)
    raise UsageError(f"a console takes text or bytes, not {data!r}")
