"""A kernel's races are decided by the rounds: its runs are made again."""

from collections.abc import Sequence

import pytest

import hv
from hv import images
from hv.interleave import Interleave

APPEND = "run=parallel,locks"
PIECES = (1, 10, 1000, 12_345, 100_000)


def state(
    style: str,
    interleave: Interleave,
    *,
    engine: str = hv.Engine.FAST,
    pieces: Sequence[int] = (),
) -> tuple[int, str, tuple[hv.Round, ...]]:
    """Run the kernel on three harts to its end; return what came of it."""
    host: hv.Machine | hv.Hypervisor
    guest: hv.Guest
    if style == "bare":
        host = guest = hv.Machine(harts=3, engine=engine, interleave=interleave)
    else:
        host = hv.Hypervisor(
            harts=3, ram="64MiB", engine=engine, interleave=interleave
        )
        guest = host.create(style=style, vcpus=3)
    with host:
        host.interleaving.record()
        kernel = "kernel-pv" if style == "pv" else "kernel-native"
        guest.load(images.find(kernel).path, append=APPEND)
        guest.boot()
        for piece in pieces:
            guest.run(piece)
        guest.run()
        guest.check()
        return host.hash(), guest.console.text, host.interleaving.rounds


@pytest.mark.parametrize("style", ["bare", "emulate", "pv", "nested"])
def test_a_recorded_run_is_made_again(style: str) -> None:
    first = state(style, 4711)
    assert state(style, first[2], pieces=PIECES) == first
    assert state(style, first[2], engine=hv.Engine.REF) == first
    assert state(style, 4712)[0] != first[0]
