"""A paravirtual kernel may read the clock, and no other CSR."""

from collections.abc import Callable, Mapping

import pytest

from tests.equivalence.core import ONLY_INSNS, CData, Core, good_core
from tests.machine import asm

RAM = 0x8000_0000
CYCLE, TIME, INSTRET, HIGH = 0xC00, 0xC01, 0xC02, 0x80
SCAUSE, ILLEGAL = 0x142, 2
REGISTERS = (asm.A0, asm.A1, asm.A2, asm.A3, asm.A4, asm.A5)


class Kernel:
    """A VM that executes some words, one step at a time."""

    def __init__(
        self,
        core: Core,
        words: list[int],
        style: str = "PV",
        *,
        vcpus: int = 1,
        costs: Mapping[str, int] = ONLY_INSNS,
    ) -> None:
        self.core, self.lib, self.ffi = core, core.lib, core.ffi
        out, config = self.ffi.new("hv_host **"), core.config(costs)
        assert self.lib.hv_host_new(config, out, self.ffi.NULL, 0) == 0
        self.host: CData = self.ffi.gc(out[0], self.lib.hv_host_free)
        guest = self.ffi.new("struct hv_vm_config *")
        self.lib.hv_vm_config_default(guest)
        guest.style = getattr(self.lib, f"HV_STYLE_{style}")
        guest.mem_size, guest.vcpus = 0x1_0000, vcpus
        vm = self.ffi.new("uint32_t *")
        status = self.lib.hv_vm_create(self.host, guest, vm, self.ffi.NULL, 0)
        assert status == self.lib.HV_OK
        self.vm = int(vm[0])
        self.write(RAM, words)
        assert self.lib.hv_vm_boot(self.host, self.vm, RAM, 0, 0) == 0

    def write(self, address: int, words: list[int]) -> None:
        """Put some words into its memory."""
        code = b"".join(word.to_bytes(4, "little") for word in words)
        status = self.lib.hv_mem_write(
            *(self.host, self.vm, address, code, len(code))
        )
        assert status == self.lib.HV_OK

    def run(self, insns: int) -> None:
        """Let the machine run, for so many instructions at most."""
        args = self.ffi.new("struct hv_run *", {"max_insns": insns})
        assert self.lib.hv_run(self.host, args) == self.lib.HV_OK

    def step(self) -> None:
        """Execute one instruction, or take one trap."""
        assert self.lib.hv_step(self.host, self.vm, 0) == self.lib.HV_OK

    def get(self, register: int) -> int:
        """Return a register."""
        out = self.ffi.new("uint32_t *")
        assert self.lib.hv_reg_get(self.host, self.vm, 0, register, out) == 0
        return int(out[0])

    def counter(self, name: str) -> int:
        """Return what the hypervisor has counted of it."""
        names, group = self.core.counter_names(), self.lib.HV_COUNTERS_VM
        out = self.ffi.new("uint64_t[]", len(names))
        assert not self.lib.hv_counters(
            *(self.host, self.vm, group, out, len(names))
        )
        return int(out[names.index(name)])

    @property
    def info(self) -> CData:
        """What the host knows of it."""
        out = self.ffi.new("struct hv_vm_info *")
        assert self.lib.hv_vm_info(self.host, self.vm, out) == self.lib.HV_OK
        return out

    @property
    def killed(self) -> bool:
        """Whether it broke a rule: it has no handler for a fault."""
        return bool(self.info.state == self.lib.HV_VM_KILLED)


def counters_are_read(core: Core) -> None:
    """All six; only instructions take time, so all say the same."""
    csrs = [CYCLE, TIME, INSTRET]
    csrs += [csr + HIGH for csr in csrs]
    reads = [asm.csrr(rd, csr) for rd, csr in zip(REGISTERS, csrs, strict=True)]
    kernel = Kernel(core, [asm.addi(asm.T0, 0, 1)] * 9 + reads)
    for _ in range(9 + len(reads)):
        kernel.step()
    assert [kernel.get(r) for r in REGISTERS] == [9, 10, 11, 0, 0, 0]
    assert kernel.get(kernel.lib.HV_REG_PC) == RAM + 4 * (9 + 6)


def nothing_else_is(core: Core) -> None:
    """Writes, kernel CSRs, and words that only look like a read."""
    for word in (
        asm.csrw(CYCLE, asm.A0),
        asm.csrr(asm.A0, SCAUSE),
        asm.csrr(asm.A0, 0xB00),
        asm.csrr(asm.A0, 0xC03),
        asm.csrr(asm.A0, 0xD00),
        asm.csrr(asm.A0, 0x800),
        asm.csrr(asm.A0, CYCLE) & ~0x7000 | 0x4000,
        asm.csrr(asm.A0, CYCLE) & ~0x7F | 0x0B,
    ):
        kernel = Kernel(core, [word, asm.j(0)])
        kernel.lib.hv_step(kernel.host, kernel.vm, 0)
        assert kernel.killed, hex(word)


CHECKS = (counters_are_read, nothing_else_is)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_counters(check: Callable[[Core], None]) -> None:
    check(good_core())
