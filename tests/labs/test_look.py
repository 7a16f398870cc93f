"""What is seen of a host is what it is, and looking changes nothing."""

from collections import Counter

import pytest

from hv.fuzz import native
from hv.fuzz.format import decode, encode
from hv.fuzz.text import parse
from hv.labs.chaff_steps import QUIET, steps
from hv.labs.look import look
from hv.labs.seen import FREE, HYP, SHARED

PROGRAM = parse("""
hvp 1
world vms=1 memory=3 harts=1 first=0 others=1 sync=0
run
  vm0.0 kernel map slot=0 gfn=live:0 rights=live:0
  vm1.1 user   load gva=live:0 size=2
  vm0.0 kernel share count=0
  vm1.0 kernel destroy
  vm0.0 kernel csr_write csr=320 value=7
""")


def test_before_any_program_there_is_nothing_to_see() -> None:
    with native.wheat().context(oracles=QUIET) as context:
        assert context.host() == (None, [0, 0, 0, 0])
        assert context.actor() == 0
        assert look(context) is None


def test_who_acts_and_what_is_there() -> None:
    with native.wheat().context(oracles=QUIET) as context:
        told = [step for _, step in steps(context, PROGRAM) if step]
    first, second = (
        vm for vm in told[0].before.vms
    )  # two VMs, in the order of their places
    assert [step.does for step in told] == [
        *("map", "load", "share", "destroy", "csr_write"),
    ]
    assert [step.actor for step in told] == [first, second, 0, 0, first]
    assert [step.vcpu for step in told[:2]] == [0, 1]
    assert [step.kernel for step in told[:2]] == [True, False]
    assert told[0].now.vms[first].style == "emulate"
    assert told[0].now.vms[second].style == "pv"
    assert second not in told[-1].now.vms
    assert told[-1].now.vms[first].cpus[0].csr["sscratch"] == 7
    assert told[2].now.shared > told[2].before.shared == 0


@pytest.mark.parametrize("seed", range(6))
def test_the_numbers_agree_with_each_other(seed: int) -> None:
    program = decode(native.generate("g3", seed))
    records = program.records[:10]
    program = program.with_records(records, 0, 0)
    with native.wheat().context(oracles=QUIET) as context:
        for _, step in steps(context, program):
            assert step is not None
            host = step.now
            owners = Counter(f.owner for f in host.frames.values())
            assert owners[FREE] == host.free
            assert owners[HYP] == host.hyp
            assert owners[SHARED] == host.shared
            assert sum(owners[vm] for vm in host.vms) == sum(
                vm.frames_own for vm in host.vms.values()
            )
            for table in host.tables:
                assert host.frames[table.frame].owner == HYP


def test_to_look_changes_nothing() -> None:
    hashes = []
    for looks in (False, True):
        with native.wheat().context(oracles=QUIET) as context:
            if looks:
                assert list(steps(context, PROGRAM))
            hashes.append(context.execute(encode(PROGRAM)).hash)
            if looks:
                assert look(context) == look(context)
    assert hashes[0] == hashes[1]
