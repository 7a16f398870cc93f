"""A whole host is saved while its guests run, and nobody can tell."""

import random
from pathlib import Path
from typing import Any

import pytest

import hv
from hv import snapshots
from tests.snapshot_files.guests import NIGHTLY, boot, other
from tests.snapshot_files.test_files import Failing

POLICIES = ["rr", "credit", "fair", "edf", "slots", "sampled"]
CASES = [
    (policy, harts)
    for policy in POLICIES
    for harts in (1, 2, 3)
    if NIGHTLY or (POLICIES.index(policy) + harts) % 3 == 0
]


def crowd(host: hv.Hypervisor) -> None:
    """Boot a guest of each style, with what this policy can promise."""
    policy = str(host.policy)
    asked: list[dict[str, Any]] = {
        "edf": [{"budget": 3000, "period": 30_000}, {}],
        "credit": [{"weight": 100, "cap": 30}, {"weight": 300}],
        "fair": [{"weight": 100, "gang": True}, {"weight": 300}],
    }.get(policy, [{}, {}])
    vcpus = min(len(host.harts), 2)
    boot(host, "emulate", "sieve,forks", name="one", **asked[0])
    boot(host, "pv", "forks,ping", name="two", **asked[1])
    boot(host, "nested", "parallel", name="three", vcpus=vcpus)
    boot(host, "assist", "churn", name="four")
    if policy == "slots":
        rows = [(host["one"], 5000), (None, 2000), (host["two"], 3000)]
        host.slots([*rows, (host["three"], 4000), (host["four"], 6000)])


def trace(host: hv.Hypervisor, insns: int) -> list[hv.Event]:
    """Run, and return all that happened."""
    with host.watch() as watch:
        host.run(insns)
    return list(watch.events)


def said(host: hv.Hypervisor) -> dict[str, str]:
    return {vm.name: vm.console.text for vm in host}


@pytest.mark.parametrize(("policy", "harts"), CASES)
def test_a_host_goes_on_to_the_cycle(policy: str, harts: int) -> None:
    dice = random.Random(f"{policy} {harts}")
    settings = {"policy": policy, "harts": harts, "ram": "96MiB"}
    with other(**settings, interleave=dice.randrange(3)) as host:
        crowd(host)
        host.run(dice.randrange(400_000, 900_000))
        image = host.to_bytes()
        assert host.to_bytes() == image
        with hv.Hypervisor.restore(image, engine="ref") as copy:
            copy.audit()
            insns = dice.randrange(20_000, 60_000)
            assert trace(host, insns) == trace(copy, insns)
            assert copy.to_bytes() == host.to_bytes()
        image, before = host.to_bytes(), said(host)
        with hv.Hypervisor.restore(image) as copy:
            assert copy.to_bytes() == image
            host.run()
            copy.run()
            assert copy.to_bytes() == host.to_bytes()
            for vm in copy:
                vm.check()
                assert before[vm.name] + vm.console.text == (
                    host[vm.name].console.text
                )
            copy.audit()


def test_saving_changes_nothing_that_a_guest_has() -> None:
    with other(harts=2) as host:
        crowd(host)
        host.run(500_000)
        before = [
            (
                vm.info.insns,
                [cpu.registers for cpu in vm.cpu],
                vm.mem.read(0x8000_0000, vm.info.mem_size),
            )
            for vm in host
        ]
        image = host.to_bytes()
        with hv.Hypervisor.restore(image) as copy:
            for it in (host, copy):
                after = [
                    (
                        vm.info.insns,
                        [cpu.registers for cpu in vm.cpu],
                        vm.mem.read(0x8000_0000, vm.info.mem_size),
                    )
                    for vm in it
                ]
                assert before == after


def test_guests_say_what_they_would_have_said() -> None:
    """Beside a host that is never saved: same words, same end."""
    with other(harts=2) as host, other(harts=2) as never:
        for it in (host, never):
            boot(it, "emulate", "sieve", name="one")
            boot(it, "pv", "sieve,forks", name="two")
            boot(it, "assist", "forks", name="three")
        words: dict[str, str] = dict.fromkeys(("one", "two", "three"), "")
        image = b""
        for _ in range(4):
            host.run(150_000)
            words = {
                name: words[name] + text for name, text in said(host).items()
            }
            image = host.to_bytes()
            host.close()
            host = hv.Hypervisor.restore(image)  # noqa: PLW2901 -- the next
        host.run()
        never.run()
        for vm in host:
            vm.check()
            assert sorted((words[vm.name] + vm.console.text).splitlines()) == (
                sorted(never[vm.name].console.text.splitlines())
            )
        host.close()


def test_names_numbers_and_states_are_kept(tmp_path: Path) -> None:
    place = tmp_path / "host.hv"
    with other(ram="64MiB", policy="fair") as host:
        host.create(name="gone").destroy()
        second = host.create(name="b", mem="2MiB", weight=99)
        host.create(name="a", mem="1MiB", style="nested")
        paused = boot(host, "pv", "sieve", name="c")
        paused.pause()
        second.console.send(b"typed")
        host.save(place)
        saved = hv.read_host(place)
        assert [vm.name for vm in saved.vms] == ["b", "a", "c"]
        with hv.Hypervisor.restore(place) as copy:
            assert [vm.name for vm in copy] == ["b", "a", "c"]
            assert [vm.number for vm in copy] == [vm.number for vm in host]
            assert [vm.info for vm in copy] == [vm.info for vm in host]
            assert copy.policy == "fair"
            assert copy["b"].schedule.weight == 99
            assert copy["c"].state == "paused"
            assert copy.create().number == host.create().number
            copy["c"].resume()
            copy.run()
            copy["c"].check()


def test_a_file_is_the_old_host_or_the_new_one(tmp_path: Path) -> None:
    place = tmp_path / "host.hv"
    with other(ram="8MiB") as host:
        vm = host.create(mem="1MiB")
        old = host.to_bytes()
        vm.mem.write(0x8000_0000, b"new")
        new = host.to_bytes()
    failed, done = 0, False
    while not done:
        place.write_bytes(old)
        try:
            snapshots.write_whole(place, new, Failing(failed, OSError(5, "x")))
            done = True
        except hv.HvError:
            assert place.read_bytes() in (old, new)
            with hv.Hypervisor.restore(place) as back:
                back.audit()
        failed += 1
    assert failed > 5


def test_a_hundred_forks_need_no_more_than_they_did() -> None:
    settings = {"ram": "24MiB", "admission": "overcommit"}
    with other(**settings) as host:
        vm = boot(host, "pv", "sieve", min_mem="64KiB", shadow_frames=16)
        host.run(300_000)
        for _ in range(40):
            host.fork(vm)
        info = host.info
        image = host.to_bytes()
        with hv.Hypervisor.restore(image) as copy:
            assert copy.info.frames_shared == info.frames_shared > 50
            assert copy.info.frames_free == host.info.frames_free
            copy.audit()
            copy.run(300_000)
            host.run(300_000)
            assert copy.to_bytes() == host.to_bytes()


def test_what_cannot_be_saved_says_why(tmp_path: Path) -> None:
    with other(ram="8MiB") as host:
        host.create(style="direct", mem="1MiB")
        before = host.hash()
        with pytest.raises(hv.UsageError, match="VM 1 is of style direct"):
            host.to_bytes()
        assert host.hash() == before
    with other(ram="8MiB") as host:
        vm = host.create(mem="1MiB")
        whole, one = host.to_bytes(), vm.to_bytes()
        with pytest.raises(hv.ImageError, match="no saved host"):
            hv.Hypervisor.restore(one)
        with pytest.raises(hv.ImageError, match="no saved VM"):
            host.restore_vm(whole)
        with pytest.raises(hv.UsageError, match="engine"):
            hv.Hypervisor.restore(whole, engine="steam")
        with pytest.raises(hv.HvError, match="No such file"):
            host.save(tmp_path / "nowhere" / "host.hv")
    with pytest.raises(hv.ImageError, match="No such file"):
        hv.Hypervisor.restore(tmp_path / "nothing.hv")


def test_a_save_is_in_the_journal(tmp_path: Path) -> None:
    place = tmp_path / "journal.hv"
    with other(record=True) as host:
        boot(host, "pv", "sieve")
        host.run(200_000)
        host.to_bytes()
        host.run(100_000)
        host.journal.save(place)
        number = host.hash()
    with hv.replay(place) as again:
        assert again.hash() == number
