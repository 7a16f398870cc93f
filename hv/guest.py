"""What a VM and the bare machine have in common: a guest to load and run."""

import os
from collections.abc import Iterator, MutableSet
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from hv import core
from hv.console import Console
from hv.core import CData, ffi, from_c, lib, to_c
from hv.counters import Counters
from hv.cpu import Cpu
from hv.elf import Program
from hv.errors import (
    BudgetExceeded,
    ConsoleEnded,
    GuestFailed,
    GuestKilled,
    UsageError,
)
from hv.facts import (
    U32,
    U64,
    Access,
    Fault,
    GuestInfo,
    GuestPhys,
    GuestVirt,
    RunReason,
    RunResult,
    State,
    Style,
    Sync,
    choose,
    integer,
)
from hv.host import Host
from hv.loader import Layout, place, read_file, read_program
from hv.memory import Memory

Path = str | os.PathLike[str]


class Breakpoints(MutableSet[int]):
    """The addresses at which a guest stops: virtual, as its pc has them.

    ``add`` takes the name of a symbol of the loaded image, too.
    """

    def __init__(self, guest: "Guest") -> None:
        self._guest = guest
        self._set: set[int] = set()

    def add(self, value: int | str) -> None:
        """Stop before the instruction at an address is executed.

        :raises UsageError: if there is no such symbol, or too many are set.
        """
        address = self._guest.address(value)
        if address not in self._set:
            self._tell(address, on=True)
            self._set.add(address)

    def discard(self, value: int | str) -> None:
        """Do not stop there any more."""
        address = self._guest.address(value)
        if address in self._set:
            self._tell(address, on=False)
            self._set.discard(address)

    def __contains__(self, value: object) -> bool:
        """Return whether the guest stops at an address."""
        return value in self._set

    def __iter__(self) -> Iterator[int]:
        """Iterate over the addresses, in order."""
        return iter(sorted(self._set))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._set)

    def put_back(self, addresses: set[int]) -> None:
        """Let these be the ones; C knows them already."""
        self._set = set(addresses)

    def _tell(self, address: int, *, on: bool) -> None:
        self._guest.host.checked(
            f"a breakpoint at {address:#x}",
            lib.hv_break,
            self._guest.number,
            address,
            int(on),
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What Python knows of a guest, as it was at a mark."""

    console: tuple[bytes, bytes, bytes]
    breakpoints: set[int]
    layout: Layout | None


class Guest:
    """A guest: load an image, boot it, run it, and look inside.

    Not made directly: a :class:`hv.Machine` is one, and
    :meth:`hv.Hypervisor.create` returns another.
    """

    def __init__(self, host: Host, number: int, name: str) -> None:
        self.host = host
        self.number = number
        self.name = name
        info = self.info
        self.mem = Memory(host, number, info.mem_size)
        self.cpu = tuple(Cpu(host, number, i) for i in range(info.vcpus))
        self.console = Console(self)
        self.breakpoints = Breakpoints(self)
        self.layout: Layout | None = None
        host.consoles[number] = self.console

    # -- marks: see hv.marks ------------------------------------------------

    def kept(self) -> Kept:
        """Return what a mark has to keep of it in Python."""
        return Kept(self.console.kept(), set(self.breakpoints), self.layout)

    def put_back(self, kept: Kept) -> None:
        """Be as it was when :meth:`kept` was called, as C already is."""
        self.console.put_back(kept.console)
        self.breakpoints.put_back(kept.breakpoints)
        self.layout = kept.layout

    # -- loading and booting ------------------------------------------------

    def load(
        self,
        image: Path,
        *,
        append: str = "",
        initrd: Path | None = None,
        flat: bool | None = None,
        base: int | None = None,
    ) -> Layout:
        """Put an image into memory, with a device tree that describes it all.

        :param image: an ELF file, or a flat one (.bin, or ``flat=True``).
        :param append: the kernel's command line.
        :param initrd: a file that the kernel finds in memory.
        :raises ImageError: if it cannot be loaded; nothing was changed.
        :raises UsageError: if the guest has already been booted.
        """
        if self.state is not State.CREATED:
            raise UsageError(f"{self.name} was booted already; make a new one")
        kernel, symbols = read_program(image, flat=flat, base=base)
        style = self.info.style
        layout = place(
            self.mem,
            [*self._firmware(), kernel],
            append=append,
            initrd=read_file(initrd, "initrd") if initrd is not None else None,
            harts=len(self.cpu),
            pv=style is not None and style.paravirtual,
            devices=style is not Style.DIRECT,
        )
        self.layout = replace(layout, symbols=symbols)
        return self.layout

    def _firmware(self) -> list[Program]:
        return []

    def boot(
        self,
        entry: int | None = None,
        a1: int | None = None,
        a2: int | None = None,
    ) -> None:
        """Let vCPU 0 start: at the loaded image if nothing is said.

        :param entry: guest-physical address of the first instruction.
        :param a1: what register a1 holds; by default the device tree.
        :param a2: what register a2 holds; by default the firmware's info.
        :raises UsageError: if nothing is loaded or it was booted already.
        """
        at = self.layout
        if entry is None and at is None:
            raise UsageError(f"{self.name}: nothing to boot: load() first")
        values = (
            entry if entry is not None else at.entry if at else 0,
            a1 if a1 is not None else at.dtb if at else 0,
            a2 if a2 is not None else at.info if at else 0,
        )
        for name, value in zip(("entry", "a1", "a2"), values, strict=True):
            integer(name, value, 0, U32)
        self.host.checked(
            f"booting {self.name}", lib.hv_vm_boot, self.number, *values
        )

    def address(self, where: int | str) -> int:
        """Return an address, of a symbol of the image if a name is given.

        :raises UsageError: if there is no such symbol.
        """
        if not isinstance(where, str):
            return integer("an address", where, 0, U32)
        symbols = self.layout.symbols if self.layout else {}
        if where not in symbols:
            near = get_close_matches(where, symbols, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UsageError(
                f"{self.name}: no symbol {where!r} in its image{hint}"
            )
        return symbols[where]

    # -- running ------------------------------------------------------------

    def run(self, max_insns: int = 0) -> RunResult:
        """Run until this guest ends, stops at a breakpoint, or waits for us.

        Guests beside it run as well, as the scheduler decides.

        :param max_insns: stop after so many, of all guests; 0 is no limit.
        :raises UsageError: if it was not booted.
        :raises HvError: if C reports an error; never for what a guest does.
        """
        integer("max_insns", max_insns, 0, U64)
        done = 0
        result = RunResult(RunReason.ENDED, self.number, 0, 0)
        state = self._booted()
        while not state.ended:
            result = self.host.run(max_insns - done if max_insns else 0)
            done += result.insns
            state = self.state
            other = result.vm != self.number
            if result.reason is not RunReason.ENDED or not other:
                break
            if 0 < max_insns <= done:
                break
        return replace(result, insns=done)

    def run_until(
        self,
        what: Literal["halt", "break"] = "halt",
        *,
        max_insns: int = 0,
    ) -> RunResult:
        """Run until the guest powers off with success, or to a breakpoint.

        :raises GuestFailed: if it powers off with a failure.
        :raises GuestKilled: if the hypervisor kills it.
        :raises BudgetExceeded: if it was not done after ``max_insns``.
        :raises ConsoleEnded: if it waits for input, which nobody sends.
        """
        if what not in ("halt", "break"):
            raise UsageError(f"run until 'halt' or 'break', not {what!r}")
        result = self.run(max_insns)
        hit = result.reason is RunReason.BREAK
        if hit and (what == "break" or result.vm != self.number):
            return result
        if what == "halt" and self.state is State.OFF:
            self.check()
            return result
        raise self._why_not(result)

    def _booted(self) -> State:
        state = self.state
        if state is State.CREATED:
            raise UsageError(f"{self.name} was not booted: boot() first")
        return state

    def step(self, vcpu: int = 0) -> None:
        """Do one architectural step of one vCPU alone.

        One instruction is retired, or one trap or interrupt is taken.

        :raises UsageError: if it cannot execute.
        """
        integer("vcpu", vcpu, 0, len(self.cpu) - 1)
        self.host.checked(
            f"stepping {self.name}", lib.hv_step, self.number, vcpu
        )
        self.host.drain()

    def advance(self, max_insns: int) -> int:
        """Run for a moment, draining consoles; return the instructions.

        :raises GuestError: if the guest can execute no further, saying why.
        """
        self._booted()
        result = self.host.run(min(max_insns, self.host.chunk))
        stuck = result.reason in (RunReason.DONE, RunReason.IDLE)
        if stuck or self.state.ended or result.reason is RunReason.BREAK:
            raise self._why_not(result)
        return result.insns

    def check(self) -> None:
        """Raise if the guest has ended in any way but success.

        :raises GuestError: GuestFailed, GuestKilled or BudgetExceeded.
        """
        info = self.info
        if info.state is State.OFF and info.exit_code:
            why = f": {self.reason}" if self.reason else ""
            raise GuestFailed(
                f"{self.name} failed with code {info.exit_code}{why}",
                info.exit_code,
            )
        if info.state is State.KILLED:
            raise GuestKilled(
                f"{self.name} was killed: {self.reason}", self.reason
            )
        if info.state is State.BUDGET:
            raise BudgetExceeded(
                f"{self.name} used up its budget of instructions"
            )

    def _why_not(self, result: RunResult) -> Exception:
        """Return why the guest did not come to where it should."""
        try:
            self.check()
        except (GuestFailed, GuestKilled, BudgetExceeded) as error:
            return error
        if result.reason is RunReason.BUDGET:
            return BudgetExceeded(
                f"{self.name} was not done after {result.insns} instructions"
            )
        if result.reason is RunReason.BREAK:
            return ConsoleEnded(f"{self.name} is at a breakpoint")
        why = {
            State.OFF: "powered off",
            State.PAUSED: "is paused",
        }.get(self.state, "waits for input that nobody sent")
        return ConsoleEnded(f"{self.name} {why}")

    # -- looking inside -----------------------------------------------------

    @property
    def info(self) -> GuestInfo:
        """All the facts at once."""
        out = self._facts()
        return GuestInfo(
            state=from_c("HV_VM_", State, out.state),
            style=from_c("HV_STYLE_", Style, out.style)
            if self.number
            else None,
            sync=from_c("HV_SYNC_", Sync, out.sync) if self.number else None,
            exit_code=out.exit_code,
            rebooted=bool(out.rebooted),
            vcpus=out.vcpus,
            mem_size=out.mem_size,
            frames=out.frames,
            frames_own=out.frames_own,
            shadow_frames=out.shadow_frames,
            insns=out.insns,
            cycles=out.cycles,
        )

    @property
    def state(self) -> State:
        """What the guest is doing."""
        return from_c("HV_VM_", State, self._facts().state)

    def _facts(self) -> CData:
        out = ffi.new("struct hv_vm_info *")
        self.host.checked(
            f"asking {self.name}", lib.hv_vm_info, self.number, out
        )
        return out

    @property
    def exit_code(self) -> int | None:
        """What it powered off with (0 is success); None if it did not."""
        info = self.info
        return info.exit_code if info.state is State.OFF else None

    @property
    def reason(self) -> str:
        """Why it is in its state, in a sentence; empty if there is no story."""
        why = ffi.new("char[]", core.WHY_SIZE)
        self.host.checked(
            f"asking {self.name}",
            lib.hv_vm_reason,
            self.number,
            why,
            core.WHY_SIZE,
        )
        return core.text(why)

    @property
    def counters(self) -> Counters:
        """What was counted for this guest."""
        return self.host.counters(self.number, lib.HV_COUNTERS_VM)

    @property
    def machine_counters(self) -> Counters:
        """What the machine itself counted, summed over its harts.

        That is this guest's, and the hypervisor's work for it, if nobody else
        runs there.
        """
        return self.host.hart_counters()

    def translate(
        self, va: int, access: str = "load", vcpu: int = 0
    ) -> GuestPhys | Fault:
        """Translate through the guest's own tables, as its present mode would.

        Changes nothing: no TLB entry, no accessed bit, no count.

        :param access: ``fetch``, ``load`` or ``store``.
        :raises UsageError: if an argument is out of range.
        """
        kind = choose(Access, access, "access")
        integer("va", va, 0, U32)
        integer("vcpu", vcpu, 0, len(self.cpu) - 1)
        gpa, fault = ffi.new("uint32_t *"), ffi.new("int *")
        self.host.checked(
            f"translating {va:#x}",
            lib.hv_translate,
            self.number,
            vcpu,
            va,
            to_c("HV_", kind),
            gpa,
            fault,
        )
        if fault[0] >= 0:
            return Fault(GuestVirt(va), kind, fault[0])
        return GuestPhys(gpa[0])
