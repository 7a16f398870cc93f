"""The bare machine: one kernel and its firmware, no hypervisor.

What every style of virtualization is compared with.
"""

import os
from collections.abc import Mapping
from typing import Self

from hv.closing import Closing
from hv.core import lib
from hv.counters import Counters
from hv.elf import Program
from hv.facts import (
    Access,
    Engine,
    HostInfo,
    MMode,
    Profile,
    TlbEntry,
    choose,
)
from hv.guest import Guest
from hv.host import Host, HostConfig
from hv.interleave import Interleave, Interleaving
from hv.journal import Journal, recorded
from hv.loader import read_program
from hv.marks import Mark, written

NATIVE = "native"


class Machine(Guest, Closing):
    """A bare machine. Use it as a context manager.

    :param ram: its memory, all of it the kernel's.
    :param firmware: ``"native"`` (built in), or the path of a firmware that
        runs as machine code in M-mode and is told what to start by
        fw_dynamic_info, as OpenSBI is.
    :param harts: 1 to 8.
    :param quantum: cycles of a turn where several harts take turns.
    :param interleave: a seed or a list of rounds: in which order they do.
    :param costs: cycles per elementary step, by name, where not the default.
    :param record: keep a journal, from which :func:`hv.replay` makes the run
        again.
    :raises UsageError: if a value is out of range.
    :raises ImageError: if the firmware cannot be loaded.

    >>> with Machine(ram="16MiB") as machine:
    ...     machine.state.value, machine.mem.read32(0x80000000)
    ('created', 0)
    """

    def __init__(
        self,
        *,
        ram: int | str = "16MiB",
        engine: str = Engine.FAST,
        profile: str = Profile.CLEAN,
        firmware: str | os.PathLike[str] = NATIVE,
        harts: int | None = None,
        quantum: int | None = None,
        interleave: Interleave = 0,
        asid_bits: int | None = None,
        ad_fault: bool | None = None,
        time_div: int | None = None,
        costs: Mapping[str, int] | None = None,
        record: bool = False,
    ) -> None:
        self._code: list[Program] = []
        if firmware != NATIVE:
            self._code = [read_program(firmware, base=_base(firmware))[0]]
        host = Host(
            HostConfig(
                m_mode=MMode.CODE if self._code else MMode.FIRMWARE,
                ram=ram,
                engine=engine,
                profile=profile,
                harts=harts,
                quantum=quantum,
                asid_bits=asid_bits,
                ad_fault=ad_fault,
                time_div=time_div,
                costs=costs or {},
            ),
            record=record,
        )
        try:
            self._attach(host)
            self.interleaving.set(interleave)
        except BaseException:
            host.close()
            raise

    def _attach(self, host: Host) -> None:
        super().__init__(host, 0, "the machine")
        self.interleaving = Interleaving(host)

    @classmethod
    def over(cls, host: Host) -> Self:
        """Return the machine of a host that was made already."""
        self = cls.__new__(cls)
        self._code = []
        self._attach(host)
        return self

    @property
    def journal(self) -> Journal:
        """What was done to it from outside, with ``record=True``.

        :raises UsageError: if that is not recorded.
        """
        return recorded(self.host)

    def _firmware(self) -> list[Program]:
        return self._code

    def close(self) -> None:
        """Free the machine now. Twice is harmless."""
        self.host.close()

    @property
    def counters(self) -> Counters:
        """What the machine counted, summed over its harts."""
        return self.host.hart_counters()

    def hart_counters(self, hart: int = 0) -> Counters:
        """Return what the machine counted on one hart.

        :raises UsageError: if there is no such hart.
        """
        return self.host.hart_counters(hart)

    def tlb(self, hart: int = 0, access: str = "load") -> list[TlbEntry]:
        """Return the valid entries of a hart's TLB for one kind of access.

        :raises UsageError: if there is no such hart or access.
        """
        return self.host.tlb(hart, choose(Access, access, "access"))

    @property
    def guests(self) -> tuple[Guest, ...]:
        """The guests there are: itself. A hypervisor has its VMs."""
        return (self,)

    def hash(self) -> int:
        """Return a hash of everything that the future depends on."""
        return self.host.hash()

    def mark(self) -> Mark:
        """Remember the machine as it is now, to be put back to it.

        :raises NoMemory: if this computer has no room for that.
        """
        return Mark(self.host, [self])

    def written(self) -> list[int]:
        """Return the frames written since the last mark, reset, or call.

        :raises UsageError: if it has no marks.
        """
        return written(self.host)

    @property
    def host_info(self) -> HostInfo:
        """The machine's frames and clocks."""
        return self.host.info

    def __repr__(self) -> str:
        """Show its state."""
        return f"<Machine: {self.state}>"


def _base(firmware: str | os.PathLike[str]) -> int | None:
    """Return where a flat firmware goes: the start of RAM."""
    flat = os.fspath(firmware).endswith(".bin")
    return lib.RAM_BASE if flat else None
