"""``hv gdb``: a guest that stands, and waits for a debugger."""

import select
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import options
from hv.cli.run import (
    BARE,
    STYLES,
    Ending,
    Scheduling,
    attend,
    computer,
    conclude,
    write,
)
from hv.errors import HvError, UsageError
from hv.facts import Policy, Profile
from hv.images import resolve

if TYPE_CHECKING:
    from hv.gdb.session import Session
    from hv.guest import Guest
    from hv.reverse import Past

# Lazily imported everywhere below: `hv --help` needs none of it.
# ruff: noqa: PLC0415

LOCAL = "127.0.0.1"
PORT = 1234  # as QEMU has it
_LOOK = 0.2  # seconds between looks whether GDB is still there


def _place(
    ctx: click.Context, param: click.Parameter, value: str
) -> tuple[str, int]:
    """Take [HOST:]PORT apart."""
    host, _, port = value.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 0xFFFF:
        raise click.BadParameter(
            f"{value!r} is no place to listen: {PORT}, or {LOCAL}:{PORT}",
            ctx,
            param,
        )
    return host.strip("[]") or LOCAL, int(port)


@click.command()
@click.argument("image")
@click.option(
    "--listen",
    "at",
    callback=_place,
    default=str(PORT),
    show_default=True,
    metavar="[HOST:]PORT",
    help=f"Where GDB connects; HOST is {LOCAL} if not said, PORT 0 any.",
)
@click.option(
    "--attach", is_flag=True, help="Start GDB here, at the other end."
)
@click.option(
    "--batch",
    is_flag=True,
    help="No socket: packets are lines of stdin, answers lines of stdout.",
)
@options.style(*STYLES)
@options.sync
@options.mem
@options.engine()
@options.harts()
@options.vcpus
@options.append
@options.flat
def gdb(
    *,
    image: str,
    at: tuple[str, int],
    attach: bool,
    batch: bool,
    style: str | None,
    sync: str,
    mem: str,
    engine: str,
    harts: int,
    vcpus: int | None,
    append: str,
    flat: bool,
) -> int:
    """Debug a guest with GDB: it stands before its first instruction.

    IMAGE is the path of an image or the name of a shipped one; or a run that
    `hv run --record FILE` noted, which stands at its end, to go back from. In
    GDB: `target remote :1234`; then break, watch, stepi, reverse-stepi,
    reverse-continue, and `monitor help`. Who detaches lets it run to its end.
    """
    from hv.gdb import debugger

    if attach and batch:
        raise UsageError("--attach starts GDB, and --batch needs none")
    link = _Link(*at, debugger.needed() if attach else "")
    with ExitStack() as stack:
        if _is_noted(image):
            path = None
            guest, past = stack.enter_context(_noted(image))
        else:
            path, default = resolve(image)
            style = style or default
            if style == BARE and vcpus:
                raise UsageError(f"--vcpus is for a VM, not for {BARE}")
            guest = stack.enter_context(
                computer(
                    *(style, sync, mem, None),
                    Scheduling(vcpus or harts, Policy.RR, None),
                    engine=engine,
                    profile=Profile.CLEAN,
                    harts=harts,
                    quantum=None,
                    interleave=0,
                    record=False,
                )
            )
            guest.load(path, append=append, flat=flat or None)
            guest.boot()
            past = _past(guest)
        return _debug(guest, past, None if batch else link, path)


def _is_noted(image: str) -> bool:
    from hv.journal import is_journal

    return Path(image).is_file() and is_journal(image)


@contextmanager
def _noted(image: str) -> Iterator[tuple["Guest", "Past"]]:
    """Make a recorded run again; its first guest, and its past."""
    from hv.journal import Recorded
    from hv.replays import Player

    player = Player(Recorded(image))
    past = player.past()
    with player.run() as place:
        if not place.guests:
            raise HvError(f"{image}: no VM is left at its end")
        yield place.guests[0], past


def _past(guest: "Guest") -> "Past":
    """Begin a guest's past here."""
    from hv.hypervisor import Hypervisor
    from hv.machine import Machine
    from hv.reverse import Past
    from hv.vm import VM

    if isinstance(guest, Machine):
        return Past(guest)
    host = Hypervisor.over(guest.host)
    if isinstance(guest, VM):
        host.adopt(guest)
    return Past(host)


@dataclass(frozen=True, slots=True)
class _Link:
    """How a debugger comes to us; one is started, if its path is here."""

    host: str
    port: int
    debugger: str


def _debug(
    guest: "Guest", past: "Past", link: _Link | None, image: Path | None
) -> int:
    """Let a debugger have the guest; return the command's exit status."""
    from hv.gdb.batch import lines
    from hv.gdb.session import Left, Session

    guest.console.sink = write
    session = Session(guest, past)
    if link is None:
        for line in lines(session, sys.stdin):
            print(line, flush=True)
    else:
        _serve(session, link, image)
    if session.left is not Left.DETACHED or (link and link.debugger):
        return 0
    ending = attend(guest, 0) if not guest.state.ended else Ending(0, "")
    conclude(guest, ending, None, stats=False)
    return ending.status


def _serve(session: "Session", link: _Link, image: Path | None) -> None:
    """Wait for a client, and answer it until it leaves."""
    from hv.gdb import debugger
    from hv.gdb.server import listen, serve

    try:
        listener = listen(link.host, link.port)
    except OSError as error:
        raise HvError(
            f"--listen {link.host}:{link.port}: {error.strerror}"
        ) from None
    with listener:
        port = listener.getsockname()[1]
        if not link.debugger:
            print(
                f"hv: the guest stands; in GDB: target remote "
                f"{link.host}:{port}",
                file=sys.stderr,
            )
            connection, _ = listener.accept()
            listener.close()
            with connection:
                serve(session, connection)
            return
        child = debugger.started(link.debugger, link.host, port, image)
        with child, _ctrl_c_is_for_gdb():
            while not select.select([listener], [], [], _LOOK)[0]:
                if child.poll() is not None:
                    return
            connection, _ = listener.accept()
            with connection:
                serve(session, connection)


@contextmanager
def _ctrl_c_is_for_gdb() -> Iterator[None]:
    """Let the debugger, which has the same terminal, make a packet of it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
