"""What only hv can tell: GDB's ``monitor`` and what is typed after it.

Addresses are hexadecimal, with 0x or without, or symbols of the image.
"""

from collections.abc import Callable, Mapping

from hv.cli.table import count, table
from hv.errors import HvError, HypervisorBug, UsageError
from hv.facts import U32, integer
from hv.gdb.running import Running
from hv.views.tables import page_table
from hv.views.walk import walk
from hv.vm import VM

WORDS = 4  # to a line


def answer(running: Running, vcpu: int, line: str) -> str:
    """Return what a command prints; never raise for what a person typed."""
    name, *args = line.split() or ["help"]
    command = COMMANDS.get(name)
    if command is None:
        return f"no command {name!r}\n{_help(running, vcpu, [])}"
    try:
        return command(running, vcpu, args) + "\n"
    except HypervisorBug:
        raise
    except HvError as error:
        return f"{error}\n"


def _help(running: Running, vcpu: int, args: list[str]) -> str:  # noqa: ARG001
    """List what there is."""
    rows = [
        (name, (command.__doc__ or "").splitlines()[0])
        for name, command in COMMANDS.items()
    ]
    return table(("MONITOR", ""), rows, right=())


def address(running: Running, text: str) -> int:
    """Return the address that a person has typed.

    :raises UsageError: if it is none.
    """
    try:
        return running.guest.address(text)
    except UsageError:
        try:
            number = int(text, 16)
        except ValueError:
            raise UsageError(
                f"{text!r} is no symbol of the image, and no address"
            ) from None
    return integer("an address", number, 0, U32)


def _exits(running: Running, vcpu: int, args: list[str]) -> str:  # noqa: ARG001
    """Say what the guest has cost so far: exits, by reason."""
    guest = running.guest
    if not isinstance(guest, VM):
        return "none: there is no hypervisor beneath the bare machine"
    counters = guest.counters
    rows = [("exits", count(counters["exits"]))]
    rows += [
        (f"  {name}", count(value))
        for name, value in counters.exits_by_reason.items()
        if value
    ]
    return table(("", ""), rows)


def _pt(running: Running, vcpu: int, args: list[str]) -> str:
    """Follow an address through all tables; without one, compare them."""
    guest = running.guest
    if args:
        return walk(guest, address(running, args[0]), "load", vcpu).text
    if not isinstance(guest, VM):
        return "the bare machine has one set of tables: name an address"
    return page_table(guest, vcpu).text


def _where(running: Running, vcpu: int, args: list[str]) -> str:  # noqa: ARG001
    """Say which instruction of the run this is, and where each vCPU is."""
    lines = [f"after {running.past.position} instructions since the beginning"]
    for number, cpu in enumerate(running.guest.cpu):
        near = _symbol(running, cpu.pc)
        here = "*" if number == vcpu else " "
        lines.append(
            f"{here} vCPU {number}: pc {cpu.pc:08x} {near}in {cpu.priv}"
        )
    if running.ending:
        lines.append(running.ending)
    return "\n".join(lines)


def _symbol(running: Running, pc: int) -> str:
    layout = running.guest.layout
    before = [
        (value, name)
        for name, value in (layout.symbols if layout else {}).items()
        if value <= pc
    ]
    if not before:
        return ""
    value, name = max(before)
    return f"<{name}+{pc - value:#x}> "


def _gpa(running: Running, vcpu: int, args: list[str]) -> str:  # noqa: ARG001
    """Print words of guest-physical memory: ADDRESS, and how many."""
    if not 1 <= len(args) <= 2:
        raise UsageError("monitor gpa ADDRESS [WORDS]")
    at = address(running, args[0]) & ~3
    words = int(args[1]) if args[1:] and args[1].isdigit() else WORDS
    mem = running.guest.mem
    values = [mem.read32(at + 4 * i) for i in range(min(words, 256))]
    return "\n".join(
        f"{at + 4 * i:08x}: "
        + " ".join(f"{value:08x}" for value in values[i : i + WORDS])
        for i in range(0, len(values), WORDS)
    )


def _send(running: Running, vcpu: int, args: list[str]) -> str:  # noqa: ARG001
    """Type a line at the guest's console; it comes when the guest runs."""
    line = " ".join(args)
    running.guest.console.sendline(line)
    return f"typed: {line!r}"


COMMANDS: Mapping[str, Callable[[Running, int, list[str]], str]] = {
    "exits": _exits,
    "pt": _pt,
    "where": _where,
    "gpa": _gpa,
    "send": _send,
    "help": _help,
}
