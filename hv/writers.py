"""Who writes to a place in memory: found by running it again, in pieces.

The frames that were written are known after each piece (``hv_written()``). A
piece in which that of the place is among them is made again, in smaller ones,
until it is one instruction.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from hv.core import ffi, lib
from hv.hypervisor import Hypervisor
from hv.journal import Entry, is_run, play, retired
from hv.machine import Machine
from hv.marks import written

_PIECES = 16


@dataclass(frozen=True, slots=True)
class Write:
    """Who wrote to a place in memory, and when.

    :ivar position: instructions before it.
    :ivar by: ``guest``, ``hypervisor`` (in an exit of this vCPU, or in
        nobody's name), ``firmware``, or the name of a call from outside.
    :ivar vm: whose instruction it was; 0 is the bare machine, or nobody.
    :ivar pc: of that instruction.
    :ivar before: the bytes that were there.
    :ivar after: and those that it left.
    :ivar hpa: the machine address of the bytes.
    """

    position: int
    by: str
    vm: int
    vcpu: int
    pc: int
    before: bytes
    after: bytes
    hpa: int
    call: int = 0  # of the journal

    def at(self, begin: int, call: int) -> "Write":
        """Return it as one of a longer run, and of a journal's call."""
        return replace(self, position=begin + self.position, call=call)

    def __str__(self) -> str:
        """Say it in a sentence."""
        guest = f"VM {self.vm}, vCPU {self.vcpu}" if self.vm else "the machine"
        at = f"{guest}, at pc {self.pc:#010x}"
        who = {
            "guest": at,
            "hypervisor": f"the hypervisor, in an exit of {at}",
            "firmware": f"the firmware, in a trap of {at}",
        }.get(self.by, f"the call {self.by}() from outside")
        return (
            f"instruction {self.position}: {who}: "
            f"{self.before.hex()} became {self.after.hex()}"
        )


@dataclass(frozen=True, slots=True)
class _Hart:
    """What a hart runs, and how far it has come."""

    vm: int
    vcpu: int
    pc: int
    busy: int  # cycles
    exits: int


class Place:
    """Some bytes of machine memory, within one frame."""

    def __init__(
        self, place: Hypervisor | Machine, hpa: int, size: int
    ) -> None:
        self._place = place
        self._host = place.host
        self._hpa, self._size = hpa, size
        self._frame = hpa // lib.PAGE_SIZE

    def read(self) -> bytes:
        """Return what is there now.

        :raises AddressError: if it is not in RAM.
        """
        out = ffi.new("uint8_t[]", self._size)
        self._host.checked(
            f"reading {self._hpa:#x}",
            *(lib.hv_machine_read, self._hpa, out, self._size),
        )
        return bytes(ffi.buffer(out))

    def touched_by(self, work: Callable[[], None]) -> bool:
        """Do it, and say whether it may have written there."""
        before = self.read()
        written(self._host)
        work()
        return self._frame in written(self._host) or self.read() != before

    def narrow(self, entry: Entry, run: Callable[[int], None]) -> Write | None:
        """Find the last change that a call makes, from where it begins.

        Its position is counted from there. The host is anywhere after.
        """
        if is_run(entry):
            return self._narrow(retired(entry), run)
        before = self.read()
        play(self._host, entry)
        if self.read() == before:
            return None
        after = self.read()
        return Write(0, entry.name, 0, 0, 0, before, after, self._hpa)

    def _narrow(self, insns: int, run: Callable[[int], None]) -> Write | None:
        if insns == 1:
            return self._one(run)
        mark = ffi.new("uint32_t *")
        self._host.checked("marking", lib.hv_mark, mark)
        hits, done = [], 0
        for size in _pieces(insns):
            if self.touched_by(partial(run, size)):
                hits.append((done, size))
            done += size
        found = None
        for begin, size in reversed(hits):
            self._host.checked("going back", lib.hv_reset, mark[0])
            run(begin)
            found = self._narrow(size, run)
            if found is not None:
                found = found.at(begin, 0)
                break
        self._host.call(lib.hv_mark_drop, mark[0])
        return found

    def _one(self, run: Callable[[int], None]) -> Write | None:
        before, harts = self.read(), self._harts()
        run(1)
        after = self.read()
        if before == after:
            return None
        then = self._harts()
        moved = [b.busy - a.busy for a, b in zip(harts, then, strict=True)]
        hart = moved.index(max(moved))
        # It may have been chosen to run by this very instruction.
        unknown = self._is_hyp() and not harts[hart].vm
        who = then[hart] if unknown else harts[hart]
        by = "guest"
        if then[hart].exits != harts[hart].exits or (
            not who.vm and self._is_hyp()
        ):
            by = "hypervisor" if self._is_hyp() else "firmware"
        return Write(0, by, who.vm, who.vcpu, who.pc, before, after, self._hpa)

    def _is_hyp(self) -> bool:
        return isinstance(self._place, Hypervisor)

    def _harts(self) -> list[_Hart]:
        return [self._hart(hart) for hart in range(self._host.harts)]

    def _hart(self, hart: int) -> _Hart:
        counters = self._host.hart_counters(hart)
        busy = counters["cycles"] - counters["idle_cycles"]
        if not isinstance(self._place, Hypervisor):
            pc = self._pc(0, hart)
            return _Hart(0, hart, pc, busy, counters["traps_m"])
        info = self._place.harts[hart]
        if info.vm is None or info.vcpu is None:
            return _Hart(0, 0, 0, busy, 0)
        exits = self._host.counters(info.vm, lib.HV_COUNTERS_VM)["exits"]
        pc = self._pc(info.vm, info.vcpu)
        return _Hart(info.vm, info.vcpu, pc, busy, exits)

    def _pc(self, vm: int, vcpu: int) -> int:
        out = ffi.new("uint32_t *")
        self._host.checked(
            "reading a pc", lib.hv_reg_get, vm, vcpu, lib.HV_REG_PC, out
        )
        return int(out[0])


def _pieces(insns: int) -> Iterator[int]:
    """Yield the sizes of up to 16 pieces."""
    size = -(-insns // _PIECES)
    while insns > 0:
        yield min(size, insns)
        insns -= size
