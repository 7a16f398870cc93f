"""A VM of style ``direct`` is told to be one."""

from tests.equivalence.core import good_core
from tests.memory.puppet import Host, Puppet


def test_who_stays_in_its_style_needs_no_memory() -> None:
    """It had its tags already; with none, its next entry was the host's end."""
    host = Host(good_core(), 64)
    vm = Puppet(host, 8, "DIRECT")
    lib, ffi = host.lib, host.ffi
    host.ok(lib.hv_fail_alloc(host.raw, 1))
    host.ok(lib.hv_vm_set_style(host.raw, vm.id, lib.HV_STYLE_DIRECT))
    config = ffi.new("struct hv_vm_config *")
    lib.hv_vm_config_default(config)
    config.mem_size, config.shadow_frames = 4096, 4
    number = ffi.new("uint32_t *")
    # The request that was to be refused has not been made yet.
    status = lib.hv_vm_create(host.raw, config, number, ffi.NULL, 0)
    assert status == lib.HV_ERR_NO_MEMORY
    host.audit()
    assert vm.load(0x80003, 0) == 0
