"""What students write in Python runs here, and may never come to an end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Seconds of the processor that one call may take: a last resort, as it takes
# less than a thousandth. So a check that loops costs itself alone.
PATIENCE = 5.0


class Endless(Exception):  # noqa: N818 -- what happened
    """Say that a check did not come to an end."""


@contextmanager
def patience() -> Iterator[None]:
    """Raise Endless in what takes too long, where the system can do that."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise Endless("it does not come to an end")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
