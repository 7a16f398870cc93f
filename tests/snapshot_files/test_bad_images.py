"""Any bytes: refused without a trace, or a VM that everything holds for."""

import struct
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.equivalence.core import good_core
from tests.snapshot_files.images import Image, fields, sealed
from tests.snapshot_files.world import Computer, Copy, Refused, busy

TAGS = ["VM  ", "CNTR", "UART", "PLIC", "VCPU", "WHY ", "COUT", "CIN ", "MAP "]
BOUNDARY = [
    *(0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 0x7FFF_FFFF, 0x8000_0000),
    *(0xFFFF_FFFF, 0xFFFF_FFFE, 0x8000_1000, 0x8001_0000, 1 << 22, 4097),
]
STYLES = ("PV", "EMULATE", "ASSIST", "NESTED")


@cache
def good(style: str) -> bytes:
    host = Computer(good_core())
    return host.save(busy(host, style))


words = st.one_of(
    st.sampled_from(BOUNDARY), st.integers(0, 0xFFFF_FFFF), st.integers(0, 40)
)


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """Images with some words changed, that pass the checksum."""
    image = Image.parse(good(draw(st.sampled_from(STYLES))))
    for _ in range(draw(st.integers(1, 4))):
        tag = draw(st.sampled_from(TAGS))
        body = image.section(tag)
        if len(body) >= 4:
            at = draw(st.integers(0, len(body) // 4 - 1)) * 4
            body[at : at + 4] = struct.pack("<I", draw(words))
    return image.pack()


@st.composite
def spliced(draw: st.DrawFn) -> bytes:
    """Images cut, doubled or made of two, byte by byte."""
    first, second = (good(draw(st.sampled_from(STYLES))) for _ in range(2))
    cut = draw(st.integers(32, len(first)))
    data = bytearray(first[:cut] + second[draw(st.integers(32, len(second))) :])
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(32, max(32, min(len(data) - 1, 1500))))
        if at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
    return sealed(bytes(data))


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


@given(edited())
@settings(deadline=None)
def test_with_other_values(image: bytes) -> None:
    survives(image)


@given(spliced())
@settings(deadline=None)
def test_cut_and_put_together(image: bytes) -> None:
    survives(image)


@given(remapped())
@settings(deadline=None)
def test_with_another_map(image: bytes) -> None:
    survives(image)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    survives(data)
    survives(sealed(b"\x89hvsave\n" + struct.pack("<IIQQ", 1, 1, 0, 0) + data))


@pytest.mark.parametrize("record", ["vm", "vcpu", "uart", "plic"])
def test_the_lists_of_fields_are_the_format(record: str) -> None:
    tag = {"vm": "VM  "}.get(record, record.upper())
    last = list(fields(record).values())[-1]
    body = Image.parse(good("PV")).section(tag)
    assert last.at < len(body) <= last.at + 32 * last.size
