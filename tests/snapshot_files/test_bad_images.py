"""What is made of the image of a VM, whatever it says; and of its memory."""

from functools import cache, partial

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.equivalence.core import good_core
from tests.snapshot_files.drawn import Kind, words
from tests.snapshot_files.images import Image
from tests.snapshot_files.world import Computer, Copy, Refused, busy

TAGS = ["VM  ", "CNTR", "UART", "PLIC", "VCPU", "WHY ", "COUT", "CIN ", "MAP "]
STYLES = ("PV", "EMULATE", "ASSIST", "NESTED")


@cache
def good(style: str) -> bytes:
    host = Computer(good_core())
    return host.save(busy(host, style))


@st.composite
def remapped(draw: st.DrawFn) -> bytes:
    """Images whose map of memory is another."""
    image = Image.parse(good(draw(st.sampled_from(STYLES))))
    what = st.sampled_from([0, 1, 2, 0x100, 0x200, 0x400, 0x402, 0x600, 3])
    run = st.tuples(st.integers(0, 17) | words, what, st.integers(0, 8) | words)
    image.set_runs(draw(st.lists(run, max_size=6)))
    return image.pack()


def survives(image: bytes) -> None:
    host = Computer(good_core(), 128)
    beside = busy(host)
    before, memory = host.facts(), beside.populated()
    try:
        copy = host.restore(image)
    except Refused:
        assert host.facts() == before
        return
    host.audit()
    live(host, copy)
    assert memory.keys() <= beside.populated().keys()
    assert all(beside.read(g * 4096, 4096) == memory[g] for g in memory)


def live(host: Computer, copy: Copy) -> None:
    """Let it do what it wants to; then it can be saved, and go."""
    host.run(3000)
    host.audit()
    again = host.save(copy)
    Image.parse(again)
    host.audit()
    if host.info.frames_free > 100:
        host.fork(copy)
        host.run(1000)
        host.audit()
    copy.destroy()
    host.audit()


VMS = Kind(
    name="VM",
    number=1,
    goods=[partial(good, style) for style in STYLES],
    tags=TAGS,
    survives=survives,
)


@given(remapped())
@settings(deadline=None)
def test_with_another_map(image: bytes) -> None:
    survives(image)
