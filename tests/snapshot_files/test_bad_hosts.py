"""What is made of the image of a host, whatever it says."""

import os
import struct
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import pytest

import hv
from tests.equivalence.core import good_core
from tests.snapshot_files.drawn import Kind
from tests.snapshot_files.host_checks import EDF, RR, SLOTS, crowd
from tests.snapshot_files.images import Image
from tests.snapshot_files.world import Computer, Refused

POLICIES = (RR, EDF, SLOTS)
TAGS = [
    *("HOST", "COST", "SLOT", "HART", "PLAC", "TURN", "QUEU", "TIME", "TABL"),
    *("VM  ", "VCPU", "MAP "),
]


@cache
def good(policy: int) -> bytes:
    host = crowd(good_core(), policy=policy, harts=2, admission=0)
    if policy == SLOTS:
        slots = host.ffi.new("struct hv_slot[]", [(1, 3000), (3, 4000)])
        host.explained("hv_slots_set", slots, 2)
        host.run(10_000)
    return host.save_all()


def survives(image: bytes) -> None:
    host = Computer(good_core(), 64)
    before = host.facts()
    try:
        other = host.restored(image)
    except Refused:
        assert host.facts() == before
        return
    other.audit()
    other.run(3000)
    other.audit()
    again = other.save_all()
    other.restored(again).audit()
    assert host.facts() == before


HOSTS = Kind(
    name="host",
    number=2,
    goods=[partial(good, policy) for policy in POLICIES],
    tags=TAGS,
    survives=survives,
)


def small() -> bytes:
    with hv.Hypervisor(ram="1MiB") as host:
        host.create(mem="16KiB", shadow_frames=4).mem.write(1 << 31, b"x")
        return host.to_bytes()


def test_no_byte_can_be_changed_and_no_end_is_missed() -> None:
    data = small()
    host = Computer(good_core(), 8)
    host.restored(data)
    for at in range(len(data)):
        if at > 1500 and at % 37:
            continue  # the page's contents
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        for image in (bytes(changed), data[:at]):
            with pytest.raises(Refused):
                host.restored(image)


def test_another_version_and_a_file_too_large_are_told(tmp_path: Path) -> None:
    data = small()
    with pytest.raises(hv.ImageError, match="version 2 of the format, not 1"):
        hv.Hypervisor.restore(data[:8] + b"\2" + data[9:])
    place = tmp_path / "large.hv"
    with place.open("wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(hv.ImageError, match="too large"):
        hv.Hypervisor.restore(place)


def test_the_note_is_not_believed() -> None:
    data = small()
    for note in (
        b"", b"{", b"[]", b'{"names": {"1": 5}}', b'{"names": {}}',
        b'{"names": {"1": "a", "2": "b"}}', b'{"names": {"x": "a"}}', b"\xff",
    ):  # fmt: skip
        image = Image.parse(data)
        image.section("NOTE")[:] = note
        with pytest.raises(hv.ImageError):
            hv.Hypervisor.restore(image.pack())


LIMITED = """
import resource, sys
import hv
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
try:
    hv.Hypervisor.restore(sys.argv[1])
except (hv.ImageError, hv.NoMemory) as error:
    print(error)
"""


@pytest.mark.unsanitized
def test_a_small_file_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    """Seventy VMs of a gigabyte each: refused, before they are made."""
    with hv.Hypervisor(ram="1MiB", admission="overcommit") as host:
        host.create(mem="16KiB", shadow_frames=4, min_mem="4KiB")
        image = Image.parse(host.to_bytes())
    at = next(i for i, (tag, _) in enumerate(image.sections) if tag == "PLAC")
    end = next(i for i, (tag, _) in enumerate(image.sections) if tag == "QUEU")
    vm, count = image.sections[at:end], 70
    image.sections[at:end] = [
        (tag, bytearray(body)) for _ in range(count) for tag, body in vm
    ]
    image.set("HOST", "vms", count)
    image.set("HOST", "ram_size", 1 << 30)
    image.section("SLOT")[:] = struct.pack(f"<{count + 1}I", 0, *[1] * count)
    for nth in range(count):
        image.set("PLAC", "id", nth + 1, nth)
        image.set("VM  ", "mem_size", 1 << 30, nth)
        image.set("VM  ", "balloon_target", 1 << 18, nth)
        image.set_runs([(1 << 18, 0, 0)], nth)
    image.section("DATA")[:] = b""
    place = tmp_path / "host.hv"
    place.write_bytes(image.pack())
    assert place.stat().st_size < 2 << 20
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(place)],
        check=True, capture_output=True, text=True, env=dict(os.environ),
    )  # fmt: skip
    assert "mem_size" in done.stdout
