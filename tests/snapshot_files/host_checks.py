"""What must hold of saved hosts, on any core.

Two hosts have the same future if their images are the same now and later: all
that the future depends on is in an image, and each has what only it knows (the
frames behind pages) left out. As in checks.py, test_planted_hosts.py applies
these checks to cores with bugs in them, too.
"""

import struct
from collections.abc import Callable
from functools import partial

from tests.equivalence.core import Core
from tests.memory.puppet import CODE, DATA, PAGE, Puppet
from tests.snapshot_files.checks import STYLES, refusal
from tests.snapshot_files.images import Image
from tests.snapshot_files.world import Computer, busy

SHARED = 1 << 8
CONTENT = 2
RR, CREDIT, FAIR, EDF, SLOTS, SAMPLED = range(6)


def crowd(core: Core, frames: int = 512, **options: int) -> Computer:
    """Make a host with a VM of each style, that all have run a little."""
    host = Computer(core, frames, **options)
    for style in STYLES:
        host.ok(host.lib.hv_vm_pause(host.raw, busy(host, style).id))
    for slot in range(1, len(STYLES) + 1):
        host.ok(host.lib.hv_vm_resume(host.raw, slot))
    host.run(3000)
    return host


def alike(one: Computer, two: Computer, when: str) -> None:
    """Expect two hosts in the same state."""
    first, second = one.save_all(), two.save_all()
    if first == second:
        return
    for (tag, a), (_, b) in zip(
        Image.parse(first).sections, Image.parse(second).sections, strict=True
    ):
        assert a == b, f"section {tag}, {when}"


def goes_on(host: Computer, pieces: int = 5, step: int = 1000) -> None:
    """Expect that what is restored is what was saved, now and later."""
    image = host.save_all()
    host.audit()
    assert host.save_all() == image, "saved twice"
    alike(host, host.restored(image), "at once")
    other = host.restored(image, engine=0)  # and not saved before it runs
    other.audit()
    for piece in range(pieces):
        host.run(step + 7 * piece)
        other.run(step + 7 * piece)
        alike(host, other, "later")
    other.audit()
    host.audit()


def of_each_policy(core: Core) -> None:
    """A host goes on to the cycle, whoever chooses."""
    for policy in (RR, CREDIT, FAIR, EDF, SAMPLED):
        for harts in (1, 2):
            goes_on(crowd(core, policy=policy, harts=harts))


def shares(core: Core) -> None:
    """Who shares a frame with whom is as it was, and so is what is free."""
    host = Computer(core, 512, admission=1)
    vms = [busy(host, "PV", min_size=4 * PAGE) for _ in range(3)]
    for vm in vms:
        vm.change("store", DATA + 8, 0, 0x77)
    assert host.scan() > 0
    other = host.restored(host.save_all())
    for name in ("frames_shared", "frames_free", "frames_reserved"):
        assert getattr(host.info, name) == getattr(other.info, name), name
    other.audit()
    goes_on(host)


def numbers(core: Core) -> None:
    """VMs keep their numbers, and who comes next gets the same."""
    host = Computer(core, 512)
    vms = [busy(host) for _ in range(4)]
    vms[0].destroy()
    vms[2].destroy()
    first = busy(host)
    first.destroy()
    other = host.restored(host.save_all())
    ids = [Puppet(it, 16).id for it in (host, host, other, other)]
    assert ids[:2] == ids[2:], "the next numbers"
    host.audit()
    other.audit()


def promises(core: Core) -> None:
    """Budgets, caps, weights and gangs are kept on."""
    cases = [
        (EDF, {"budget": 200, "period": 6000}),
        (CREDIT, {"weight": 77, "cap": 40}),
        (FAIR, {"weight": 999, "gang": 1}),
    ]
    for policy, wanted in cases:
        host = crowd(core, policy=policy, harts=2)
        sched = host.ffi.new("struct hv_sched *", {"weight": 256} | wanted)
        for number in (1, 3):
            host.explained("hv_sched_set", number, sched)
        host.run(5000)
        goes_on(host, 3, 40_000)


def table(core: Core) -> None:
    """A table of slots goes on where it was; so does one that is to come."""
    host = crowd(core, policy=SLOTS)
    for length in (4000, 2500):
        rows = [(1, length), (0, 2000), (3, length), (4, 3000)]
        slots = host.ffi.new("struct hv_slot[]", rows)
        host.explained("hv_slots_set", slots, len(rows))
        host.run(20_000)
        goes_on(host, 2)


# section, field, value, and which section of that name
HOSTILE = [
    *(("HOST", name, value, 0) for name, value in (
        ("profile", 2), ("harts", 0), ("harts", 9), ("ram_size", 0),
        ("ram_size", 4097), ("ram_size", PAGE), ("asid_bits", 3),
        ("ad_fault", 1), ("time_div", 0), ("slice", 0), ("policy", 6),
        ("period", 0), ("quantum", 0), ("admission", 2),
        ("vms", 2), ("vms", 4), ("vms", 1024), ("ended", 9), ("gang", 9),
        ("scarce", 2), ("turn", 9), ("turn", 0),
    )),
    *(("HART", name, value, 0) for name, value in (
        ("cycle", 1), ("spent", 1), ("next_vm", 77), ("next_vcpu", 8),
    )),
    *(("PLAC", name, value, nth) for name, value, nth in (
        ("id", 0, 0), ("id", 2, 0), ("id", 1025, 0), ("id", 1, 1),
        ("let_go", 1, 0), ("let_go", 2, 0), ("cap_left", 1 << 62, 0),
    )),
    *(("TURN", name, value, 0) for name, value in (
        ("home", 0), ("home", 9), ("home", 2), ("parked", 1), ("parked", 2),
        ("yielded", 2), ("credit", 1 << 63), ("boost", 1 << 62),
        ("boosted", 2), ("active", 2), ("deadline", 1 << 63),
        ("left", 1 << 63),
    )),
    *(("VM  ", name, value, 1) for name, value in (
        ("style", 4), ("weight", 0), ("leaky", 1), ("ad_fault", 1),
        ("shadow_frames", 65536), ("mem_size", 1 << 30),
    )),
    *(("VCPU", name, value, 0) for name, value in (
        ("affinity", 2), ("shared", 0x7000_0000), ("state", 2), ("pc", 1),
    )),
]  # fmt: skip


def hostile_fields(core: Core) -> None:
    """Every field that no host can have is refused."""
    host = Computer(core, 512)
    for style in ("PV", "EMULATE", "PV"):
        vm = busy(host, style)
    good = host.save_all()
    host.restored(good)
    for tag, name, value, nth in HOSTILE:
        image = Image.parse(good)
        image.set(tag, name, value, nth)
        _refused(host, image.pack(), f"{name} {value:#x}")
    for tag, body in LISTS:
        image = Image.parse(good)
        image.section(tag)[:] = body
        _refused(host, image.pack(), f"{tag}: {body.hex()}")
    assert vm.change("store", DATA, 0, 1)


def _pairs(*entries: tuple[int, ...]) -> bytes:
    return b"".join(struct.pack(f"<{len(e)}I", *e) for e in entries)


LISTS = [
    ("QUEU", _pairs((1, 0), (2, 0))),  # one is missing
    ("QUEU", _pairs((1, 0), (2, 0), (3, 0), (3, 0))),
    ("QUEU", _pairs((1, 0), (2, 0), (4, 0))),
    ("QUEU", _pairs((1, 0), (2, 0), (3, 1))),
    ("QUEU", b"\0" * 7),
    ("TIME", _pairs((9, 0, 5, 0))),
    ("TIME", _pairs((1, 0, 5, 0), (1, 0, 6, 0))),
    ("TIME", _pairs((1, 0, 5, 0), (2, 0, 4, 0))),
    ("TIME", _pairs((1, 0, 0xFFFF_FFFF, 0xFFFF_FFFF))),
    ("TABL", b"\0" * 8 + _pairs((1, 5000))),  # the policy has no slots
    ("TABL", b"\0" * 7),
    ("TABL", b"\0" * 8 * 66),
    ("ASKD", b"\0" * 12),
    ("ASKD", b"\0"),
    ("COST", b""),
    ("SLOT", b"\0" * 16),
    ("SLOT", b"\0" * 4097 * 4),
    ("DATA", b""),
]


def _refused(host: Computer, image: bytes, what: str) -> None:
    found = refusal(what, partial(host.restored, image))
    assert found.status == host.lib.HV_ERR_IMAGE, f"{what}: {found}"
    assert str(found), what


def held_and_shared(core: Core) -> None:
    """No page that the hypervisor writes to is shared with anybody."""
    host = Computer(core, 512)
    busy(host)
    busy(host)
    image = Image.parse(host.save_all())
    page = len(image.section("DATA")) // PAGE
    image.section("DATA").extend(b"\1" * PAGE)
    shared = (image.get("VCPU", "shared") >> 12) - CODE
    runs = [(1, CONTENT | SHARED, page), (15, 1, 0)]
    if shared:
        runs = [(shared, 1, 0), runs[0], (15 - shared, 1, 0)]
    image.set_runs(runs)
    _refused(host, image.pack(), "a shared-info page that is shared")


CHECKS: dict[str, Callable[[Core], None]] = {
    check.__name__: check
    for check in (
        of_each_policy,
        shares,
        numbers,
        promises,
        table,
        hostile_fields,
        held_and_shared,
    )
}
