"""Guests that are saved while they run, and what must be the same after."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import hv
from hv import images

STYLES = ["emulate", "pv", "assist", "nested"]
WORK = "sieve,forks,ping"
NIGHTLY = os.environ.get("HV_TEST_PROFILE") == "nightly"


def boot(
    host: hv.Hypervisor, style: str, work: str = WORK, **options: object
) -> hv.VM:
    """Boot the guest kernel that the style is for."""
    kernel = "kernel-pv" if style in ("pv", "direct") else "kernel-native"
    vm = host.create(style=style, **options)  # type: ignore[arg-type]
    vm.load(images.find(kernel).path, append=f"quiet run={work}")
    vm.boot()
    return vm


@contextmanager
def other(**options: object) -> Iterator[hv.Hypervisor]:
    """Make another machine, on which nothing has run."""
    settings = {"ram": "96MiB"} | options
    with hv.Hypervisor(**settings) as host:  # type: ignore[arg-type]
        yield host


def state(vm: hv.VM) -> tuple[object, ...]:
    """Return all that can be seen of a guest without touching it."""
    return (
        vm.info,
        dict(vm.counters),
        [cpu.registers for cpu in vm.cpu],
        bytes(vm.mem.read(0x8000_0000, vm.info.mem_size)),
    )


def same_future(
    first: hv.VM,
    second: hv.VM,
    dice: random.Random,
    *,
    pieces: int = 6,
    step: int = 40_000,
) -> None:
    """Let both run in the same pieces; nothing may ever tell them apart."""
    said = len(first.console.text), len(second.console.text)
    for piece in range(pieces + 1):
        insns = dice.randrange(1, step) if piece < pieces else 0
        for vm in (first, second):
            vm.run(insns)
        assert state(first) == state(second)
        assert first.console.text[said[0] :] == second.console.text[said[1] :]
    first.host.audit()
    second.host.audit()
