"""Every cycle is somebody's, whoever runs and however often it is cut.

VMs run programs of the generator, on real costs: they trap, sleep, set timers
and end. After each piece of the run the accounts are added up.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hv.spec.charges import HartAccount, VcpuAccount, shrunk, violations
from tests.equivalence.core import CData, Core, good_core, planted
from tests.equivalence.core import build as build_core
from tests.memory.puppet import Host

RAM = 0x8000_0000
STYLES = ("EMULATE", "ASSIST", "NESTED")


class Accounts:
    """A host, what its VMs have run, and what was charged to those gone."""

    def __init__(self, core: Core, harts: int, policy: str) -> None:
        number = getattr(core.lib, f"HV_POLICY_{policy}")
        self.host = Host(core, 512, harts=harts, slice=500, policy=number)
        self.ffi, self.lib, self.raw = core.ffi, core.lib, self.host.raw
        self.harts = harts
        self.born: dict[int, int] = {}
        self.before: dict[int, VcpuAccount] = {}
        self.gone = 0
        self.apart = 0  # ticks that clocks of two harts were, at most

    def now(self) -> int:
        """Return the time, in ticks, of the clock that is furthest."""
        tick = 10  # cycles of one: hv_config_default()
        return max(int(self.hart(n).cycles) for n in range(self.harts)) // tick

    def create(self, seed: int, style: str) -> None:
        """Make a VM that runs a generated program."""
        config = self.ffi.new("struct hv_vm_config *")
        self.lib.hv_vm_config_default(config)
        config.style = getattr(self.lib, f"HV_STYLE_{style}")
        config.mem_size = size = self.lib.HV_PRIVGEN_RAM
        config.shadow_frames = 8
        vm = self.ffi.new("uint32_t *")
        born = self.hart(0).cycles // 10  # to make it may take time
        status = self.lib.hv_vm_create(self.raw, config, vm, self.ffi.NULL, 0)
        self.host.ok(status)
        image = self.ffi.new("uint8_t[]", size)
        self.host.ok(self.lib.hv_privgen(seed, 0, image, size))
        self.host.ok(self.lib.hv_mem_write(self.raw, vm[0], RAM, image, size))
        self.born[int(vm[0])] = born
        self.host.ok(self.lib.hv_vm_boot(self.raw, vm[0], RAM, 0, 0))

    def destroy(self, vm: int) -> None:
        """End a VM; what it was charged stays charged."""
        self.gone += self.vcpu(vm).charged
        self.host.ok(self.lib.hv_vm_destroy(self.raw, vm))
        del self.born[vm]
        self.before.pop(vm, None)

    def hart(self, number: int) -> HartAccount:
        """Return the account of a hart."""
        info: CData = self.ffi.new("struct hv_hart_info *")
        self.host.ok(self.lib.hv_hart_info(self.raw, number, info))
        return HartAccount(
            cycles=info.cycles,
            guest=info.guest,
            hypervisor=info.hypervisor,
            idle=info.idle,
            runs=(info.vm, info.vcpu) if info.vm else None,
        )

    def vcpu(self, vm: int) -> VcpuAccount:
        """Return the account of a VM's only vCPU."""
        info: CData = self.ffi.new("struct hv_vcpu_info *")
        self.host.ok(self.lib.hv_vcpu_info(self.raw, vm, 0, info))
        a, b, c, d = info.time
        return VcpuAccount(
            vm=vm,
            number=0,
            state=info.state,
            times=(a, b, c, d),
            charged=info.charged,
            born=self.born[vm],
        )

    def check(self) -> None:
        """Expect that all adds up, and that nothing shrank."""
        harts = [self.hart(n) for n in range(self.harts)]
        clocks = [hart.cycles // 10 for hart in harts]
        apart = max(clocks) - min(clocks)
        slack = self.apart = max(self.apart, apart)
        vcpus = [self.vcpu(vm) for vm in self.born]
        wrong = list(
            violations(
                harts, vcpus, now=self.now(), slack=slack, gone=self.gone
            )
        )
        assert not wrong, f"charges: {wrong}"
        for vcpu in vcpus:
            old = self.before.get(vcpu.vm, vcpu)
            assert not shrunk(old, vcpu, slack), f"shrunk: {old} {vcpu}"
            self.before[vcpu.vm] = vcpu
        self.host.audit()


def lives(
    core: Core, seed: int, harts: int, policy: str, pieces: list[int]
) -> Accounts:
    accounts = Accounts(core, harts, policy)
    for n, piece in enumerate(pieces):
        if len(accounts.born) < 3:
            accounts.create(seed + n, STYLES[n % 3])
        elif n % 5 == 4:
            accounts.destroy(min(accounts.born))
        accounts.host.run(piece)
        accounts.check()
    return accounts


def test_time_that_a_vm_is_made_in_is_its_own() -> None:
    lives(good_core(), 5_336_012_861, 1, "FAIR", [47, 256, 1, 1, 1])


pieces = st.lists(st.integers(1, 400), min_size=5, max_size=15)


@given(
    seed=st.integers(1, 1 << 40),
    harts=st.integers(1, 2),
    policy=st.sampled_from(["RR", "CREDIT", "FAIR"]),
    pieces=pieces,
)
@settings(max_examples=25)
def test_accounts_add_up(
    seed: int, harts: int, policy: str, pieces: list[int]
) -> None:
    lives(good_core(), seed, harts, policy, pieces)


BUGS = {
    "idle-is-nobodys": (
        "sched/account.c",
        "    cpu->spent[kind] += cycles;\n    if (!vcpu)\n        return;\n",
        "    if (!vcpu)\n        return;\n    cpu->spent[kind] += cycles;\n",
        "P24: hart 0",
    ),
    "charged-twice": (
        "sched/account.c",
        "    vcpu->charged += cycles;\n",
        "    vcpu->charged += 2 * cycles;\n",
        "cycles were charged",
    ),
    "time-is-lost-at-a-change-of-state": (
        "sched/account.c",
        "    vcpu->run.since += span(vcpu);\n",
        "    vcpu->run.since += span(vcpu) + 1;\n",
        "ticks",
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_accounts_find(name: str) -> None:
    file, text, instead, shows = BUGS[name]
    core = Core(build_core(planted(name, file, text, instead)))
    with pytest.raises(AssertionError, match=shows):
        lives(core, 100, 1, "RR", [37, 411, 290, 123, 350] * 4)
