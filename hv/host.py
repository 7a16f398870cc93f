"""A host: one machine and what runs on it, as C owns it.

Users meet it as :class:`hv.Machine` or :class:`hv.Hypervisor`. It holds the
only pointer to C's object, so that a closed host cannot be used, and a lock,
because one thread at a time may be in C with the same host.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Self

from hv import core
from hv.core import CData, check, ffi, from_c, lib, to_c
from hv.counters import Counters
from hv.errors import ClosedError, UsageError
from hv.facts import (
    U32,
    U64,
    Access,
    Admission,
    Engine,
    HostInfo,
    MMode,
    Policy,
    Profile,
    RunReason,
    RunResult,
    TlbEntry,
    choose,
    integer,
)
from hv.units import parse_size

if TYPE_CHECKING:
    from hv.console import Console
    from hv.journal import Journal

# A run is cut into pieces of so many instructions, so that Ctrl-C and input
# are seen soon. A constant, not a clock: the pieces are the same on every
# computer. With an audit at every exit, a piece takes a thousand times longer.
CHUNK = 1_000_000
CHUNK_AUDIT = 1_000

_TAKE = 64 << 10

# Of HostConfig, what goes to C as it is.
_NUMBERS = (
    *("harts", "asid_bits", "time_div", "slice", "period", "quantum", "fill"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """What a machine is. ``None`` leaves a value as the C core has it."""

    m_mode: MMode
    ram: int | str | None = None
    engine: str = Engine.FAST
    profile: str = Profile.CLEAN
    harts: int | None = None
    asid_bits: int | None = None
    ad_fault: bool | None = None
    time_div: int | None = None
    slice: int | None = None
    policy: str = Policy.RR
    period: int | None = None
    quantum: int | None = None
    audit: bool = False
    fill: int | None = None
    admission: str = Admission.STRICT
    costs: Mapping[str, int] = field(default_factory=dict)

    def to_c(self) -> CData:
        """Return the struct that hv_host_new() reads.

        :raises UsageError: if a value does not fit or a name is unknown.
        """
        config: CData = ffi.new("struct hv_config *")
        lib.hv_config_default(config)
        config.m_mode = to_c("HV_M_", self.m_mode)
        config.engine = to_c(
            "HV_ENGINE_", choose(Engine, self.engine, "engine")
        )
        config.profile = to_c(
            "HV_PROFILE_", choose(Profile, self.profile, "machine profile")
        )
        config.admission = to_c(
            "HV_ADMISSION_", choose(Admission, self.admission, "admission")
        )
        config.policy = to_c(
            "HV_POLICY_", choose(Policy, self.policy, "policy")
        )
        config.audit = int(self.audit)
        if self.ram is not None:
            size = parse_size(self.ram)
            config.ram_size = integer("ram (in bytes)", size, 0, U32)
        if self.ad_fault is not None:
            config.ad_fault = int(self.ad_fault)
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is not None:
                setattr(config, name, integer(name, value, 0, U32))
        _set_costs(config, self.costs)
        return config

    @classmethod
    def from_c(cls, config: CData) -> Self:
        """Return what C says that a machine is."""
        costs = {
            n: int(config.cost[i]) for i, n in enumerate(core.cost_names())
        }
        return cls(
            m_mode=from_c("HV_M_", MMode, config.m_mode),
            ram=int(config.ram_size),
            engine=from_c("HV_ENGINE_", Engine, config.engine),
            profile=from_c("HV_PROFILE_", Profile, config.profile),
            ad_fault=bool(config.ad_fault),
            policy=from_c("HV_POLICY_", Policy, config.policy),
            audit=bool(config.audit),
            admission=from_c("HV_ADMISSION_", Admission, config.admission),
            costs=costs,
            **{name: int(getattr(config, name)) for name in _NUMBERS},
        )


def _config_of(raw: CData) -> CData:
    config = ffi.new("struct hv_config *")
    check(lib.hv_host_config(raw, config), "asking a machine")
    return config


def _set_costs(config: CData, costs: Mapping[str, int]) -> None:
    names = core.cost_names()
    for name, cycles in costs.items():
        if name not in names:
            near = get_close_matches(str(name), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ", ".join(names)
            raise UsageError(f"no cost {name!r}: {hint}")
        config.cost[names.index(name)] = integer(
            f"the cost of {name}", cycles, 0, U32
        )


def scaled_costs(factor: float) -> dict[str, int]:
    """Return the default cost of each elementary step, times a factor.

    An instruction is what the others are measured in: its cost stays.

    :raises UsageError: if a cost is then no number of 32 bits.
    """
    config = ffi.new("struct hv_config *")
    lib.hv_config_default(config)
    costs = {n: config.cost[i] for i, n in enumerate(core.cost_names())}
    return {
        name: cost
        if name == "insn"
        else integer(f"the cost of {name}", round(cost * factor), 0, U32)
        for name, cost in costs.items()
    }


# A piece is over, or what was full is empty again.
_GO_ON = (RunReason.BUDGET, RunReason.CONSOLE, RunReason.EVENTS)


class Host:
    """One machine, its M-mode software, and the consoles of its guests."""

    def __init__(
        self, config: HostConfig, *, record: bool = False, raw: CData = None
    ) -> None:
        self._lock = threading.RLock()
        self._raw: CData = None
        self.config = config
        self.chunk = CHUNK_AUDIT if config.audit else CHUNK
        self.consoles: dict[int, Console] = {}
        self._taken = ffi.new("uint8_t[]", _TAKE)
        if raw is None:
            out = ffi.new("hv_host **")
            why = ffi.new("char[]", core.WHY_SIZE)
            status = lib.hv_host_new(config.to_c(), out, why, core.WHY_SIZE)
            check(status, "making a machine", core.text(why))
            raw = out[0]
        self._raw = ffi.gc(raw, lib.hv_host_free)
        c_config = _config_of(raw)
        self.harts = int(c_config.harts)
        self.time_div = int(c_config.time_div)
        self.slice = int(c_config.slice)
        self.tap: Callable[[], None] | None = None
        self.journal: Journal | None = None
        if record:
            from hv import journal  # noqa: PLC0415 -- it needs a host

            self.journal = journal.Journal(self)

    @classmethod
    def over(cls, raw: CData) -> Self:
        """Take over what C has made."""
        return cls(HostConfig.from_c(_config_of(raw)), raw=raw)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._raw is None

    def close(self) -> None:
        """Free the machine now, with all its guests. Twice is harmless."""
        with self._lock:
            if self._raw is not None:
                ffi.release(self._raw)
                self._raw = None

    def call(self, function: Callable[..., int], *args: object) -> int:
        """Call C with this host as the first argument, one thread at a time.

        :raises ClosedError: after close().
        """
        with self._lock:
            if self._raw is None:
                raise ClosedError("this machine was closed")
            status = function(self._raw, *args)
            if self.journal is not None:
                self.journal.note(function, args, status)
            return status

    def checked(
        self, what: str, function: Callable[..., int], *args: object
    ) -> None:
        """Call C and raise what its status means; ``what`` was being done.

        :raises HvError: see :func:`hv.core.check`.
        """
        status = self.call(function, *args)
        if self.tap is not None:
            self.tap()
        if status != lib.HV_OK:
            check(status, what, self._reason(status))

    def explained(
        self, what: str, function: Callable[..., int], *args: object
    ) -> None:
        """Call C with room for its reason; raise it if there is one.

        :raises HvError: see :func:`hv.core.check`.
        """
        why = ffi.new("char[]", core.WHY_SIZE)
        status = self.call(function, *args, why, core.WHY_SIZE)
        if self.tap is not None:
            self.tap()
        check(status, what, self._reason(status) or core.text(why))

    def _reason(self, status: int) -> str:
        """Return which assertion failed, if the status says that one did."""
        if status != lib.HV_ERR_BROKEN:
            return ""
        with self._lock:
            return core.text(lib.hv_host_reason(self._raw))

    # -- running ------------------------------------------------------------

    def run(self, max_insns: int = 0) -> RunResult:
        """Run until something happens that the caller should know of.

        That is everything but a full console or trace, and a piece's end.
        Ctrl-C is raised between two pieces; the run can go on afterwards as if
        it had not been interrupted.

        :param max_insns: stop after exactly so many; 0 is no limit.
        :raises HvError: if C reports an error.
        """
        integer("max_insns", max_insns, 0, U64)
        done = 0
        while True:
            self.give_input()
            left = max_insns - done if max_insns else self.chunk
            result = self._run_piece(min(left, self.chunk))
            done += result.insns
            self.drain()
            again = result.reason in _GO_ON
            if result.reason is RunReason.IDLE:
                again = self.give_input()
            if not again or done >= max_insns > 0:
                return RunResult(result.reason, result.vm, result.vcpu, done)

    def _run_piece(self, max_insns: int) -> RunResult:
        run = ffi.new("struct hv_run *", {"max_insns": max_insns})
        self.checked("running", lib.hv_run, run)
        reason = from_c("HV_RUN_", RunReason, run.reason)
        return RunResult(reason, run.vm, run.vcpu, run.insns)

    def give_input(self) -> bool:
        """Hand queued input to the guests. True if one took some."""
        taken = 0
        for number, console in self.consoles.items():
            if console.outbox:
                data = bytes(console.outbox)
                count = self.call(lib.hv_console_give, number, data, len(data))
                del console.outbox[:count]
                taken += count
        return taken > 0

    def drain(self) -> None:
        """Take what the guests have written."""
        with self._lock:  # one buffer for all
            for number, console in list(self.consoles.items()):
                while count := self.call(
                    lib.hv_console_take, number, self._taken, _TAKE
                ):
                    console.feed(bytes(ffi.buffer(self._taken, count)))

    # -- looking ------------------------------------------------------------

    @property
    def info(self) -> HostInfo:
        """The machine's frames by owner, and its clocks."""
        out = ffi.new("struct hv_host_info *")
        self.checked("asking the machine", lib.hv_host_info, out)
        return HostInfo(
            frames=out.frames,
            frames_free=out.frames_free,
            frames_hyp=out.frames_hyp,
            frames_reserved=out.frames_reserved,
            frames_shared=out.frames_shared,
            killed=out.killed,
            vms=out.vms,
            cycles=out.cycles,
            insns=out.insns,
        )

    def audit(self) -> None:
        """Recompute every invariant of the hypervisor from scratch.

        :raises AuditFailed: naming the first thing that does not add up.
        """
        self.explained("audit", lib.hv_audit)

    def hash(self) -> int:
        """Return a hash of everything that the future depends on."""
        out = ffi.new("uint64_t *")
        self.checked("hashing", lib.hv_hash, out)
        return int(out[0])

    def tlb(self, hart: int, access: Access) -> list[TlbEntry]:
        """Return the valid entries of a hart's TLB for one kind of access.

        :raises UsageError: if there is no such hart.
        """
        integer("hart", hart, 0, self.harts - 1)
        kind = to_c("HV_", choose(Access, access, "access"))
        out = ffi.new("struct hv_tlb_entry *")
        entries: list[TlbEntry] = []
        index = 0
        while True:
            status = self.call(lib.hv_tlb, hart, kind, index, out)
            if status == lib.HV_ERR_INVALID and index:
                return entries
            check(status, f"the TLB of hart {hart}")
            if out.valid:
                entries.append(
                    TlbEntry(index, out.va, out.pa, out.context, bool(out.mega))
                )
            index += 1

    def hart_counters(self, hart: int | None = None) -> Counters:
        """Return what the machine counted on one hart; None: on all of them.

        :raises UsageError: if there is no such hart.
        """
        if hart is None:
            return reduce(add, map(self.hart_counters, range(self.harts)))
        integer("hart", hart, 0, self.harts - 1)
        return self.counters(hart, lib.HV_COUNTERS_HART)

    def counters(self, number: int, group: int) -> Counters:
        """Return a group of counters of a hart or a VM.

        :raises UsageError: if there is no such hart or VM.
        """
        names = core.counter_names(group)
        out = ffi.new("uint64_t[]", len(names))
        self.checked(
            "reading counters", lib.hv_counters, number, group, out, len(names)
        )
        return Counters(dict(zip(names, map(int, out), strict=True)))
