"""A kick ends a poll, and nothing else: an interrupt ends a sleep."""

import pytest

from hv.abi import Hypercall
from tests.equivalence.core import Core, build, good_core, planted
from tests.memory.puppet import CODE, PAGE, SHARED, TRAP, Host, Puppet

SBI_IPI = 0x735049
RUNNING, RUNNABLE, BLOCKED = range(3)


def _state(puppet: Puppet, vcpu: int) -> int:
    out = puppet.ffi.new("struct hv_vcpu_info *")
    lib, raw = puppet.lib, puppet.host.raw
    puppet.host.ok(lib.hv_vcpu_info(raw, puppet.id, vcpu, out))
    return int(out.state)


def _as(puppet: Puppet, vcpu: int, call: int, *args: int) -> int:
    """Let a vCPU make one of hv's calls; return its value."""
    puppet.vcpu = vcpu
    assert puppet.call(call, *args) == 0
    return puppet.get(11)


def a_kick_ends_a_poll_alone(core: Core) -> None:
    puppet = Puppet(Host(core, 256), 16, vcpus=2)
    trap = CODE * PAGE + TRAP
    puppet.start(1, trap)
    _as(puppet, 1, Hypercall.SET_SHARED, SHARED * PAGE)
    _as(puppet, 1, Hypercall.SET_ENTRY, trap, 0)
    for _ in range(2):
        assert _as(puppet, 1, Hypercall.POLL) == 0
        assert _state(puppet, 1) == BLOCKED
        _as(puppet, 0, Hypercall.KICK, 1)
        assert _state(puppet, 1) != BLOCKED, "a kick did not end a poll"
        assert _as(puppet, 1, Hypercall.BLOCK) == 0
        assert _state(puppet, 1) == BLOCKED
        _as(puppet, 0, Hypercall.KICK, 1)
        assert _state(puppet, 1) == BLOCKED, "a kick ended a sleep"
        puppet.vcpu = 0
        assert puppet.call(0, 2, 0, extension=SBI_IPI) == 0
        assert _state(puppet, 1) != BLOCKED, "an interrupt did not end a sleep"
        puppet.vcpu = 1
        puppet._step()  # it takes the interrupt
        # The kick was remembered for the next poll, and for that alone.
        assert _as(puppet, 1, Hypercall.POLL) == 1
        assert _state(puppet, 1) != BLOCKED
    puppet.host.audit()


def test_a_kick_ends_a_poll_alone() -> None:
    a_kick_ends_a_poll_alone(good_core())


def test_one_that_is_always_said_to_poll_is_found() -> None:
    text = "vcpu->pv.polls = false;"
    files = planted("polls", "hyp/vcpu.c", text, text.replace("false", "true"))
    with pytest.raises(AssertionError, match="ended a sleep"):
        a_kick_ends_a_poll_alone(Core(build(files)))
