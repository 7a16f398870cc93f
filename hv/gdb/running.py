"""To the next stop, forward and back.

Whatever a debugger does, the guest's run is the one that it would have been:
stepping is running for one instruction (of all guests, so that nobody's turn
changes), a breakpoint is an address that the core compares with pc and never an
instruction in memory, and a watchpoint is memory looked at from outside. A
piece in which a watched page was written is run again, in smaller pieces, until
the change is one instruction's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from hv.errors import AddressError, HypervisorBug
from hv.facts import RunReason, RunResult, State
from hv.guest import Guest
from hv.marks import written
from hv.reverse import Past
from hv.vm import VM
from hv.writers import Place, Write

PIECE = 100_000  # instructions between two looks at the line
PIECES = 16
PAGE = 4096


class Why(StrEnum):
    """Why the guest stands."""

    STEP = "a step was made"
    BREAK = "a breakpoint"
    WATCH = "what is watched has changed"
    CTRL_C = "Ctrl-C"
    IDLE = "it waits for input"
    ENDED = "it has ended"
    BUG = "an assertion of hv fails next"
    BEGIN = "the past begins here"


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a guest came to stand.

    :param gva: of the change, as it was asked to be watched.
    :param bug: which assertion.
    """

    why: Why
    vcpu: int
    gva: int = 0
    bug: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """Bytes that are watched: where they were when that was asked."""

    gva: int
    gpa: int
    size: int


class Running:
    """One guest, its past, and what it is to stop at.

    :param past: of the guest's host.
    :param interrupted: whether somebody wants it to stand, asked now and then.
    """

    def __init__(
        self,
        guest: Guest,
        past: Past,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.guest = guest
        self.past = past
        self.interrupted = interrupted
        self.watched: set[Watched] = set()
        self.vcpu = 0  # that the last stop was about
        self._passed: dict[int, object] = {}

    # -- forward ------------------------------------------------------------

    def step(self, vcpu: int) -> Stop:
        """Let a vCPU do one instruction, or take one trap or interrupt.

        The others run as they would: it may be another that stops meanwhile.
        """
        before = self._where(vcpu)
        self._passed[vcpu] = before
        while True:
            stop = self._to_stop(1)
            if stop is not None:
                return self._stand(stop)
            if self._where(vcpu) != before or self._alone():
                return self._stand(Stop(Why.STEP, vcpu))
            if self.interrupted():
                return self._stand(Stop(Why.CTRL_C, vcpu))

    def go_on(self, vcpu: int) -> Stop:
        """Run to the next stop; a breakpoint where vCPU is now is none."""
        self._passed[vcpu] = self._where(vcpu)
        while True:
            stop = self._to_stop(PIECE)
            if stop is None and self.interrupted():
                stop = Stop(Why.CTRL_C, self.vcpu)
            if stop is not None:
                return self._stand(stop)

    def _stand(self, stop: Stop) -> Stop:
        self.vcpu = stop.vcpu
        return stop

    def _alone(self) -> bool:
        """Say whether an instruction can be nobody else's."""
        return len(self.guest.cpu) == len(self.past.place.guests) == 1

    def _where(self, vcpu: int) -> object:
        """Return what differs after each step of a vCPU."""
        if isinstance(self.guest, VM):
            return self.guest.vcpus[vcpu].insns, self.guest.cpu[vcpu].pc
        counted = self.guest.host.hart_counters(vcpu)
        return counted["instret"], counted["traps_s"], self.guest.cpu[vcpu].pc

    def _to_stop(self, insns: int) -> Stop | None:
        """Run so many at most; return why it stands, None if for no reason."""
        while True:
            try:
                return self._stop(*self._run(insns))
            except HypervisorBug as error:
                # The host stands before what broke it: go there by halves.
                if insns == 1:
                    return Stop(Why.BUG, self.vcpu, bug=str(error))
                insns //= 2

    def _stop(self, result: RunResult, change: Watched | None) -> Stop | None:
        """Return what is to be said of a piece; None: it goes on."""
        if change is not None:
            return Stop(Why.WATCH, self.vcpu, change.gva)
        if self.guest.state.ended or result.reason is RunReason.DONE:
            return Stop(Why.ENDED, self.vcpu)
        if result.reason is RunReason.BREAK:
            return Stop(Why.BREAK, result.vcpu)
        if result.reason is RunReason.IDLE:
            return Stop(Why.IDLE, self.vcpu)
        return None

    def _run(self, insns: int) -> tuple[RunResult, Watched | None]:
        """Run so many at most; say what of the watched changed at the end."""
        if not self.watched:
            return self._piece(insns), None
        begin, before = self.past.position, self._values()
        written(self.guest.host)
        result = self._piece(insns)
        done = self.past.position - begin
        if not self._touched(written(self.guest.host), before):
            return result, None
        if done <= 1:
            now = self._values()
            changed = [it for it in before if now[it] != before[it]]
            return result, changed[0] if changed else None
        with self._quietly():
            self.past.to(begin)
        return self._again(done, result)

    def _again(
        self, insns: int, result: RunResult
    ) -> tuple[RunResult, Watched | None]:
        """Make a piece again that ended so, in smaller ones."""
        size = -(-insns // PIECES)
        end = self.past.position + insns
        while (left := end - self.past.position) > 0:
            again, change = self._run(min(size, left))
            if change is not None or again.reason is not RunReason.BUDGET:
                return again, change
        return result, None

    def _piece(self, insns: int) -> RunResult:
        """Run so many, but past a breakpoint that was stopped at already.

        An instruction that is stopped at may begin several times before it is
        done: the hypervisor fills a shadow, and it is tried again.
        """
        end = self.past.position + insns
        while True:
            left = end - self.past.position
            result = self.past.run(left)
            if result.reason is RunReason.BREAK:
                mine = result.vm == self.guest.number
                where = self._where(result.vcpu) if mine else None
                if mine and self._passed.get(result.vcpu) != where:
                    self._passed[result.vcpu] = where
                    return result
            elif result.reason is not RunReason.ENDED or self.guest.state.ended:
                return result
            if self.past.position >= end:
                return RunResult(RunReason.BUDGET, 0, 0, insns)

    # -- watching -----------------------------------------------------------

    def _values(self) -> dict[Watched, bytes]:
        return {it: self.guest.mem.read(it.gpa, it.size) for it in self.watched}

    def _touched(self, frames: list[int], before: dict[Watched, bytes]) -> bool:
        """Say whether one of them may have changed, now and then perhaps."""
        places = {self._machine_frame(it) for it in self.watched}
        return not places.isdisjoint(frames) or self._values() != before

    def _machine_frame(self, watched: Watched) -> int | None:
        gfn = watched.gpa // PAGE
        return self.guest.frame_of(gfn) if isinstance(self.guest, VM) else gfn

    def watch(self, watched: Watched) -> bool:
        """Watch bytes from now on; False if they are not all in one page."""
        try:
            self.guest.mem.read(watched.gpa, watched.size)
        except AddressError:
            return False
        if watched.gpa % PAGE + watched.size > PAGE or not watched.size:
            return False
        self.watched.add(watched)
        return True

    def _places(self) -> dict[int, Watched]:
        """Return what is watched by where it is in the machine now."""
        frames = {it: self._machine_frame(it) for it in self.watched}
        return {
            frame * PAGE + it.gpa % PAGE: it
            for it, frame in frames.items()
            if frame is not None
        }

    # -- back ---------------------------------------------------------------

    def step_back(self, vcpu: int) -> Stop:
        """Go to before the last thing that a vCPU has done."""
        with self._quietly():
            if self._alone():
                found = self.past.position > 0
                self.past.back(int(found))
            else:
                found = self.past.back_to_change(lambda: self._where(vcpu))
        self._passed.clear()
        return self._stand(Stop(Why.STEP if found else Why.BEGIN, vcpu))

    def go_back(self, vcpu: int) -> Stop:
        """Go to the last breakpoint, or to before the last change."""
        places = self._places()
        with self._quietly():
            found = self.past.to_last(
                Place(self.past.place, hpa, it.size)
                for hpa, it in places.items()
            )
            self._passed.clear()
            if found is None:
                self.past.to(0)
                return self._stand(Stop(Why.BEGIN, vcpu))
            if isinstance(found, Write):
                of_vm = found.vm == self.guest.number
                who = found.vcpu if of_vm else vcpu
                gva = places[found.hpa].gva
                return self._stand(Stop(Why.WATCH, who, gva))
        self._passed[found.vcpu] = self._where(found.vcpu)
        return self._stand(Stop(Why.BREAK, found.vcpu))

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Print nothing that was printed when it happened first."""
        consoles = [guest.console for guest in self.past.place.guests]
        sinks = [console.sink for console in consoles]
        for console in consoles:
            console.sink = None
        try:
            yield
        finally:
            for console, sink in zip(consoles, sinks, strict=True):
                console.sink = sink

    # -- how it came out ----------------------------------------------------

    @property
    def ending(self) -> str:
        """Say how the guest has ended, in a sentence; empty if it has not."""
        guest, info = self.guest, self.guest.info
        if info.state is State.OFF:
            how = f"powered off with code {info.exit_code}"
        elif info.state is State.KILLED:
            how = "was killed"
        elif info.state is State.BUDGET:
            how = "used up its budget of instructions"
        else:
            return ""
        why = f": {guest.reason}" if guest.reason else ""
        return f"{guest.name} {how}{why}"
