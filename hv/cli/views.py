"""``hv walk``, ``hv pt`` and ``hv frames``: look inside a guest at one moment.

A guest is booted and run to the moment that the options name; then it is
looked at. The same command shows the same picture every time.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import hexdigits
from typing import TYPE_CHECKING, Protocol, TypeAlias

import rich_click as click

from hv.cli import options
from hv.cli.files import svg_file
from hv.errors import BudgetExceeded, ConsoleEnded, GuestError, UsageError
from hv.facts import U32, Access, Style, integer
from hv.images import resolve
from hv.units import parse_size

if TYPE_CHECKING:
    from hv.guest import Guest
    from hv.hypervisor import Hypervisor

BARE = "bare"
HEADROOM = 16 << 20  # of the machine, beyond the memory of its VMs
PATIENCE = 200_000_000  # instructions until --at is reached

_Command: TypeAlias = Callable[..., object]
_Option: TypeAlias = Callable[[_Command], _Command]


class View(Protocol):
    """What can be shown in three ways."""

    @property
    def text(self) -> str:
        """For people."""

    @property
    def svg(self) -> str:
        """A picture."""

    def to_json(self) -> dict[str, object]:
        """Everything."""


def _options(*extra: _Option) -> _Option:
    """Give a command the options that all views have, after its own."""
    common: tuple[_Option, ...] = (
        options.sync,
        options.mem,
        options.engine(
            "Which interpreter runs it there; the view is the same."
        ),
        options.append,
        click.option(
            "--insns",
            type=click.IntRange(0),
            default=0,
            metavar="N",
            help="Run so many instructions first.",
        ),
        options.as_json,
        click.option("--svg", metavar="FILE", help="Draw it, too."),
    )

    def give(command: _Command) -> _Command:
        for option in reversed((*extra, *common)):
            command = option(command)
        return command

    return give


_at: _Option = click.option(
    "--at",
    metavar="SYMBOL",
    help="Run until its pc is there: a symbol of the image or an address; "
    "with --insns, for at most so many instructions.",
)
_vcpu: _Option = click.option(
    "--vcpu", type=click.IntRange(0), default=0, help="Of which vCPU."
)


@click.command()
@click.argument("image")
@click.argument("gva")
@_options(
    options.style(BARE, *map(str, Style)),
    click.option(
        "--access",
        type=click.Choice([str(access) for access in Access]),
        default=str(Access.LOAD),
        show_default=True,
        help="What the guest wants to do there.",
    ),
    _vcpu,
    _at,
)
def walk(
    *,
    image: str,
    gva: str,
    style: str | None,
    sync: str,
    access: str,
    vcpu: int,
    mem: str,
    engine: str,
    append: str,
    at: str | None,
    insns: int,
    as_json: bool,
    svg: str | None,
) -> None:
    """Follow one guest-virtual address through all tables.

    IMAGE is the path of an image or the name of a shipped one; GVA a symbol of
    the image, or an address, in hexadecimal.
    """
    from hv.views.walk import walk as follow  # noqa: PLC0415 -- loads the core

    file = svg_file("--svg", svg) if svg else None
    with _guest(image, style, sync, mem, engine, append) as guest:
        _run_to(guest, at, insns)
        seen = follow(guest, address(guest, gva), access, vcpu)
        _show(seen, file, as_json=as_json)


@click.command()
@click.argument("image")
@_options(options.style(*map(str, Style)), _vcpu, _at)
def pt(
    *,
    image: str,
    style: str | None,
    sync: str,
    vcpu: int,
    mem: str,
    engine: str,
    append: str,
    at: str | None,
    insns: int,
    as_json: bool,
    svg: str | None,
) -> None:
    """Show a guest's page table beside the shadows that are made from it.

    Under `nested`: beside the second stage, which says where its pages are.
    IMAGE is the path of an image or the name of a shipped one.
    """
    from hv.views.tables import page_table  # noqa: PLC0415 -- loads the core
    from hv.vm import VM  # noqa: PLC0415

    file = svg_file("--svg", svg) if svg else None
    with _guest(image, style, sync, mem, engine, append) as guest:
        _run_to(guest, at, insns)
        if isinstance(guest, VM):
            _show(page_table(guest, vcpu), file, as_json=as_json)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@_options(
    options.style(*map(str, Style)),
    click.option(
        "--cell",
        type=click.IntRange(0, 1 << 20),
        default=0,
        metavar="N",
        help="Frames to a cell of the map; 0 is as many as it takes.",
    ),
)
def frames(
    *,
    images: tuple[str, ...],
    style: str | None,
    sync: str,
    cell: int,
    mem: str,
    engine: str,
    append: str,
    insns: int,
    as_json: bool,
    svg: str | None,
) -> None:
    """Show who owns each frame of a machine that runs these guests.

    IMAGE is the path of an image or the name of a shipped one; each is a VM.
    """
    from hv.views.frames import frame_map  # noqa: PLC0415 -- loads the core

    file = svg_file("--svg", svg) if svg else None
    found = [resolve(image) for image in images]
    with _hypervisor(mem, engine, len(found)) as host:
        for i, (path, default) in enumerate(found):
            vm = host.create(
                name=f"{images[i]}-{i + 1}" if len(found) > 1 else images[i],
                style=style or default,
                sync=sync,
                mem=mem,
            )
            vm.load(path, append=append)
            vm.boot()
        if insns:
            host.run(insns)
        _show(frame_map(host, cell=cell), file, as_json=as_json)


def _show(view: View, file: Path | None, *, as_json: bool) -> None:
    print(json.dumps(view.to_json()) if as_json else view.text)
    if file:
        file.write_text(view.svg, encoding="utf-8")


@contextmanager
def _hypervisor(mem: str, engine: str, vms: int) -> Iterator["Hypervisor"]:
    from hv.hypervisor import Hypervisor  # noqa: PLC0415 -- loads the core

    size = vms * parse_size(mem)
    ram = integer("--mem (in bytes)", size, 0, U32 - HEADROOM) + HEADROOM
    with Hypervisor(ram=ram, engine=engine) as host:
        yield host


@contextmanager
def _guest(
    image: str,
    style: str | None,
    sync: str,
    mem: str,
    engine: str,
    append: str,
) -> Iterator["Guest"]:
    """Boot a guest: in a VM, or on a bare machine."""
    from hv.machine import Machine  # noqa: PLC0415 -- loads the core

    path, default = resolve(image)
    style = style or default
    guest: Guest
    with ExitStack() as stack:
        if style == BARE:
            guest = stack.enter_context(Machine(ram=mem, engine=engine))
        else:
            host = stack.enter_context(_hypervisor(mem, engine, 1))
            guest = host.create(
                name=path.stem,
                style=style,
                sync=sync,
                mem=mem,
            )
        guest.load(path, append=append)
        guest.boot()
        yield guest


def _run_to(guest: "Guest", at: str | None, insns: int) -> None:
    """Run the guest to the moment that is to be looked at.

    :raises GuestError: if it does not come to ``at``.
    """
    if at is None:
        if insns:
            guest.run(insns)
        return
    limit = insns or PATIENCE
    guest.breakpoints.add(address(guest, at))
    try:
        guest.run_until("break", max_insns=limit)
    except BudgetExceeded:
        raise BudgetExceeded(
            f"{guest.name} did not come to {at} in {limit} instructions"
        ) from None
    except ConsoleEnded as error:  # an EOFError, which click would swallow
        raise GuestError(f"{error}, and did not come to {at}") from None


def address(guest: "Guest", text: str) -> int:
    """Return the address that a person has typed, or that of a symbol.

    Addresses are hexadecimal, as views print them, with 0x or without; a
    symbol of the image goes before one without.

    :raises UsageError: if it is neither.
    """
    prefixed = text.lower().startswith("0x")
    try:
        return guest.address(text)
    except UsageError:
        if not prefixed and not set(text) <= set(hexdigits):
            raise
    try:
        number = int(text, 16)
    except ValueError:
        raise UsageError(f"no address: {text!r} (write 0x80400000)") from None
    return integer("an address", number, 0, U32)
