"""Real guests on real harts: shares, theft, and how long an exit lasts."""

import re
from pathlib import Path

import pytest

import hv
from hv import images
from hv.spec.sched import Claim, shares
from tests.sched import programs

CYCLES = 10**7  # for each hart
SLICE, PERIOD = 1000, 10_000  # ticks
CSRC = Path(__file__).parents[2] / "csrc"
STYLES = tuple(style.value for style in hv.Style)


def _host(policy: str, harts: int = 1) -> hv.Hypervisor:
    return hv.Hypervisor(
        ram="64MiB", policy=policy, harts=harts, slice=SLICE, period=PERIOD
    )


def _run(host: hv.Hypervisor, cycles: int = CYCLES) -> None:
    while min(hart.cycles for hart in host.harts) < cycles:
        host.run(200_000)


def _charged(vm: hv.VM) -> int:
    return sum(vcpu.charged for vcpu in vm.vcpus)


@pytest.mark.parametrize("harts", [1, 2, 4])
@pytest.mark.parametrize("policy", ["credit", "fair"])
def test_guests_get_what_their_weights_say(policy: str, harts: int) -> None:
    weights = (1024, 256, 512)
    with _host(policy, harts) as host:
        vms = [
            host.create(mem="64KiB", vcpus=harts, weight=weight)
            for weight in weights
        ]
        for vm in vms:
            code = programs.on_all(harts, programs.hog())
            programs.load(vm, code)
        _run(host)
        host.audit()
        passed = sum(hart.cycles for hart in host.harts)
        due = shares({w: Claim(weight=w, vcpus=harts) for w in weights}, harts)
        for vm, weight in zip(vms, weights, strict=True):
            percent = 100 * _charged(vm) / passed
            assert abs(percent - 100 * due[weight] / harts) < 1


@pytest.mark.parametrize("policy", ["rr", "credit", "fair", "sampled"])
def test_all_time_is_somebodys(policy: str) -> None:
    """Guest, hypervisor and idle time are what has passed, on every hart."""
    with _host(policy, 2) as host:
        for sleep in (0, 100, 3_000):
            vm = host.create(mem="64KiB", vcpus=2)
            code = programs.sleeper(sleep) if sleep else programs.hog()
            programs.load(vm, programs.on_all(2, code))
        for _ in range(50):
            host.run(10_000)
            for hart in host.harts:
                spent = hart.guest + hart.hypervisor + hart.idle
                assert spent == hart.cycles
            busy = sum(h.guest + h.hypervisor for h in host.harts)
            assert sum(map(_charged, host.vms)) <= busy
            host.audit()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("policy", ["credit", "fair"])
def test_the_thief_gets_its_share(policy: str, style: str) -> None:
    thief, hog = _theft(policy, style)
    assert thief <= (thief + hog) // 2 + SLICE * 10


@pytest.mark.parametrize("style", STYLES)
def test_the_thief_gets_the_hart_where_it_can(style: str) -> None:
    thief, hog = _theft("sampled", style)
    assert thief > 10 * hog


def _theft(policy: str, style: str) -> tuple[int, int]:
    with _host(policy) as host:
        hog = host.create(mem="64KiB")
        programs.load(hog, programs.hog())
        thief = host.create(mem="8MiB", style=style)
        thief.load(images.find("theft"))
        thief.boot()
        _run(host)
        return _charged(thief), _charged(hog)


def _constant(file: str, name: str) -> int:
    text = (CSRC / "sched" / file).read_text()
    found = re.search(rf"#define {name} +(\d+)", text)
    assert found
    return int(found[1])


@pytest.mark.parametrize("style", STYLES)
def test_exits_and_switches_are_as_short_as_is_assumed(style: str) -> None:
    """By `edf` when it admits, and by `slots` when it pads."""
    longest = {"exit": 0, "switch": 0}
    with _host("rr") as host:
        kernel = host.create(style=style, mem="16MiB")
        kernel.load(images.kernel(style), append="run=storm,churn,thrash,forks")
        kernel.boot()
        hog = host.create(mem="64KiB")
        programs.load(hog, programs.hog())
        kinds = ["exit", "run", "enter", "inject"]
        with host.watch(kinds) as watch:
            host.run(6_000_000)
            events = list(watch.events)
    begun, cause, switched, injected = 0, 0, False, False
    for event in events:
        if event.kind == hv.EventKind.EXIT:
            begun, cause = event.cycle, event.arg
            switched = injected = False
        elif event.kind == hv.EventKind.RUN:
            switched = True
        elif event.kind == hv.EventKind.INJECT:
            injected = True
        elif begun:
            kind = "switch" if switched and cause >> 31 else "exit"
            if not injected:
                lasted = event.cycle - begun
                longest[kind] = max(longest[kind], lasted)
    assert 250 < longest["switch"] <= _constant("edf_admit.c", "EDF_SWITCH")
    assert 1000 < longest["exit"] <= _constant("edf_admit.c", "EDF_EXIT")
    assert longest["exit"] <= _constant("slots.c", "PAD_EXIT")
    assert longest["switch"] <= _constant("slots.c", "PAD_SWITCH")
