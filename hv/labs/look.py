"""Read a host, of whatever core, into the plain values of :mod:`hv.labs.seen`.

The host is one that a hypervisor program has left (:meth:`Context.host`).
"""

from collections.abc import Iterator
from typing import Any

from hv.fuzz.native import Context, Core
from hv.labs.seen import HYP, Cpu, Frame, Host, Table, TlbEntry, Vm

FIRST = 0x80000  # number of the machine's first frame
TYPES = ("plain", "shadow", "stage2", "leaf", "root")
STYLES = ("emulate", "pv", "assist", "nested", "direct")
ACCESSES = ("fetch", "load", "store")
CSRS = {
    "sstatus": 0x100, "sie": 0x104, "stvec": 0x105, "scounteren": 0x106,
    "sscratch": 0x140, "sepc": 0x141, "scause": 0x142, "stval": 0x143,
    "satp": 0x180,
}  # fmt: skip
PC, PRIV, CSR = 32, 33, 0x1000  # enum hv_reg
NONE = 0xFFFFFFFF
_ASID, _TWO_STAGES = 0x1FF, 1 << 13  # in a TLB entry's context: machine/tlb.h


def look(context: Context) -> Host | None:
    """Return what the last program left; None if its host has stopped."""
    host, vms = context.host()
    if host is None:
        return None
    return _Look(context.core, host, vms).host()


class _Look:
    """One look at one host."""

    def __init__(self, core: Core, raw: Any, vms: list[int]) -> None:  # noqa: ANN401 -- C's
        self._ffi, self._lib = core.ffi, core.lib
        self._raw = raw
        self._vms = vms

    def host(self) -> Host | None:
        facts = self._ffi.new("struct hv_host_info *")
        if self._lib.hv_host_info(self._raw, facts):
            return None
        frames = self._frames(facts.frames)
        if frames is None:
            return None
        return Host(
            frames=frames,
            free=facts.frames_free,
            reserved=facts.frames_reserved,
            hyp=facts.frames_hyp,
            shared=facts.frames_shared,
            vms={vm: found for vm in self._vms if (found := self._vm(vm))},
            tables=tuple(self._tables(frames)),
            tlb=tuple(self._tlb()),
            cycles=self._cycles(),
        )

    def _frames(self, count: int) -> dict[int, Frame] | None:
        rows = self._ffi.new("struct hv_frame[]", count)
        if self._lib.hv_frames(self._raw, FIRST, count, rows):
            return None
        return {
            FIRST + i: Frame(
                FIRST + i,
                row.owner,
                TYPES[row.type] if row.type < len(TYPES) else str(row.type),
                row.refs,
                row.uses,
                None if row.gfn == NONE else row.gfn,
                row.traced,
            )
            for i, row in enumerate(rows)
        }

    def _vm(self, vm: int) -> Vm | None:
        facts = self._ffi.new("struct hv_vm_info *")
        if not vm or self._lib.hv_vm_info(self._raw, vm, facts):
            return None
        word = self._ffi.new("uint32_t *")
        p2m = {}
        for gfn in range(FIRST, FIRST + facts.mem_size // 4096):
            status = self._lib.hv_p2m(self._raw, vm, gfn, word)
            if not status and word[0] != NONE:
                p2m[gfn] = int(word[0])
        return Vm(
            id=vm,
            style=STYLES[facts.style],
            alive=facts.state < self._lib.HV_VM_OFF,
            frames=facts.frames,
            frames_own=facts.frames_own,
            p2m=p2m,
            cpus=tuple(self._cpu(vm, i) for i in range(facts.vcpus)),
        )

    def _cpu(self, vm: int, vcpu: int) -> Cpu:
        word = self._ffi.new("uint32_t *")

        def reg(number: int) -> int:
            status = self._lib.hv_reg_get(self._raw, vm, vcpu, number, word)
            return 0 if status else int(word[0])

        return Cpu(
            x=tuple(reg(i) for i in range(32)),
            pc=reg(PC),
            mode="S" if reg(PRIV) else "U",
            csr={name: reg(CSR + number) for name, number in CSRS.items()},
        )

    def _entries(
        self, frames: dict[int, Frame]
    ) -> dict[tuple[int, int], dict[int, int]]:
        """Return the valid entries of all shadow tables: VM, table, index."""
        most = 1024
        rows = self._ffi.new("struct hv_entry[]", most)
        count = self._ffi.new("uint32_t *")
        found: dict[tuple[int, int], dict[int, int]] = {}
        for number in frames:
            if self._lib.hv_frame_entries(self._raw, number, rows, most, count):
                continue
            for row in rows[0 : min(count[0], most)]:
                table = found.setdefault((row.vm, row.shadow), {})
                table[row.index] = row.pte
        return found

    def _tables(self, frames: dict[int, Frame]) -> Iterator[Table]:
        if not any(
            f.type == "shadow" and f.owner == HYP for f in frames.values()
        ):
            return
        entries = self._entries(frames)
        row = self._ffi.new("struct hv_shadow *")
        root = (self._lib.HV_SHADOW_ROOT, self._lib.HV_SHADOW_BARE)
        for vm in self._vms:
            n = 0
            while vm and not self._lib.hv_shadow(self._raw, vm, n, row):
                if row.live:
                    yield Table(
                        vm=vm,
                        frame=row.hfn,
                        root=row.kind in root,
                        asid=None if row.asid == NONE else row.asid,
                        holds=row.holds,
                        links=row.links,
                        entries=entries.get((vm, n), {}),
                    )
                n += 1

    def _tlb(self) -> Iterator[TlbEntry]:
        row = self._ffi.new("struct hv_tlb_entry *")
        hart = 0
        while not self._lib.hv_tlb(self._raw, hart, 0, 0, row):
            for kind, access in enumerate(ACCESSES):
                index = 0
                while not self._lib.hv_tlb(self._raw, hart, kind, index, row):
                    index += 1
                    if row.valid:
                        yield TlbEntry(
                            hart,
                            access,
                            row.va,
                            row.pa >> 12,
                            row.context >> 4 & _ASID,
                            bool(row.context & _TWO_STAGES),
                        )
            hart += 1

    def _cycles(self) -> int:
        row = self._ffi.new("struct hv_hart_info *")
        cycles = hart = 0
        while not self._lib.hv_hart_info(self._raw, hart, row):
            cycles += row.guest + row.hypervisor
            hart += 1
        return cycles
