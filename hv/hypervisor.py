"""The hypervisor: VMs side by side on one machine."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from hv import hosts, inside, sched, snapshots
from hv.closing import Closing
from hv.core import ffi, lib, to_c
from hv.counters import Counters
from hv.errors import UsageError
from hv.events import CAPACITY, Watch
from hv.facts import (
    U32,
    U64,
    Access,
    Admission,
    Engine,
    Frame,
    HostInfo,
    MMode,
    NamedBy,
    Policy,
    Profile,
    RunReason,
    RunResult,
    Style,
    Sync,
    TlbEntry,
    choose,
    integer,
)
from hv.guest import Guest
from hv.host import Host, HostConfig
from hv.interleave import Interleave, Interleaving
from hv.journal import Journal, recorded
from hv.marks import Mark, written
from hv.sched import HartInfo
from hv.units import parse_size
from hv.vm import VM


class Hypervisor(Closing):
    """A machine with the hypervisor on it. Use it as a context manager.

    :param ram: machine memory; VMs get theirs from it.
    :param engine: which interpreter executes it.
    :param profile: ``clean`` or ``leaky``: how virtualizable it is.
    :param harts: of the machine.
    :param quantum: cycles of a turn where several harts take turns.
    :param interleave: a seed or a list of rounds: in which order they do.
    :param asid_bits: 9, or 0 for a TLB that has to be flushed at each switch.
    :param policy: how the scheduler chooses who runs: :class:`hv.Policy`.
    :param slice: a scheduler time slice, in ticks of ``time``.
    :param period: ticks that caps and credits are given out for.
    :param audit: check every invariant at every exit (slow).
    :param fill: byte that fresh hypervisor memory is filled with.
    :param admission: ``strict`` promises every VM all its memory;
        ``overcommit`` only its ``min_mem``, and kills one if it runs out.
    :param costs: cycles per elementary step, by name, where not the default.
    :param record: keep a journal, from which :func:`hv.replay` makes the run
        again.
    :raises UsageError: if a value is out of range.

    >>> with Hypervisor() as hypervisor:
    ...     vm = hypervisor.create(name="first", mem="16MiB")
    ...     vm
    <VM 1 'first': created>
    """

    def __init__(
        self,
        *,
        ram: int | str = "256MiB",
        engine: str = Engine.FAST,
        profile: str = Profile.CLEAN,
        harts: int | None = None,
        quantum: int | None = None,
        interleave: Interleave = 0,
        asid_bits: int | None = None,
        policy: str = Policy.RR,
        slice: int | None = None,  # noqa: A002 -- the scheduler's word
        period: int | None = None,
        ad_fault: bool | None = None,
        audit: bool = False,
        fill: int | None = None,
        admission: str = Admission.STRICT,
        costs: Mapping[str, int] | None = None,
        record: bool = False,
    ) -> None:
        host = Host(
            HostConfig(
                m_mode=MMode.HYPERVISOR,
                ram=ram,
                engine=engine,
                profile=profile,
                harts=harts,
                quantum=quantum,
                asid_bits=asid_bits,
                policy=policy,
                slice=slice,
                period=period,
                ad_fault=ad_fault,
                audit=audit,
                fill=fill,
                admission=admission,
                costs=costs or {},
            ),
            record=record,
        )
        self._attach(host)
        try:
            self.interleaving.set(interleave)
        except BaseException:
            self.host.close()
            raise

    def _attach(self, host: Host) -> None:
        self.host = host
        self._vms: dict[int, VM] = {}
        self.interleaving = Interleaving(host)

    @classmethod
    def over(cls, host: Host) -> Self:
        """Return the hypervisor of a host that was made already."""
        self = cls.__new__(cls)
        self._attach(host)
        return self

    def adopt(self, vm: VM) -> None:
        """Know a VM that was made already."""
        self._vms[vm.number] = vm

    @property
    def journal(self) -> Journal:
        """What was done to it from outside, with ``record=True``.

        :raises UsageError: if that is not recorded.
        """
        return recorded(self.host)

    def close(self) -> None:
        """Free the machine and its VMs now. Twice is harmless."""
        self.host.close()

    def create(
        self,
        *,
        name: str | None = None,
        style: str = Style.EMULATE,
        mem: int | str = "16MiB",
        vcpus: int = 1,
        shadow_frames: int = 0,
        sync: str = Sync.DEFAULT,
        min_mem: int | str = 0,
        max_insns: int = 0,
        weight: int | None = None,
        cap: int | None = None,
        budget: int | None = None,
        period: int | None = None,
        gang: bool | None = None,
    ) -> VM:
        """Make a VM, not yet booted.

        :param name: for people; default vm1, vm2 ...
        :param style: how it is virtualized.
        :param mem: guest memory, promised now, taken when first touched.
        :param shadow_frames: size of its shadow pool; 0 is the default.
        :param sync: how its shadows follow its page tables.
        :param min_mem: what is promised of it where memory is over-committed.
        :param max_insns: end it after so many instructions; 0 is never.
        :param weight: its share of the harts; this and what follows is for
            the scheduler: :class:`hv.Schedule`, also on what is the default.
        :raises UsageError: if a value is out of range, the name is taken, or
            the policy cannot promise so much.
        :raises NoMemory: if the machine cannot promise so much memory.
        """
        self._free(name)
        config = ffi.new("struct hv_vm_config *")
        lib.hv_vm_config_default(config)
        config.style = to_c("HV_STYLE_", choose(Style, style, "style"))
        config.mem_size = integer("mem (in bytes)", parse_size(mem), 0, U32)
        config.vcpus = integer("vcpus", vcpus, 0, U32)
        config.shadow_frames = integer("shadow_frames", shadow_frames, 0, U32)
        config.sync = to_c("HV_SYNC_", choose(Sync, sync, "sync"))
        config.min_size = integer(
            "min_mem (in bytes)", parse_size(min_mem), 0, U32
        )
        config.max_insns = integer("max_insns", max_insns, 0, U64)
        schedule = sched.default_schedule().changed(
            weight=weight, cap=cap, budget=budget, period=period, gang=gang
        )
        sched.fill(config.sched, schedule)
        number = ffi.new("uint32_t *")
        self.host.explained("creating a VM", lib.hv_vm_create, config, number)
        return self._enter(int(number[0]), name)

    def _free(self, name: str | None) -> None:
        if name is not None and any(vm.name == name for vm in self.vms):
            raise UsageError(f"there is a VM {name!r} already")

    def _enter(self, number: int, name: str | None) -> VM:
        vm = VM(self.host, number, name or f"vm{number}")
        self._vms[vm.number] = vm
        return vm

    def restore_vm(
        self, source: snapshots.Source, *, name: str | None = None
    ) -> VM:
        """Make a VM of what :meth:`hv.VM.save` has written, and go on there.

        Its guest's time goes on where it was. It gets a number of its own,
        and the promise of memory that it had.

        :param source: a file, or the bytes of :meth:`hv.VM.to_bytes`.
        :param name: for people; default vm1, vm2 ...
        :raises ImageError: if that is nothing that a VM was saved as; nothing
            was changed.
        :raises NoMemory: if the machine cannot promise so much memory.
        :raises UsageError: if its guest could not go on on this machine, or
            the name is taken.
        """
        self._free(name)
        return self._enter(snapshots.restored_vm(self.host, source), name)

    def to_bytes(self) -> bytes:
        """Return all of the host's state, as :meth:`save` writes it to a file.

        Its VMs stand still for that, and lose what is in their shadow tables
        and the TLBs; it and what is restored from here have the same future.

        :raises UsageError: if a VM is of style ``direct``.
        """
        self.host.give_input()
        names = {vm.number: vm.name for vm in self.vms}
        return hosts.saved_host(self.host, names)

    def save(self, path: snapshots.Place) -> None:
        """Write the host with all its VMs to a file, as a whole or not at all.

        :raises UsageError: if a VM is of style ``direct``.
        :raises HvError: if the file cannot be written; one that was there
            before is then untouched.
        """
        snapshots.write_whole(path, self.to_bytes())

    @classmethod
    def restore(
        cls, source: snapshots.Source, *, engine: str = Engine.FAST
    ) -> Self:
        """Make a host of what :meth:`save` has written, and go on there.

        Its VMs have the numbers and names that they had, and their places in
        the schedule. Nothing is recorded, and nobody watches it.

        :param source: a file, or the bytes of :meth:`to_bytes`.
        :param engine: which interpreter executes it; no guest can tell.
        :raises ImageError: if that is nothing that a host was saved as.
        :raises NoMemory: if this computer has no room for it.
        """
        host, names = hosts.restored_host(
            source, choose(Engine, engine, "engine")
        )
        self = cls.over(host)
        for number, name in names.items():
            self._enter(number, name)
        return self

    def fork(self, vm: VM, *, name: str | None = None) -> VM:
        """Make a second VM in the state of one; they share its memory.

        No page is copied until one of the two writes to it. What the first has
        printed so far stays its alone.

        :param name: for people; default vm1, vm2 ...
        :raises NoMemory: if the machine cannot promise so much memory.
        :raises UsageError: if the name is taken, the VM is another machine's
            or of style ``direct``, or the policy is ``slots``.
        """
        if getattr(vm, "host", None) is not self.host:
            raise UsageError(f"fork a VM of this hypervisor, not {vm!r}")
        self._free(name)
        self.host.give_input()
        self.host.drain()
        number = snapshots.forked_vm(self.host, vm.number, vm.name)
        child = self._enter(number, name)
        child.layout = vm.layout
        return child

    @property
    def vms(self) -> tuple[VM, ...]:
        """The VMs that exist, in the order of their creation."""
        for number in self._vms.keys() - self.host.consoles.keys():
            del self._vms[number]
        return tuple(self._vms.values())

    @property
    def guests(self) -> tuple[Guest, ...]:
        """The VMs that exist; a bare machine has one guest, itself."""
        return self.vms

    def __getitem__(self, key: int | str) -> VM:
        """Return a VM by number or name.

        :raises UsageError: if there is none.
        """
        for vm in self.vms:
            if key in (vm.number, vm.name):
                return vm
        raise UsageError(f"there is no VM {key!r}")

    def __iter__(self) -> Iterator[VM]:
        """Iterate over the VMs."""
        return iter(self.vms)

    def run(self, max_insns: int = 0, *, on_end: bool = False) -> RunResult:
        """Run the VMs until none is left to run, or something needs us.

        :param max_insns: stop after so many, of all VMs; 0 is no limit.
        :param on_end: return when a VM ends, too, while others live.
        :raises HvError: if C reports an error; never for what a guest does.
        """
        integer("max_insns", max_insns, 0, U64)
        done = 0
        while True:
            left = max_insns - done if max_insns else 0
            result = self.host.run(left)
            done += result.insns
            again = result.reason is RunReason.ENDED and not on_end
            if not again or 0 < max_insns <= done:
                return RunResult(result.reason, result.vm, result.vcpu, done)

    @property
    def policy(self) -> Policy:
        """How the scheduler chooses who runs."""
        return Policy(self.host.config.policy)

    @property
    def harts(self) -> tuple[HartInfo, ...]:
        """What each hart of the machine does, and did."""
        return tuple(
            sched.hart_info(self.host, hart) for hart in range(self.host.harts)
        )

    def slots(self, rows: Iterable[tuple[VM | None, int]]) -> None:
        """Give the policy ``slots`` a table, from its next turn on.

        :param rows: whose turn it is, and for how many ticks of ``time``; None
            is nobody's.
        :raises UsageError: if a row is wrong, there are none or more than 64,
            or the policy is another.
        :raises ClosedError: if one of the VMs was destroyed.
        """
        sched.set_slots(self.host, (self._slot(row) for row in rows))

    def _slot(self, row: object) -> tuple[int, int]:
        match row:
            case (None, int() as ticks):
                return 0, ticks
            case (VM() as vm, int() as ticks) if vm.host is self.host:
                vm.schedule  # noqa: B018 -- raises if it was destroyed
                return vm.number, ticks
        raise UsageError(
            f"a slot is (a VM of this hypervisor, or None; ticks), not {row!r}"
        )

    def watch(
        self, kinds: Iterable[str] | None = None, *, capacity: int = CAPACITY
    ) -> Watch:
        """Note what happens from here on: a context manager.

        :param kinds: which of :class:`hv.EventKind`; None is all of them.
        :param capacity: how many events to hold before a run pauses to hand
            them over. It never loses one.
        :raises UsageError: if a kind or the capacity is wrong, or somebody
            watches already.

        >>> with Hypervisor() as hypervisor:
        ...     vm = hypervisor.create()
        ...     vm.boot(0x80000000)
        ...     with hypervisor.watch(["run", "exit"]) as watch:
        ...         result = hypervisor.run(10)
        ...     [str(event.kind) for event in watch.events[:2]]
        ['run', 'exit']
        """
        return Watch(self.host, kinds, capacity)

    def share(self, frames: int = 0) -> int:
        """Keep guest pages that are equal only once; return how many went.

        :param frames: look at so many guest frames, going on where the last
            scan ended; 0 looks at all of them, from the beginning.
        :raises NoMemory: if this computer has no room for the scan's notes.
        """
        integer("frames", frames, 0, U32 - 1)
        out = ffi.new("uint32_t *")
        self.host.checked("sharing", lib.hv_share_scan, frames, out)
        return int(out[0])

    def mark(self) -> Mark:
        """Remember the host and its VMs as they are now, to be put back.

        :raises NoMemory: if this computer has no room for that.
        """
        vms = {vm.number: vm for vm in self.vms}

        def put_back() -> None:
            self._vms = dict(vms)

        return Mark(self.host, vms.values(), put_back)

    def written(self) -> list[int]:
        """Return the machine frames written since the last mark or reset.

        Or since the last call of this; by whomever, and whether or not the
        bytes are others now.

        :raises UsageError: if the host has no marks.
        """
        return written(self.host)

    @property
    def info(self) -> HostInfo:
        """The machine's frames by owner, and its clocks."""
        return self.host.info

    def audit(self) -> None:
        """Recompute every invariant of the hypervisor from scratch.

        :raises AuditFailed: naming the first thing that does not add up.
        """
        self.host.audit()

    def hash(self) -> int:
        """Return a hash of everything that the future depends on."""
        return self.host.hash()

    def frames(self) -> Iterator[Frame]:
        """Iterate over the frame table, one row per frame of the machine.

        A frame's number is its machine address without the low 12 bits.
        """
        return inside.frames(self.host)

    def frame(self, number: int) -> Frame:
        """Return one row of the frame table.

        :raises UsageError: if the machine has no such frame.
        """
        return inside.frame(self.host, number)

    def named_by(self, frame: int) -> list[NamedBy]:
        """Return every shadow entry that names a frame: its reverse map.

        :raises UsageError: if the machine has no such frame.
        """
        return inside.named_by(self.host, frame)

    def read(self, address: int, size: int) -> bytes:
        """Return bytes of machine memory, by machine address.

        :raises AddressError: if one of them is not RAM.
        """
        return inside.read(self.host, address, size)

    def tlb(self, hart: int = 0, access: str = "load") -> list[TlbEntry]:
        """Return the valid entries of a hart's TLB for one kind of access.

        :raises UsageError: if there is no such hart or access.
        """
        return self.host.tlb(hart, choose(Access, access, "access"))

    def hart_counters(self, hart: int = 0) -> Counters:
        """Return what the machine itself counted on one hart.

        :raises UsageError: if there is no such hart.
        """
        return self.host.hart_counters(hart)
