"""A recording as text: a line per event, in the order in which they were noted.

Each line has the clock of the hart on which it happened. Two harts' clocks may
differ by a quantum, so from line to line time may go back a little.
"""

from collections.abc import Callable, Iterator

from hv.events import EventKind
from hv.trace.causes import cause_name
from hv.trace.recording import Recording


def text_lines(recording: Recording) -> Iterator[str]:
    """Return the lines of the log."""
    names = recording.names
    labels = [f"{name}.0" for name in names.values()]
    width = max([*map(len, labels), 3])
    for event in recording.events:
        time = recording.nanoseconds(event.cycle) / 1000
        name = names.get(event.vm, str(event.vm))
        whose = f"{name}.{event.vcpu}" if event.vm else "-"
        explain = _DETAIL.get(event.kind)
        detail = explain(event.arg) if explain else ""
        line = (
            f"{time:14.3f} us  hart {event.hart}  {whose:{width}}  "
            f"{event.kind:6}  {detail}"
        )
        yield line.rstrip()


# What the argument of a kind says, in words.
_DETAIL: dict[EventKind, Callable[[int], str]] = {
    EventKind.EXIT: cause_name,
    EventKind.INJECT: cause_name,
    EventKind.STOP: lambda able: "still runnable" if able else "",
    EventKind.WAKE: lambda hart: f"for hart {hart}",
    EventKind.UNPARK: lambda hart: f"for hart {hart}",
    EventKind.MOVE: lambda hart: f"from hart {hart}",
    EventKind.KICK: lambda hart: f"hart {hart}",
    EventKind.IPI: lambda vcpu: f"to vCPU {vcpu}",
    EventKind.QUEUE: lambda vcpus: f"{vcpus} waiting",
    EventKind.CREDIT: lambda cycles: f"{cycles} cycles",
}


def to_text(recording: Recording) -> str:
    """Return a recording as a log to read."""
    return "\n".join([*text_lines(recording), ""])
