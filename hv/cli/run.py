"""``hv run``: one guest, its console here, and an exit status."""

import json
import os
import select
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypedDict, Unpack

import rich_click as click

from hv.cli import options
from hv.cli.files import writable
from hv.cli.hosts import as_ticks
from hv.cli.table import count, table
from hv.errors import BudgetExceeded, GuestError, GuestFailed, UsageError
from hv.facts import (
    U32,
    U64,
    Policy,
    Profile,
    RunReason,
    State,
    Style,
    integer,
)
from hv.images import resolve
from hv.units import format_size, parse_size

if TYPE_CHECKING:
    from hv.guest import Guest
    from hv.vm import VM

BARE = "bare"
STYLES = (BARE, *(style.value for style in Style))
# How much more memory than its VM the machine has, for shadow tables.
HEADROOM = 16 << 20
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Ending:
    """How it came out: the exit status and a sentence, empty for success."""

    status: int
    why: str


@click.command()
@click.argument("image")
@options.style(*STYLES)
@options.sync
@options.mem
@options.engine()
@click.option(
    "--profile",
    type=click.Choice([str(profile) for profile in Profile]),
    default=str(Profile.CLEAN),
    show_default=True,
    help="How virtualizable the machine is.",
)
@options.harts()
@options.vcpus
@click.option(
    "--policy",
    type=click.Choice([str(policy) for policy in Policy]),
    help="How vCPUs are chosen to run, where there are more than harts.",
)
@click.option(
    "--slice",
    "slice_",
    callback=as_ticks,
    metavar="TIME",
    help="For how long one runs, where others wait: 1ms, 100us.",
)
@options.quantum
@click.option(
    "--interleave",
    type=click.IntRange(0, U64),
    default=0,
    metavar="SEED",
    help="Draw the order and the length of turns; 0: in order, of length Q.",
)
@click.option(
    "--firmware", metavar="F", help="Firmware to run as M-mode code (bare)."
)
@click.option("--initrd", metavar="F", help="A RAM disk for the kernel.")
@options.append
@options.max_insns("End the guest after so many instructions; 0 is never.")
@options.flat
@click.option(
    "--record",
    metavar="FILE",
    help="Note what comes from outside: `hv replay FILE` makes the run again.",
)
@click.option(
    "--save",
    "place",
    metavar="F",
    help="Save the VM to this file and end; `hv restore` goes on there.",
)
@click.option(
    "--at",
    type=click.IntRange(1),
    metavar="N",
    help="... after so many instructions.",
)
@options.stats
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object, with the console's text in it.",
)
def run(
    *,
    image: str,
    style: str | None,
    sync: str,
    mem: str,
    engine: str,
    profile: str,
    harts: int,
    vcpus: int | None,
    policy: str | None,
    slice_: int | None,
    quantum: int | None,
    interleave: int,
    firmware: str | None,
    initrd: str | None,
    append: str,
    max_insns: int,
    flat: bool,
    record: str | None,
    place: str | None,
    at: int | None,
    stats: bool,
    as_json: bool,
) -> int:
    """Run a guest: the path of an image, or the name of a shipped one.

    The guest's console is here: its output is stdout, stdin is its input.

    Exit status: 0 it powered off with success, 1 it failed, 2 wrong usage,
    3 the hypervisor killed it, 4 its budget of instructions ran out, 70 a
    bug in hv, 130 Ctrl-C.
    """
    from hv.vm import VM  # noqa: PLC0415 -- loads the core

    path, default = resolve(image)
    style = style or (BARE if firmware else default)
    of_vm = {"vcpus": vcpus, "policy": policy, "slice": slice_, "save": place}
    _check_options(style, firmware, [k for k, v in of_vm.items() if v])
    if record is not None:
        writable("--record", record)
    if (place is None) != (at is None):
        raise UsageError("--save FILE goes with --at N: save it then")
    with computer(
        style,
        sync,
        mem,
        resolve(firmware)[0] if firmware else None,
        Scheduling(vcpus or harts, policy or Policy.RR, slice_),
        engine=engine,
        profile=profile,
        harts=harts,
        quantum=quantum,
        interleave=interleave,
        record=record is not None,
    ) as guest:
        guest.load(path, append=append, initrd=initrd, flat=flat or None)
        guest.boot()
        if not as_json:
            guest.console.sink = write
        try:
            ending = attend(guest, at or max_insns)
            if isinstance(guest, VM) and place and at:
                ending = _saved(guest, ending, place)
        finally:  # above all if that was a bug of ours
            if record is not None and guest.host.journal is not None:
                guest.host.journal.save(record)
        facts = {"image": image, "style": style, "profile": profile}
        conclude(guest, ending, facts if as_json else None, stats=stats)
    return ending.status


def conclude(
    guest: "Guest",
    ending: Ending,
    facts: Mapping[str, object] | None,
    *,
    stats: bool,
) -> None:
    """Say how it came out: as one JSON object if there are facts for it."""
    if facts is not None:
        print(json.dumps({**facts, **report(guest, ending)}))
    elif ending.why:
        print(f"hv: {ending.why}", file=sys.stderr)
    if stats:
        print(statistics(guest), file=sys.stderr)


def _check_options(
    style: str, firmware: str | None, of_vm: Sequence[str]
) -> None:
    """Refuse options that do not go with this style."""
    if style != BARE and firmware:
        raise UsageError(
            f"--firmware goes with --style bare, not {style}: "
            "under a VM, the hypervisor is what runs in M-mode"
        )
    for option in of_vm if style == BARE else ():
        raise UsageError(f"--{option} is for a VM, not for {BARE}")


def _saved(vm: "VM", ending: Ending, place: str) -> Ending:
    """Save it, unless it has come to its end before."""
    if ending.status != BudgetExceeded.exit_code:
        return Ending(ending.status, f"{ending.why or 'it ended'}: not saved")
    vm.save(place)
    return Ending(0, f"saved after {vm.info.insns} instructions: {place}")


class Scheduling(NamedTuple):
    """What only a VM has."""

    vcpus: int
    policy: str
    slice: int | None


class MachineOptions(TypedDict):
    """What a machine and one with a hypervisor are told alike."""

    engine: str
    profile: str
    harts: int
    quantum: int | None
    interleave: int
    record: bool


@contextmanager
def computer(
    style: str,
    sync: str,
    mem: str,
    firmware: str | os.PathLike[str] | None,
    scheduling: Scheduling,
    **options: Unpack[MachineOptions],
) -> Iterator["Guest"]:
    """Make the guest: a bare machine, or a VM on one that is large enough."""
    from hv.hypervisor import Hypervisor  # noqa: PLC0415 -- loads the core
    from hv.machine import NATIVE, Machine  # noqa: PLC0415

    if style == BARE:
        with Machine(
            ram=mem, firmware=firmware or NATIVE, **options
        ) as machine:
            yield machine
    else:
        size = parse_size(mem)
        ram = integer("--mem (in bytes)", size, 0, U32 - HEADROOM) + HEADROOM
        with Hypervisor(
            ram=ram,
            policy=scheduling.policy,
            slice=scheduling.slice,
            **options,
        ) as host:
            yield host.create(
                name="the guest",
                style=style,
                sync=sync,
                mem=size,
                vcpus=scheduling.vcpus,
            )


def attend(guest: "Guest", max_insns: int) -> Ending:
    """Run the guest to its end, with input from stdin; never raise for it."""
    source = Input()
    left = max_insns
    try:
        while True:
            if not guest.console.outbox:
                guest.console.send(source.poll())
            piece = guest.host.chunk
            result = guest.run(min(piece, left) if max_insns else piece)
            left -= result.insns
            if guest.state.ended:
                guest.check()
                return Ending(0, _note(guest))
            if max_insns and left <= 0:
                raise BudgetExceeded(
                    f"it was still running after {max_insns} instructions"
                )
            if result.reason in (RunReason.IDLE, RunReason.DONE):
                data = source.wait()
                if not data:
                    return Ending(
                        GuestFailed.exit_code,
                        "it waits for input, and there is no more",
                    )
                guest.console.send(data)
    except GuestError as error:
        return Ending(error.exit_code, str(error))
    except KeyboardInterrupt:
        return Ending(
            INTERRUPTED, f"interrupted after {guest.info.insns} instructions"
        )


def _note(guest: "Guest") -> str:
    return "it asked for a reboot; hv run ends here" * guest.info.rebooted


class Input:
    """Standard input: what is there, without waiting for more.

    When it is read is counted in the guest's instructions, so input from a
    file gives the same run each time; a person's or a pipe's is read when it
    comes.
    """

    def __init__(self) -> None:
        self._fd: int | None = None
        try:
            self._fd = sys.stdin.fileno()
            os.fstat(self._fd)
        except (AttributeError, OSError, ValueError):
            self._fd = None  # closed, or not a file at all

    def poll(self) -> bytes:
        """Return what can be read now."""
        if self._fd is None or not select.select([self._fd], [], [], 0)[0]:
            return b""
        return self.wait()

    def wait(self) -> bytes:
        """Wait for input; empty at its end."""
        if self._fd is None:
            return b""
        data = os.read(self._fd, 4096)
        if not data:
            self._fd = None
        return data


def write(data: bytes) -> None:
    """Print what a guest has written, now."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def report(guest: "Guest", ending: Ending) -> dict[str, object]:
    """Return what came out, for ``--json``."""
    info, hart = guest.info, guest.machine_counters
    return {
        "status": ending.status,
        "why": ending.why,
        "state": info.state,
        "exit_code": info.exit_code if info.state is State.OFF else None,
        "reason": guest.reason,
        "rebooted": info.rebooted,
        "mem": info.mem_size,
        "insns": info.insns,
        "cycles": info.cycles,
        "counters": dict(guest.counters),
        "exits": guest.counters.exits_by_reason,
        "hart": dict(hart),
        "misses": hart.misses,
        "refs_per_miss": hart.refs_per_miss,
        "hash": f"{guest.host.hash():016x}",
        "console": guest.console.text,
    }


def statistics(guest: "Guest") -> str:
    """Return what was counted, for ``--stats``."""
    info, counters = guest.info, guest.counters
    facts = {"instructions": info.insns, "cycles": info.cycles}
    counted = {name: value for name, value in counters.items() if value}
    counted.pop("instret", None)  # the bare machine's name for instructions
    rows = list((facts | counted).items())
    if guest.number:
        rows.append(("frames populated", info.frames))
    hart = guest.machine_counters
    if guest.number:
        rows.append(("TLB misses", hart.misses))
        rows.append(("page-table entries read", hart["walk_refs"]))
    lines = [(name, count(value)) for name, value in rows]
    lines.append(("entries per TLB miss", f"{hart.refs_per_miss:.2f}"))
    lines.append(("memory", format_size(info.mem_size)))
    return table(("", ""), lines)
