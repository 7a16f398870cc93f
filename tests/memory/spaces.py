"""A kernel with several address spaces, which the test makes it change.

In each space one window names a page of its own; the root of each is a page of
tables, and so is what it links to. What a page tells says which page it is.
"""

from tests.equivalence.core import Core
from tests.machine import asm
from tests.memory.puppet import CODE, DATA, FIRST, PAGE, Host, Puppet

SPACES = 6
SATP = 0x180
ROOTS, LEAVES = DATA, DATA + SPACES
OLD, NEW = LEAVES + SPACES, LEAVES + 2 * SPACES
WINDOW = 0x40000  # page number
FENCE = CODE * PAGE + 64
FULL = 0xCF  # valid, all rights of a kernel, accessed and dirty


def le32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def slow(core: Core) -> Host:
    """Return a host where all that costs anything costs much."""
    config = core.ffi.new("struct hv_config *")
    core.lib.hv_config_default(config)
    return Host(core, 512, cost=[5000 if cost else 0 for cost in config.cost])


def kernel(
    host: Host, style: str, policy: str = "DEFAULT", vcpus: int = 1
) -> Puppet:
    """Return one with its address spaces."""
    sync = getattr(host.lib, f"HV_SYNC_{policy}")
    options = {"sync": sync, "shadow_frames": 48, "vcpus": vcpus}
    puppet = Puppet(host, 64, style, **options)
    for i in range(SPACES):
        root = (ROOTS + i) * PAGE
        puppet.write(root + 4 * (FIRST >> 10), le32(FIRST << 10 | FULL))
        puppet.write(root + 4 * (WINDOW >> 10), le32(LEAVES + i << 10 | 1))
        puppet.write((LEAVES + i) * PAGE, le32(OLD + i << 10 | FULL))
        puppet.write((OLD + i) * PAGE, le32(100 + i))
        puppet.write((NEW + i) * PAGE, le32(200 + i))
    puppet.write(FENCE, le32(asm.sfence_vma(0, 0)))
    return puppet


def enter(puppet: Puppet, space: int) -> None:
    register = puppet.lib.HV_REG_CSR + SATP
    puppet.set(register, 1 << 31 | ROOTS + space)


def look(puppet: Puppet) -> list[int | None]:
    """Return what the kernel reads in the window of each space."""
    seen = []
    for i in range(SPACES):
        enter(puppet, i)
        seen.append(puppet.load(WINDOW, 0))
    return seen


def execute(puppet: Puppet, insn: int, t0: int = 0, t1: int = 0) -> None:
    """Let it execute an instruction that does not trap."""
    puppet.write(FENCE + 4, le32(insn))
    puppet.set(asm.T0, t0)
    puppet.set(asm.T1, t1)
    puppet.set(puppet.lib.HV_REG_PC, FENCE + 4)
    while puppet.get(puppet.lib.HV_REG_PC) == FENCE + 4:
        puppet._step()
    assert puppet.get(puppet.lib.HV_REG_PC) == FENCE + 8
