"""At the last of everything that there is a number of."""

from tests.equivalence.core import Core, good_core
from tests.memory.puppet import Host, Puppet
from tests.memory.test_overcommit import hungry

MOST_VMS = 1023


def create(host: Host) -> tuple[int, int, str]:
    """Make a small VM; return the status, its number, and what was said."""
    config = host.ffi.new("struct hv_vm_config *")
    host.lib.hv_vm_config_default(config)
    config.mem_size, config.shadow_frames = 4096, 4
    number = host.ffi.new("uint32_t *")
    why = host.ffi.new("char[]", 200)
    status = host.lib.hv_vm_create(host.raw, config, number, why, 200)
    return int(status), int(number[0]), host.text(why)


def as_many_as_there_are_numbers(core: Core) -> None:
    host = Host(core, 6 * (MOST_VMS + 1))
    ids = [create(host)[1] for _ in range(MOST_VMS)]
    assert len(set(ids)) == MOST_VMS
    assert 0 not in ids
    status, _, why = create(host)
    assert status == core.lib.HV_ERR_NO_MEMORY
    assert "too many VMs" in why
    host.audit()
    host.ok(core.lib.hv_vm_destroy(host.raw, ids[500]))
    status, new, _ = create(host)
    assert status == core.lib.HV_OK
    assert new not in ids  # the place is taken again, the name is not (P40)
    out = host.ffi.new("struct hv_vm_info *")
    gone = core.lib.hv_vm_info(host.raw, ids[500], out)
    assert gone == core.lib.HV_ERR_NO_VM
    host.audit()


def who_is_not_made_gets_no_number(core: Core) -> None:
    """The next one has that which it would have had."""
    host = Host(core, 64)
    left = int(host.info.frames_free)
    config = host.ffi.new("struct hv_vm_config *")
    host.lib.hv_vm_config_default(config)
    # So large that nothing is left for tables of a second stage.
    config.mem_size, config.shadow_frames = 4096 * (left - 4), 4
    config.style = host.lib.HV_STYLE_NESTED
    vm, why = host.ffi.new("uint32_t *"), host.ffi.new("char[]", 200)
    status = host.lib.hv_vm_create(host.raw, config, vm, why, 200)
    assert status == host.lib.HV_ERR_NO_MEMORY
    assert "promised to other VMs" in host.text(why)
    host.audit()
    assert create(host)[1] == 1


def the_last_may_be_killed(core: Core) -> None:
    """Where memory has run out, all are looked at for who is to go."""
    host = Host(core, 5 * (MOST_VMS + 1), admission=1)
    for _ in range(MOST_VMS - 1):
        create(host)
    pages = int(host.info.frames_free)
    last = Puppet(host, pages)
    hungry(last, pages - 8)
    host.run(1_000_000)
    assert "machine memory ran out" in last.reason
    assert host.info.killed == 1
    host.audit()


def test_as_many_vms_as_there_are_numbers() -> None:
    as_many_as_there_are_numbers(good_core())


def test_who_is_not_made_gets_no_number() -> None:
    who_is_not_made_gets_no_number(good_core())


def test_the_last_may_be_killed() -> None:
    the_last_may_be_killed(good_core())
