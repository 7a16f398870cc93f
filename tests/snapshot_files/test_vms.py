"""Guest kernels are saved wherever they are, and nobody can tell."""

import random

import pytest

import hv
from tests.snapshot_files.guests import (
    NIGHTLY,
    STYLES,
    WORK,
    boot,
    other,
    same_future,
)

ROUNDS = 20 if NIGHTLY else 1


@pytest.mark.parametrize("style", STYLES)
def test_a_kernel_goes_on_where_it_was(style: str) -> None:
    dice = random.Random(style)
    for _ in range(ROUNDS):
        with other() as host, other(engine="ref") as slow:
            vm = boot(host, style)
            host.run(dice.randrange(1, 900_000))
            image = vm.to_bytes()
            assert vm.to_bytes() == image
            copy = slow.restore_vm(image)
            slow.audit()
            assert copy.to_bytes() == image
            same_future(vm, copy, dice)
            copy.check()


@pytest.mark.parametrize("sync", ["lazy", "trace", "trace-strict"])
def test_in_every_way_that_shadows_follow(sync: str) -> None:
    dice = random.Random(sync)
    with other() as host, other() as empty:
        vm = boot(host, "emulate", "churn", sync=sync, shadow_frames=16)
        host.run(dice.randrange(200_000, 400_000))
        copy = empty.restore_vm(vm.to_bytes())
        assert copy.info.sync == sync
        same_future(vm, copy, dice, pieces=3)


def test_it_changes_style_after_a_restore() -> None:
    with other() as host, other() as empty:
        vm = boot(host, "emulate")
        host.run(300_000)
        said = vm.console.text
        copy = empty.restore_vm(vm.to_bytes())
        for style in ("nested", "assist", "emulate"):
            copy.change_style(style)
            empty.run(50_000)
        host.run()
        empty.run()
        assert said + copy.console.text == vm.console.text
        empty.audit()


@pytest.mark.parametrize("policy", ["rr", "credit", "fair", "edf"])
def test_beside_others_on_several_harts(policy: str) -> None:
    settings = {"harts": 2, "policy": policy, "ram": "96MiB"}
    with other(**settings) as host, other(**settings) as full:
        vm = boot(host, "assist", "parallel", vcpus=2)
        boot(host, "emulate", "compute")
        beside = boot(full, "pv")
        full.run(200_000)
        host.run(700_000)
        copy = full.restore_vm(vm.to_bytes(), name="copy")
        full.audit()
        full.run()
        host.run()
        for guest in (vm, copy, beside):
            guest.check()
        full.audit()
        host.audit()


def test_time_goes_on_where_it_was() -> None:
    with other() as host, other() as old:
        vm = boot(host, "emulate")
        boot(old, "emulate", "compute").run(2_000_000)
        host.run(600_000)
        copy = old.restore_vm(vm.to_bytes())
        for clock in ("time", "cycle"):
            assert vm.cpu[0].reg(clock) == copy.cpu[0].reg(clock)


def test_a_paused_and_an_ended_one_stay_so() -> None:
    with other() as host, other() as empty:
        vm = boot(host, "pv")
        host.run(400_000)
        vm.pause()
        paused = empty.restore_vm(vm.to_bytes())
        assert host.run().reason == empty.run().reason == "done"
        paused.resume()
        vm.resume()
        same_future(vm, paused, random.Random(1))
        ended = empty.restore_vm(vm.to_bytes(), name="ended")
        assert ended.state == "off"
        assert ended.info == vm.info
        never = empty.restore_vm(host.create().to_bytes(), name="never")
        assert never.state == "created"


def test_console_that_nobody_has_taken_is_in_it() -> None:
    with other() as host, other() as empty:
        vm = host.create()
        vm.console.send(b"typed")
        copy = empty.restore_vm(vm.to_bytes())
        assert copy.to_bytes() == vm.to_bytes()
        assert b"typed" in copy.to_bytes()


def test_what_cannot_be_saved_or_restored_says_why() -> None:
    with other() as host, other(ram="20MiB") as small:
        direct = host.create(style="direct", mem="1MiB")
        with pytest.raises(hv.UsageError, match="direct"):
            direct.to_bytes()
        with pytest.raises(hv.UsageError, match="direct"):
            host.fork(direct)
        with pytest.raises(hv.ImageError, match="no saved VM"):
            host.restore_vm(b"\x7fELF")
        with pytest.raises(hv.ImageError, match="No such file"):
            host.restore_vm("nowhere/file.hv")
        image = host.create(mem="24MiB").to_bytes()
        with pytest.raises(hv.NoMemory, match="frames"):
            small.restore_vm(image)
        with pytest.raises(hv.ImageError, match="damaged"):
            host.restore_vm(image[:-1] + b"\1")
        with pytest.raises(hv.ImageError, match="bytes"):
            host.restore_vm(image[:-1])
    with (
        other(ad_fault=True) as faulting,
        pytest.raises(hv.UsageError, match="ad_fault"),
    ):
        faulting.restore_vm(image)


def test_a_hundred_forks_of_a_booted_kernel_cost_a_page_each() -> None:
    settings = {"ram": "128MiB", "admission": "overcommit"}
    with other(**settings) as host:
        vm = boot(host, "pv", min_mem="64KiB", shadow_frames=16)
        host.run(500_000)
        frames = vm.info.frames
        assert frames > 100
        used = host.info.frames - host.info.frames_free
        children = [host.fork(vm) for _ in range(100)]
        now = host.info.frames - host.info.frames_free
        # Each has a shared-info page of its own.
        assert now - used <= 100
        host.audit()
        for child in children[2:]:
            child.destroy()
        said = len(vm.console.text)
        host.run()
        for child in children[:2]:
            child.check()
            # Each in its own time: they share a hart.
            lines = child.console.text.splitlines()
            assert sorted(lines) == sorted(vm.console.text[said:].splitlines())
        host.audit()


@pytest.mark.parametrize("style", STYLES)
def test_a_fork_and_its_parent_do_the_same_alone(style: str) -> None:
    """Each runs while the other is paused: same work, same words."""
    with other(ram="64MiB") as host:
        vm = boot(host, style, WORK)
        host.run(400_000)
        child = host.fork(vm, name="child")
        assert child.layout == vm.layout
        said = len(vm.console.text)
        child.pause()
        host.run()
        child.resume()
        host.run()
        assert child.console.text == vm.console.text[said:]
        assert child.info.insns == pytest.approx(vm.info.insns, rel=0.01)
        host.audit()


def test_slots_let_nobody_share() -> None:
    with (
        other(policy="slots") as host,
        pytest.raises(hv.UsageError, match="slots"),
    ):
        host.fork(host.create())


def test_a_restored_vm_gets_its_turn_in_a_table_of_slots() -> None:
    with other(policy="slots") as host, other(policy="slots") as empty:
        vm = boot(host, "pv")
        host.slots([(vm, 10_000)])
        host.run(300_000)
        said = len(vm.console.text)
        copy = empty.restore_vm(vm.to_bytes())
        empty.slots([(copy, 5000), (None, 5000)])
        for guest in (vm, copy):
            guest.run_until("halt")
        assert copy.console.text == vm.console.text[said:]
        empty.audit()
