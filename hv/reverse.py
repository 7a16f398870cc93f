"""Going back: to the instruction before, a breakpoint, the last write.

A machine cannot be run backwards, but a run can be made again. So what goes
back is made of two things: marks, put down every so many instructions, and the
journal of what came from outside since each. Going back to an instruction is
going back to the last mark before it, and running forward from there.

Places are counted in instructions of all guests, from where the past begins.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

from hv.core import ffi, lib
from hv.errors import HypervisorBug, UsageError
from hv.facts import U32, U64, RunResult, integer
from hv.guest import Guest
from hv.hypervisor import Hypervisor
from hv.journal import (
    MAKERS,
    Entry,
    Journal,
    created,
    is_run,
    play,
    retired,
    run_again,
)
from hv.machine import Machine
from hv.marks import Mark
from hv.vm import VM
from hv.writers import Place, Write

EVERY = 100_000
KEEP = 64


@dataclass(frozen=True, slots=True)
class Hit:
    """A breakpoint that was come to: whose, and after how many instructions."""

    position: int
    vm: int
    vcpu: int


@dataclass(frozen=True, slots=True)
class _Point:
    """A mark, where it is, and how many calls came before."""

    mark: Mark
    position: int
    calls: int


class Past:
    """The past of a host, from here on. ``place`` then runs as always.

    :param every: instructions between two marks, at first; where there are
        more than ``keep`` marks, every second is dropped.
    :raises UsageError: if a number is out of range.

    >>> with Hypervisor(ram="1MiB") as hypervisor:
    ...     vm = hypervisor.create(mem="64KiB")
    ...     vm.mem.write(0x80000000, bytes.fromhex("130515006ff0dfff"))
    ...     vm.boot(0x80000000)  # count in a0, for ever
    ...     past = Past(hypervisor)
    ...     vm.run(1001).insns, vm.cpu[0].reg("a0")
    ...     past.back()
    ...     vm.cpu[0].reg("a0"), past.position
    (1001, 501)
    (500, 1000)
    """

    def __init__(
        self, place: Hypervisor | Machine, *, every: int = EVERY,
        keep: int = KEEP,
    ) -> None:  # fmt: skip
        self.place = place
        self._host = place.host
        self._every = integer("every", every, 1, U32)
        self._keep = integer("keep", keep, 2, U32)
        if self._host.journal is None:
            self._host.journal = Journal(self._host, whole=False)
        self._journal = self._host.journal
        self._host.chunk = min(self._host.chunk, self._every)
        self.position = 0
        self._vms: dict[int, VM] = {}
        self._points: list[_Point] = []
        self._put_mark()
        self._journal.after = self._after

    def _put_mark(self) -> None:
        mark = self.place.mark()
        self._points.append(_Point(mark, self.position, len(self._journal)))

    def _after(self, entry: Entry) -> None:
        """Count on, after a call was noted; put down a mark if it is time."""
        self.position += retired(entry)
        if entry.name == "hv_vm_destroy":
            self._meet()
        if self.position - self._points[-1].position < self._every:
            return
        self._put_mark()
        if len(self._points) > self._keep:
            for point in self._points[1::2]:
                point.mark.drop()
            del self._points[1::2]
            self._every *= 2

    def _meet(self) -> None:
        """Know the VMs that there are: one may be there again."""
        if isinstance(self.place, Hypervisor):
            self._vms |= {vm.number: vm for vm in self.place.vms}

    def run(self, max_insns: int) -> RunResult:
        """Run the host, as it is always run; but what breaks it is not done.

        :raises HypervisorBug: an assertion failed; the host is whole, and
            where this run began.
        """
        begin, calls = self.position, self._journal.seal()
        try:
            return self._host.run(max_insns)
        except HypervisorBug:
            self._journal.cut(calls)
            self.to(begin)
            raise

    # -- going -------------------------------------------------------------

    def back(self, insns: int = 1) -> None:
        """Go back so many instructions, of whichever guest.

        :raises UsageError: if the past does not reach so far.
        """
        integer("insns", insns, 0, U64)
        if insns > self.position:
            raise UsageError(
                f"the past begins {self.position} instructions before"
            )
        self.to(self.position - insns)

    def to(self, position: int) -> None:
        """Go to a place before this one. What came after it is forgotten.

        Breakpoints stay as they are.

        :raises UsageError: if it is not between the beginning and here.
        """
        integer("position", position, 0, self.position)
        with self._breakpoints_kept():
            self._go_to(deepcopy(self._journal.entries), position)

    def _go_to(self, entries: list[Entry], position: int) -> None:
        """Go to a place by way of the nearest mark that is left."""
        number = max(
            i for i, it in enumerate(self._points) if it.position <= position
        )
        self._go(number, entries, position)

    def _go(self, number: int, entries: list[Entry], position: int) -> None:
        """Go to a place by way of a mark, and of what was noted after it."""
        self._return_to(number)
        for entry in entries[self._points[number].calls :]:
            left = position - self.position
            if is_run(entry) and retired(entry) > left:
                self._run(left)
                return
            self._again(entry)

    def _return_to(self, number: int) -> None:
        del self._points[number + 1 :]
        self._points[number].mark.reset()
        self.position = self._points[number].position

    def _run(self, insns: int) -> None:
        """Run exactly so many, whatever happens in between."""
        run = ffi.new("struct hv_run *")
        while insns > 0:
            run.max_insns = insns
            self._host.checked("running again", lib.hv_run, run)
            insns -= run.insns
            self._host.drain()

    def _again(self, entry: Entry) -> None:
        """Make a call again, and know of the VMs that come and go with it."""
        play(self._host, entry)
        if entry.answer[0] != lib.HV_OK or isinstance(self.place, Machine):
            return
        if entry.name in MAKERS:
            vm = self._vms[created(entry)]
            vm.console.put_back((b"", b"", b""))
            self._host.consoles[vm.number] = vm.console
            self.place.adopt(vm)
        elif entry.name == "hv_vm_destroy":
            self._host.consoles.pop(int(entry.args[0]), None)

    @contextmanager
    def _breakpoints_kept(self) -> Iterator[None]:
        kept = {it.number: set(it.breakpoints) for it in self.place.guests}
        self._meet()
        yield
        for guest in self.place.guests:
            guest.breakpoints.clear()
            for address in kept.get(guest.number, ()):
                guest.breakpoints.add(address)

    @contextmanager
    def _unnoted(self) -> Iterator[None]:
        """Look for something: what is done now is undone after."""
        self._host.journal = None
        try:
            yield
        finally:
            self._host.journal = self._journal

    # -- breakpoints -------------------------------------------------------

    def to_break(self) -> bool:
        """Go back to the last time that a breakpoint of now was come to.

        False: that was never; the host is where it was.
        """
        return self.to_last() is not None

    def to_last(self, watched: Iterable[Place] = ()) -> Hit | Write | None:
        """Go back to a breakpoint of now, or a change of bytes: the later one.

        The host is then where the breakpoint is, or where the bytes have not
        changed yet. None: there is neither; the host is where it was.

        :param watched: bytes of machine memory, each within one frame.
        """
        wanted = [
            (guest.number, pc)
            for guest in self.place.guests
            for pc in guest.breakpoints
        ]
        places = list(watched)
        entries, now = deepcopy(self._journal.entries), self.position
        with self._breakpoints_kept():
            until = len(entries)
            for number in range(len(self._points) - 1, -1, -1):
                calls = slice(self._points[number].calls, until)
                until = calls.start
                found: list[Hit | Write | None] = [
                    self._last_break(number, entries[calls], now, wanted),
                    *(
                        self._last_change(number, entries, calls, place)
                        for place in places
                    ),
                ]
                there = [it for it in found if it is not None]
                last = max(there, key=lambda it: it.position, default=None)
                if isinstance(last, Write):
                    self._go_before(number, entries, last)
                elif last is not None:
                    self._go(number, entries, last.position)
                if last is not None:
                    return last
            self._go(0, entries, now)
        return None

    def back_to_change(self, seen: Callable[[], object]) -> bool:
        """Go back to the last place where something was not yet as here.

        False: it was so from the beginning, which is where the host is then.

        :param seen: what to look at; once it was another, it was never again
            what it is here, as with a count.
        """
        entries, now = deepcopy(self._journal.entries), self.position
        here, far = seen(), 1
        # Of these two it is known, and of what is between them it is not.
        same, other = now, -1 if now else 0
        with self._breakpoints_kept():
            while same - other > 1:
                if other < 0:
                    at, far = max(0, now - far), 2 * far
                else:
                    at = (same + other) // 2
                self._go_to(entries, at)
                if seen() == here:
                    same = at
                else:
                    other = at
                if at == 0:
                    other = max(other, 0)
            self._go_to(entries, other)
        return seen() != here

    def _last_break(
        self, number: int, entries: list[Entry], now: int,
        wanted: list[tuple[int, int]],
    ) -> Hit | None:  # fmt: skip
        """Return the last place in what follows a mark, or None."""
        if not wanted:
            return None
        self._return_to(number)
        at, found = self.position, None
        with self._unnoted():
            for entry in entries:
                if not is_run(entry):
                    self._again(entry)
                    at += retired(entry)
                    continue
                for vm, pc in wanted:  # whose VM was made by now, perhaps
                    self._host.call(lib.hv_break, vm, pc, 1)
                for done, who in run_again(self._host, entry):
                    if at + done < now and self._is_at(who, wanted):
                        found = Hit(at + done, *who)
                at += retired(entry)
        return found

    def _is_at(
        self, where: tuple[int, int], wanted: list[tuple[int, int]]
    ) -> bool:
        vm, vcpu = where
        pc = ffi.new("uint32_t *")
        self._host.call(lib.hv_reg_get, vm, vcpu, lib.HV_REG_PC, pc)
        return (vm, int(pc[0])) in wanted

    # -- writes ------------------------------------------------------------

    def last_write(self, guest: Guest, gpa: int, size: int = 4) -> Write:
        """Go back to what last changed bytes of a guest's memory.

        They are looked for in the machine's frame that is behind the address
        now. See :meth:`last_machine_write`.

        :raises UsageError: as there; or if there is no frame.
        """
        hpa = integer("gpa", gpa, 0, U32)
        if isinstance(guest, VM):
            frame = guest.frame_of(gpa // lib.PAGE_SIZE)
            if frame is None:
                raise UsageError(f"{guest.name}: nobody has touched {gpa:#x}")
            hpa = frame * lib.PAGE_SIZE + gpa % lib.PAGE_SIZE
        return self.last_machine_write(hpa, size)

    def last_machine_write(self, hpa: int, size: int = 4) -> Write:
        """Go back to what last changed bytes of machine memory.

        The host is then where that has not happened yet: one step on, and it
        has.

        :param hpa: machine address: of a shadow entry, perhaps.
        :param size: bytes, within one frame.
        :raises UsageError: if they are not in one frame of RAM; or if nothing
            has changed them, and then the host is where it was.
        """
        integer("size", size, 1, lib.PAGE_SIZE - hpa % lib.PAGE_SIZE)
        place = Place(self.place, hpa, size)
        place.read()  # are they there?
        entries, now = deepcopy(self._journal.entries), self.position
        with self._breakpoints_kept():
            until = len(entries)
            for number in range(len(self._points) - 1, -1, -1):
                calls = slice(self._points[number].calls, until)
                until = calls.start
                found = self._last_change(number, entries, calls, place)
                if found is not None:
                    self._go_before(number, entries, found)
                    return found
            self._go(0, entries, now)
        raise UsageError(
            f"nothing has changed {hpa:#x} in the {now} instructions since "
            "the past began"
        )

    def _last_change(
        self, number: int, entries: list[Entry], calls: slice, place: Place
    ) -> Write | None:
        """Return the last change in the calls that follow a mark, or None."""
        last = calls.start
        self._return_to(number)
        begin = self.position
        with self._unnoted():
            hits, at = [], begin
            for i, entry in enumerate(entries[calls]):
                if place.touched_by(partial(self._again, entry)):
                    hits.append((last + i, at))
                at += retired(entry)
            for call, at in reversed(hits):
                self._points[number].mark.reset()
                for entry in entries[last:call]:
                    self._again(entry)
                found = place.narrow(entries[call], self._run)
                if found is not None:
                    return found.at(at, call)
        return None

    def _go_before(
        self, number: int, entries: list[Entry], write: Write
    ) -> None:
        """Go to a write: to its instruction, or to before that very call."""
        if is_run(entries[write.call]):
            self._go(number, entries, write.position)
        else:
            self._go(number, entries[: write.call], write.position)
