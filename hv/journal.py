"""Journals: what was done to a host from outside, so that it can be done again.

A run is a function of a host's configuration and of what came from outside:
VMs made, memory written, keys typed, parameters set, and how far it ran before
each. A journal is a list of those calls, in their order. Played on a new host,
on either engine and any build of the core, it leads to the same state, bit for
bit; and each answer on the way is compared with the one that was noted.

All calls of Python go through one door, :meth:`hv.host.Host.call`, which is
where they are noted. What only looks is not; what drains a buffer is, since a
run stops at a full one.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from hv import core
from hv.core import CData, ffi, lib
from hv.errors import HypervisorBug, UsageError
from hv.facts import U64
from hv.host import Host, HostConfig

MAGIC = b"hv journal 1\n"
_DIGEST = 32

# What a call's arguments are, after the host:
#
#   int            a number
#   data           bytes in, and their number
#   in TYPE        a struct in
#   list TYPE      structs in, and their number
#   room TYPE      structs or bytes out, and room for how many
#   out TYPE       one out, which is part of the answer
#   image          a saved VM, whose bytes are no part of the answer
#   why            room for a reason, and its size
_CALLS: dict[str, tuple[str, ...]] = {
    "hv_run": ("run",),
    "hv_step": ("int",) * 2,
    "hv_break": ("int",) * 3,
    "hv_mem_write": ("int", "int", "data"),
    "hv_reg_set": ("int",) * 4,
    "hv_vm_create": ("in struct hv_vm_config", "out uint32_t", "why"),
    "hv_vm_destroy": ("int",),
    "hv_vm_save": ("int", "image", "why"),
    "hv_vm_restore": ("data", "out uint32_t", "why"),
    "hv_host_save": ("data", "image", "why"),
    "hv_vm_fork": ("int", "out uint32_t", "why"),
    "hv_vm_set_style": ("int",) * 2,
    "hv_vm_set_sync": ("int",) * 2,
    "hv_vm_pause": ("int",),
    "hv_vm_resume": ("int",),
    "hv_vm_boot": ("int",) * 4,
    "hv_interleave_seed": ("int",),
    "hv_interleave_set": ("list struct hv_round",),
    "hv_interleave_record": ("int",),
    "hv_sched_set": ("int", "in struct hv_sched", "why"),
    "hv_affinity_set": ("int", "int", "int", "why"),
    "hv_slots_set": ("list struct hv_slot", "why"),
    "hv_watch": ("int",) * 2,
    "hv_watch_take": ("room struct hv_event",),
    "hv_console_take": ("int", "room uint8_t"),
    "hv_console_give": ("int", "data"),
    "hv_balloon_set": ("int",) * 2,
    "hv_share_scan": ("int", "out uint32_t"),
    "hv_dirty_start": ("int",),
    "hv_dirty_fetch": ("int", "room uint8_t", "out uint32_t"),
    "hv_dirty_stop": ("int",),
    "hv_fail_alloc": ("int",),
}
# They make a VM.
MAKERS = ("hv_vm_create", "hv_vm_restore", "hv_vm_fork")
# Their answer is how many they took or gave; if that is none, nothing happened.
_COUNTS = ("hv_watch_take", "hv_console_take", "hv_console_give")
_CONSOLES = ("hv_console_take", "hv_console_give")
# Two arguments of C are one here.
_PAIRS = ("data", "list", "room", "why")
_RUN = "hv_run"
_ROOM = 1 << 24


class Entry(msgspec.Struct, array_like=True):
    """One call, and what it answered.

    :param args: numbers and bytes, as ``_CALLS`` has them.
    :param answer: its status or count, and then what it wrote.
    """

    name: str
    args: list[int | bytes]
    answer: list[int | bytes]

    def __str__(self) -> str:
        """Return it as a line of a list."""
        args = (
            f"{len(it)} bytes" if isinstance(it, bytes) else f"{it:#x}"
            for it in self.args
        )
        return f"{self.name}({', '.join(args)})"


class _File(msgspec.Struct):
    """What a file has, behind its checksum."""

    version: str  # of the core
    config: dict[str, Any]  # of the host
    entries: list[Entry]
    insns: int
    hash: int


def _name_of() -> dict[object, str]:
    return {getattr(lib, name): name for name in _CALLS}


class Journal:
    """The calls of one host. ``Hypervisor(record=True).journal`` is one."""

    def __init__(self, host: Host, *, whole: bool = True) -> None:
        self.host = host
        self.entries: list[Entry] = []
        self.after: Callable[[Entry], None] | None = None
        self._names = _name_of()
        self._sealed = 0
        self._whole = whole

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self.entries)

    # -- what the host calls ------------------------------------------------

    def note(
        self, function: object, args: tuple[Any, ...], status: int
    ) -> None:
        """Note a call that was made."""
        name = self._names.get(function)
        if name is None or (name in _COUNTS and status == 0):
            return
        entry = _entry(name, args, status)
        if not self._joined(entry):
            self.entries.append(entry)
        if self.after is not None:
            self.after(entry)

    def _joined(self, entry: Entry) -> bool:
        """Make one of two runs of which the first was cut off: the same run."""
        if entry.name != _RUN or len(self.entries) <= self._sealed:
            return False
        last = self.entries[-1]
        if last.name != _RUN or last.answer[:2] != [lib.HV_OK, _BUDGET]:
            return False
        budget, more = int(last.answer[4]), int(entry.args[0])
        self.entries[-1] = Entry(
            _RUN,
            [more and budget + more],
            [*entry.answer[:4], budget + int(entry.answer[4])],
        )
        return True

    def seal(self) -> int:
        """Let what is noted from here on be apart; return how much there is."""
        self._sealed = len(self.entries)
        return self._sealed

    def cut(self, length: int) -> None:
        """Forget what came after an earlier :meth:`seal`."""
        del self.entries[length:]
        self._sealed = length

    # -- what a person calls ------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, with the hash of the state that it leads to.

        :raises UsageError: if the file cannot be written, or the journal does
            not begin where the host does.
        """
        if not self._whole:
            raise UsageError("nothing is recorded: make it with record=True")
        try:
            state = self.host.hash()
        except HypervisorBug:
            state = 0  # and who plays it comes to that bug before
        file = _File(
            version=core.version(),
            config=asdict(self.host.config),
            entries=self.entries,
            insns=self.host.info.insns,
            hash=state,
        )
        body = zlib.compress(msgspec.msgpack.encode(file))
        digest = hashlib.sha256(body).digest()
        try:
            Path(path).write_bytes(MAGIC + digest + body)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None

    def __repr__(self) -> str:
        """Show how long it is."""
        return f"<Journal of {len(self)} calls>"


def recorded(host: Host) -> Journal:
    """Return the journal of a host.

    :raises UsageError: if it has none.
    """
    if host.journal is None:
        raise UsageError("nothing is recorded: make it with record=True")
    return host.journal


_BUDGET = int(lib.HV_RUN_BUDGET)


def _bytes(pointer: CData, ctype: str, count: int = 1) -> bytes:
    return bytes(ffi.buffer(pointer, count * ffi.sizeof(ctype)))


def _data(value: bytes | CData, count: int) -> bytes:
    if isinstance(value, bytes):
        return value[:count]
    return bytes(ffi.buffer(value, count))


def _entry(name: str, args: tuple[Any, ...], status: int) -> Entry:
    """Return a call as an entry."""
    kept: list[int | bytes] = []
    answer: list[int | bytes] = [status]
    left = list(args)
    for what in _CALLS[name]:
        kind, _, ctype = what.partition(" ")
        value = left.pop(0)
        count = int(left.pop(0)) if kind in _PAIRS else 1
        match kind:
            case "int":
                kept.append(int(value))
            case "data":
                kept.append(_data(value, count))
            case "in" | "list":
                kept.append(_bytes(value, ctype, count))
            case "room":
                kept.append(count)
            case "run":
                kept.append(int(value.max_insns))
                answer += [value.reason, value.vm, value.vcpu, value.insns]
            case "out":
                answer.append(_bytes(value, ctype))
    return Entry(name, kept, answer)


def is_run(entry: Entry) -> bool:
    """Say whether guests ran in it for as long as they liked."""
    return entry.name == _RUN


def created(entry: Entry) -> int:
    """Return the number of the VM that it made."""
    number = entry.answer[1]
    return int.from_bytes(number, "little") if isinstance(number, bytes) else 0


def retired(entry: Entry) -> int:
    """Return for how many instructions guests ran in it."""
    if is_run(entry) and entry.answer[0] == lib.HV_OK:
        return int(entry.answer[4])
    return int(entry.name == "hv_step" and entry.answer[0] == lib.HV_OK)


# -- playing ------------------------------------------------------------------


def play(host: Host, entry: Entry) -> None:
    """Make a call again, and compare what it answers.

    What a console gave goes to Python's console of that guest, as it had.

    :raises HypervisorBug: if the answer is another.
    :raises UsageError: if the entry is none that this hv has.
    """
    args, outs = _arguments(entry)
    if is_run(entry):
        status = _play_run(host, retired(entry), args[0])
    else:
        status = host.call(getattr(lib, entry.name), *args)
    for out in outs:
        if ffi.typeof(out) is ffi.typeof("hv_image **"):
            lib.hv_image_free(out[0])
    again = _entry(entry.name, tuple(args), status)
    if again.answer != entry.answer:
        raise HypervisorBug(
            f"replay: {entry} answered {entry.answer} when it was recorded "
            f"and {again.answer} now"
        )
    if entry.name in _CONSOLES:
        console = host.consoles.get(int(entry.args[0]))
        if console is None:
            return
        if entry.name == "hv_console_take":
            console.feed(bytes(ffi.buffer(outs[0], status)))
        elif console.outbox.startswith(bytes(args[1])[:status]):
            del console.outbox[:status]


def _play_run(host: Host, insns: int, run: CData) -> int:
    """Run so many, in the host's pieces, and to where it stopped then."""
    budget, done = run.max_insns, 0
    while insns - done > host.chunk:
        run.max_insns = host.chunk
        status = host.call(lib.hv_run, run)
        done += run.insns
        if status != lib.HV_OK or run.reason != _BUDGET:
            break
    else:
        run.max_insns = budget and budget - done
        status = host.call(lib.hv_run, run)
        done += run.insns
    run.insns = done
    return status


def run_again(
    host: Host, entry: Entry
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Make a run again; yield each breakpoint that it comes to.

    That is after how many instructions, and whose it is: VM and vCPU. They may
    be others than there were.
    """
    run = ffi.new("struct hv_run *")
    budget, total, done = int(entry.args[0]), retired(entry), 0
    ends = entry.answer[1] in (_BUDGET, lib.HV_RUN_BREAK)
    while True:
        run.max_insns = budget and budget - done
        host.checked("running again", lib.hv_run, run)
        done += run.insns
        if run.reason != lib.HV_RUN_BREAK:
            return
        yield done, (run.vm, run.vcpu)
        if ends and done >= total:
            return


def _arguments(entry: Entry) -> tuple[list[Any], list[CData]]:
    """Return what C is called with, and where it will write."""
    args: list[Any] = []
    outs: list[CData] = []
    left = list(entry.args)
    for what in _CALLS[entry.name]:
        kind, _, ctype = what.partition(" ")
        match kind:
            case "int":
                args.append(int(left.pop(0)))
            case "data":
                data = bytes(left.pop(0))
                args += [data, len(data)]
            case "in" | "list":
                data = bytes(left.pop(0))
                count = len(data) // ffi.sizeof(ctype)
                held = ffi.new(f"{ctype}[]", count)
                ffi.memmove(held, data, count * ffi.sizeof(ctype))
                args += [held, count] if kind == "list" else [held]
            case "room":
                count = int(left.pop(0))
                outs.append(ffi.new(f"{ctype}[]", count))
                args += [outs[-1], count]
            case "run":
                run = {"max_insns": int(left.pop(0))}
                args.append(ffi.new("struct hv_run *", run))
            case "image":
                outs.append(ffi.new("hv_image **"))
                args.append(outs[-1])
            case "out":
                args.append(ffi.new(f"{ctype} *"))
            case "why":
                args += [ffi.new("char[]", core.WHY_SIZE), core.WHY_SIZE]
    return args, outs


class Recorded:
    """A journal that was read from a file.

    :raises UsageError: if there is no such file, or it is no journal, is
        damaged, or was made by another version of hv.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        file = _decoded(str(path), data)
        if file.version != core.version():
            raise UsageError(
                f"{path}: recorded by hv {file.version}, and this is "
                f"{core.version()}: another version runs otherwise"
            )
        self.entries = file.entries
        self.insns = file.insns
        self.hash = file.hash
        self.config = _config(str(path), file.config)


def is_journal(path: str | os.PathLike[str]) -> bool:
    """Say whether a file begins as a journal does.

    :raises UsageError: if it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def _decoded(path: str, data: bytes) -> _File:
    if not data.startswith(MAGIC):
        raise UsageError(f"{path}: not a journal: it begins otherwise")
    digest, body = data[len(MAGIC) :][:_DIGEST], data[len(MAGIC) + _DIGEST :]
    if hashlib.sha256(body).digest() != digest:
        raise UsageError(
            f"{path}: a damaged journal: its checksum is that of other bytes"
        )
    try:
        file = msgspec.msgpack.decode(zlib.decompress(body), type=_File)
        for entry in file.entries:
            _check(entry)
    except (zlib.error, msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"{path}: not what a journal has: {error}") from None
    return file


def _check(entry: Entry) -> None:
    """Raise ValueError if this is no call: a file may say anything."""
    if entry.name not in _CALLS:
        raise ValueError(f"no call {entry.name!r}")
    kinds = [
        what.partition(" ")[::2]
        for what in _CALLS[entry.name]
        if not what.startswith(("out", "why", "image"))
    ]
    if len(kinds) != len(entry.args):
        raise ValueError(f"{entry.name} has {len(kinds)} arguments")
    for (kind, ctype), value in zip(kinds, entry.args, strict=True):
        if isinstance(value, bytes) != (kind in ("data", "in", "list")):
            raise ValueError(f"an argument of {entry.name} is of another kind")
        if isinstance(value, bytes) and kind != "data":
            size = ffi.sizeof(ctype)
            if len(value) % size or (kind == "in" and len(value) != size):
                raise ValueError(f"a struct of {entry.name} of another size")
        elif isinstance(value, int):
            limit = _ROOM if kind == "room" else U64
            if not 0 <= value <= limit:
                raise ValueError(f"{value} is too large for {entry.name}")


def _config(path: str, config: dict[str, Any]) -> HostConfig:
    try:
        return msgspec.convert(config, HostConfig)
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"{path}: not a host: {error}") from None
