"""Who is killed is told why, with the number that belongs to it."""

from hv.abi import Hypercall
from tests.equivalence.core import Core, good_core
from tests.machine import asm
from tests.memory.puppet import CODE, PAGE, SBI_EXT_HV, Host

PAGES = 64
# Of addresses in its memory, every hexadecimal digit.
PLACES = tuple(CODE * PAGE + at for at in range(0x1230, 0x3F000, 0x1A94))


def killed_at(core: Core, pc: int) -> str:
    """Return what is said of a kernel that goes back to nowhere from there."""
    host, lib = Host(core, 256), core.lib
    config = host.ffi.new("struct hv_vm_config *")
    lib.hv_vm_config_default(config)
    config.style, config.mem_size = lib.HV_STYLE_PV, PAGES * PAGE
    config.shadow_frames = 4
    vm, why = host.ffi.new("uint32_t *"), host.ffi.new("char[]", 200)
    host.ok(lib.hv_vm_create(host.raw, config, vm, why, 200))
    code = asm.ECALL.to_bytes(4, "little")
    host.ok(lib.hv_mem_write(host.raw, vm[0], pc, code, len(code)))
    host.ok(lib.hv_vm_boot(host.raw, vm[0], pc, 0, 0))
    for register, value in ((asm.A6, Hypercall.IRET), (asm.A7, SBI_EXT_HV)):
        host.ok(lib.hv_reg_set(host.raw, vm[0], 0, register, value))
    host.run(5)
    host.audit()
    host.ok(lib.hv_vm_reason(host.raw, vm[0], why, 200))
    return host.text(why)


def the_place_is_said(core: Core) -> None:
    said = {pc: killed_at(core, pc) for pc in PLACES}
    for pc, reason in said.items():
        assert reason.endswith(f" {pc:#010x}"), reason
    assert len({reason.rpartition(" ")[0] for reason in said.values()}) == 1


def test_the_place_is_said() -> None:
    the_place_is_said(good_core())
