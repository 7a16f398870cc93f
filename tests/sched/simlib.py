"""The simulated harts of sim.h, built and loaded; with or without a bug."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cffi

from tests.equivalence.core import CFLAGS, CData, build, sources

HERE = Path(__file__).parent
FLOORS = ("hyp", "sched", "dev")

# Steps of a guest: sim.h says what they mean.
RUN, SLEEP, RUN_TO, SLEEP_TO, BLOCK, YIELD, IPI, STOP, WORK = range(9)
Step = tuple[int, int, int]
HOG: Sequence[Step] = ((RUN, 1_000_000, 0),)


class Failed(AssertionError):  # noqa: N818 -- named for what happened
    """An invariant of the scheduler does not hold."""


class Refused(Exception):  # noqa: N818 -- an answer, not an error
    """The policy does not promise that."""


def simulator(files: Mapping[str, str] | None = None) -> Path:
    """Build the library of these sources of csrc (default: as they are)."""
    files = sources() if files is None else files
    chosen = {
        name: text
        for name, text in files.items()
        if name.partition("/")[0] in FLOORS
    }
    own = {f"../tests/sched/{p.name}": p.read_text() for p in HERE.glob("*.c")}
    headers = "".join(p.read_text() for p in sorted(HERE.glob("*.h")))
    flag = f"-DSIM_HEADERS={abs(hash_of(headers))}"
    flags = (*CFLAGS, f"-I{HERE}", flag)
    return build(chosen | own, flags=flags)


def hash_of(text: str) -> int:
    """Return a number for a text, the same in every process."""
    value = 0
    for byte in text.encode():
        value = (value * 31 + byte) % (1 << 31)
    return value


class Library:
    """A loaded simulator."""

    def __init__(self, path: Path) -> None:
        lines = (HERE / "sim.h").read_text().splitlines()
        self.ffi: CData = cffi.FFI()
        self.ffi.cdef("\n".join(li for li in lines if not li.startswith("#")))
        self.lib: CData = self.ffi.dlopen(str(path))


@cache
def good() -> Library:
    """Return the scheduler as it is."""
    return Library(simulator())


@dataclass(frozen=True)
class Event:
    """What happened on a hart, as hyp/events.def has it."""

    cycle: int
    kind: str
    hart: int
    vm: int
    vcpu: int
    arg: int
    charged: int


@dataclass(frozen=True, kw_only=True)
class Params:
    """What a VM is to get."""

    weight: int = 256
    cap: int = 0
    budget: int = 0
    period: int = 0
    gang: int = 0


class Sim:
    """A host on simulated harts."""

    def __init__(
        self,
        policy: str,
        harts: int = 1,
        *,
        slice_: int = 1000,
        period: int = 10_000,
        tick: int = 10,
        quantum: int = 1000,
        check: bool = True,
        library: Library | None = None,
    ) -> None:
        library = library or good()
        self.ffi, self.lib = library.ffi, library.lib
        self.policy, self.harts, self.tick = policy, harts, tick
        self.slice, self.period = slice_ * tick, period * tick  # in cycles
        name = self.ffi.new("char[]", policy.encode())
        config = self.ffi.new(
            "struct sim_config *",
            {
                "policy": name,
                "harts": harts,
                "slice": slice_,
                "period": period,
                "tick": tick,
                "quantum": quantum,
                "check": check,
            },
        )
        raw = self.lib.sim_new(config)
        assert raw != self.ffi.NULL
        self.raw: CData = self.ffi.gc(raw, self.lib.sim_free)
        self.vcpus: dict[int, int] = {}

    def _params(self, params: Params) -> CData:
        return self.ffi.new("struct sim_params *", vars(params))

    def _why(self) -> str:
        return str(self.ffi.string(self.lib.sim_why(self.raw)).decode())

    def vm(
        self,
        vcpus: int = 1,
        *,
        steps: Sequence[Step] | Sequence[Sequence[Step]] = HOG,
        start: bool = True,
        **params: int,
    ) -> int:
        """Make a VM whose vCPUs do these steps, or each its own."""
        vm = self.lib.sim_vm(self.raw, vcpus, self._params(Params(**params)))
        if not vm:
            raise Refused(self._why())
        self.vcpus[vm] = vcpus
        for i in range(vcpus):
            own = steps if isinstance(steps[0][0], int) else steps[i]
            c_steps = self.ffi.new("struct sim_step[]", list(own))
            assert self.lib.sim_program(self.raw, vm, i, c_steps, len(own))
            if start:
                self.start(vm, i)
        return int(vm)

    def start(self, vm: int, vcpu: int) -> None:
        """Let a vCPU begin."""
        self.lib.sim_start(self.raw, vm, vcpu)

    def destroy(self, vm: int) -> None:
        """End a VM."""
        del self.vcpus[vm]
        self.lib.sim_destroy(self.raw, vm)

    def pause(self, vm: int, *, on: bool = True) -> None:
        """Let it not run, or again."""
        self.lib.sim_pause(self.raw, vm, on)

    def change(self, vm: int, **params: int) -> None:
        """Give it other parameters."""
        if not self.lib.sim_set(self.raw, vm, self._params(Params(**params))):
            raise Refused(self._why())

    def pin(self, vm: int, vcpu: int, harts: int) -> bool:
        """Let it run on the harts of a mask; false if refused."""
        return bool(self.lib.sim_affinity(self.raw, vm, vcpu, harts))

    def slots(self, *rows: tuple[int, int]) -> None:
        """Set the table."""
        flat = [word for row in rows for word in row]
        table = self.ffi.new("uint32_t[]", flat)
        if not self.lib.sim_slots(self.raw, table, len(rows)):
            raise Refused(self._why())

    def interrupt(self, vm: int, vcpu: int = 0) -> None:
        """Raise an interrupt from outside."""
        self.lib.sim_interrupt(self.raw, vm, vcpu)

    def run(self, cycle: int) -> None:
        """Run all harts until their clocks are there."""
        why = self.lib.sim_run(self.raw, cycle)
        if why != self.ffi.NULL:
            raise Failed(self.ffi.string(why).decode())

    def vcpu(self, vm: int, vcpu: int = 0) -> CData:
        """Return what is known of a vCPU."""
        out = self.ffi.new("struct sim_vcpu *")
        self.lib.sim_see_vcpu(self.raw, vm, vcpu, out)
        return out

    def hart(self, hart: int) -> CData:
        """Return what is known of a hart."""
        out = self.ffi.new("struct sim_hart *")
        self.lib.sim_see_hart(self.raw, hart, out)
        return out

    def charged(self, vm: int) -> int:
        """Return the cycles charged to all vCPUs of a VM."""
        return sum(int(self.vcpu(vm, i).charged) for i in range(self.vcpus[vm]))

    @property
    def now(self) -> int:
        """The earliest clock, in cycles."""
        return int(self.lib.sim_now(self.raw))

    @property
    def period_end(self) -> int:
        """When caps and credits are given out next, in cycles."""
        return int(self.lib.sim_period_end(self.raw)) * self.tick

    @property
    def all_charged(self) -> int:
        """Cycles charged to all vCPUs that there ever were."""
        return int(self.lib.sim_charged(self.raw))

    @property
    def decisions(self) -> int:
        """How often the hypervisor was entered."""
        return int(self.lib.sim_decisions(self.raw))

    def watch(self, *kinds: str) -> None:
        """Note events of these kinds."""
        self.lib.sim_watch(
            self.raw,
            sum(
                1 << n for n, name in enumerate(self._kinds()) if name in kinds
            ),
        )

    def _kinds(self) -> list[str]:
        names: list[str] = []
        while (name := self.lib.sim_event_name(len(names))) != self.ffi.NULL:
            names.append(self.ffi.string(name).decode())
        return names

    def take(self) -> list[Event]:
        """Return the events since the last call."""
        out = self.ffi.new("struct sim_event[]", 4096)
        kinds, events = self._kinds(), []
        while n := self.lib.sim_take(self.raw, out, 4096):
            events += [
                Event(
                    e.cycle, kinds[e.kind], e.hart, e.vm, e.vcpu, e.arg,
                    e.charged,
                )
                for e in out[0:n]
            ]  # fmt: skip
        return events
