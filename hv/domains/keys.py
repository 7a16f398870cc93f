"""The keys of a domain file: what may be written for each, what it means."""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields

from hv.domains.checks import (
    Check,
    choice,
    expect,
    flag,
    harts,
    integer,
    name,
    seconds,
    size,
    text,
    ticks,
)
from hv.domains.plan import HostPlan, SlotPlan, VmPlan
from hv.facts import Admission, Engine, Policy, Profile, Style, Sync

Row = type[HostPlan] | type[VmPlan] | type[SlotPlan]


@dataclass(frozen=True, slots=True)
class Key:
    """What can be written for a key.

    :param check: tells right values from wrong ones.
    :param example: a right one, as it is written.
    :param doc: what it means.
    """

    check: Check
    example: str
    doc: str


U32, I64 = (1 << 32) - 1, (1 << 63) - 1

HOST = {
    "harts": Key(integer(1, 8), "2", "how many"),
    "ram": Key(size, '"256MiB"', "machine memory; default: enough"),
    "policy": Key(choice(Policy), '"fair"', "how it chooses who runs"),
    "slice": Key(ticks, '"1ms"', "a time slice"),
    "period": Key(ticks, '"30ms"', "that caps and credits are for"),
    "quantum": Key(integer(1, U32), "1000", "cycles of a turn of a hart"),
    "interleave": Key(integer(0, I64), "7", "seed of the turns; 0: in order"),
    "engine": Key(choice(Engine), '"fast"', "which interpreter"),
    "profile": Key(choice(Profile), '"clean"', "how virtualizable it is"),
    "admission": Key(choice(Admission), '"strict"', "what VMs are promised"),
    "run_for": Key(seconds, '"500ms"', "end after so much machine time"),
    "max_insns": Key(integer(0, I64), "1_000_000", "end after so many; 0: no"),
}

VM = {
    "name": Key(name, '"web"', "what to call it"),
    "image": Key(text, '"kernel-pv"', "a shipped one, or a path from here"),
    "style": Key(choice(Style), '"pv"', "default: what the image is for"),
    "memory": Key(size, '"16MiB"', "of the guest"),
    "min_memory": Key(size, '"4MiB"', "promised of it under over-commit"),
    "vcpus": Key(integer(1, 8), "2", "how many"),
    "weight": Key(integer(1, 65535), "256", "its share against the others'"),
    "cap": Key(integer(0, 800), "50", "percent of a hart at most; 0: no cap"),
    "budget": Key(ticks, '"2ms"', "edf: what each vCPU gets"),
    "period": Key(ticks, '"10ms"', "edf: in each so long"),
    "gang": Key(flag, "true", "its vCPUs run at the same time"),
    "affinity": Key(harts, "[0, 1]", "harts for all vCPUs, or a list for each"),
    "append": Key(text, '"scale=2"', "its kernel's command line"),
    "initrd": Key(text, '"disk.img"', "a RAM disk: a path from here"),
    "sync": Key(choice(Sync), '"lazy"', "how its shadow tables follow"),
    "shadow_frames": Key(
        integer(0, 65536), "64", "its shadow pool; 0: default"
    ),
    "max_insns": Key(integer(0, I64), "1_000_000", "its budget; 0: none"),
    "expect": Key(expect, '"off:0"', "how it is to end"),
}

SLOT = {
    "vm": Key(name, '"web"', "whose turn it is; left out: nobody's"),
    "ticks": Key(ticks, '"2ms"', "for how long"),
}

TABLES: dict[str, tuple[Row, dict[str, Key]]] = {
    "host": (HostPlan, HOST),
    "vm": (VmPlan, VM),
    "slot": (SlotPlan, SLOT),
}


def required(kind: Row) -> frozenset[str]:
    """Return the keys of a table that must be there."""
    return frozenset(f.name for f in fields(kind) if f.default is MISSING)


def describe() -> Iterator[str]:
    """Return what can be written, as a domain file that explains itself."""
    for table, (kind, keys) in TABLES.items():
        yield f"[{table}]" if table == "host" else f"[[{table}]]"
        for word, key in keys.items():
            must = " (required)" * (word in required(kind))
            yield f"{f'{word} = {key.example}':24}  # {key.doc}{must}"
        yield ""
