"""The fast engine with techniques taken away, built and run for the book.

A variant is the core of hv compiled from edited sources
(data/engine-variants.toml) by the machinery that the tests plant bugs with, and
loaded beside hv's own. It must come to the same results: only the way differs.
"""

import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from hv.bench.machines import result_of
from hv.bench.programs import MEMORY, image_of, program
from tests.equivalence.core import (
    CSRC,
    Core,
    build,
    headers_instead,
    sources,
)

RECORDS = Path(__file__).with_name("data") / "engine-variants.toml"
FLAGS = ("-std=c11", "-O2", "-fPIC", "-DFW_NATIVE=1", "-w")

# A C value, whose type only cffi knows.
CData: TypeAlias = Any

# Programs, how often they do their work, and how often they are timed.
WORKS = {"mix": 1, "copy": 10, "calls": 100_000, "trap": 100_000}
TURNS = 5


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One record of engine-variants.toml."""

    name: str
    title: str
    ladder: int = 0
    flags: list[str] = field(default_factory=list)
    edits: list[dict[str, str]] = field(default_factory=list)

    def files(self) -> dict[str, str]:
        """Return the files that it changes, below csrc, and their new text.

        :raises ValueError: if a piece of text does not occur exactly once.
        """
        changed: dict[str, str] = {}
        for edit in self.edits:
            name, old = edit["file"], edit["text"]
            text = changed.get(name) or (CSRC / name).read_text("utf-8")
            if text.count(old) != 1:
                raise ValueError(
                    f"engine-variants.toml: {self.name}: {old.strip()!r} must "
                    f"occur once in {name}; has the source moved on?"
                )
            changed[name] = text.replace(old, edit["instead"])
        return changed

    def core(self) -> Core:
        """Build and load it."""
        changed = self.files()
        code = {n: t for n, t in changed.items() if n.endswith(".c")}
        rest = {n: t for n, t in changed.items() if n not in code}
        files = sources() | code
        flags = tuple(self.flags)
        if rest:
            flags += (headers_instead(rest),)
        # The rest of the core includes nothing that a variant changes.
        extra = {name: flags for name in files if "fast" in name}
        return Core(build(files, flags=FLAGS, extra=extra))


def variants() -> list[Variant]:
    """Return all records."""
    records = tomllib.loads(RECORDS.read_text("utf-8"))["variant"]
    return [Variant(**record) for record in records]


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a program."""

    result: str
    seconds: float
    insns: int


def run(core: Core, engine: str, work: str, rounds: int) -> Ran:
    """Run a benchmark program on the bare machine of a core."""
    ffi, lib = core.ffi, core.lib
    config = ffi.new("struct hv_config *")
    lib.hv_config_default(config)
    config.m_mode = lib.HV_M_FIRMWARE
    config.engine = getattr(lib, f"HV_ENGINE_{engine.upper()}")
    config.ram_size = MEMORY
    out = ffi.new("hv_host **")
    if lib.hv_host_new(config, out, ffi.NULL, 0):
        raise MemoryError("no memory for a machine")
    host = ffi.gc(out[0], lib.hv_host_free)
    loads, at = program(image_of(work, "bare"))
    for segment in loads.segments:
        data = segment.data
        lib.hv_mem_write(host, 0, segment.base, data, len(data))
    lib.hv_mem_write(host, 0, at, rounds.to_bytes(4, "little"), 4)
    lib.hv_vm_boot(host, 0, loads.entry, 0, 0)
    again = ffi.new("struct hv_run *")
    began = time.thread_time()
    lib.hv_run(host, again)
    seconds = time.thread_time() - began
    said = ffi.new("uint8_t[]", 64)
    count = lib.hv_console_take(host, 0, said, 64)
    text = bytes(ffi.buffer(said, count)).decode()
    return Ran(result_of(work, text), seconds, again.insns)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a variant came to, by program: medians of the turns.

    :param mips: millions of instructions per second.
    :param ratio: the time by that of the engine as it is.
    """

    variant: Variant
    mips: Mapping[str, float]
    ratio: Mapping[str, float]


REFERENCE = Variant(name="ref", title="the reference engine")
WHOLE = Variant(name="fast", title="... fused sequences: the engine as it is")


def measure() -> list[Measured]:
    """Build all variants that are timed, and time them in turns.

    :returns: the reference engine, the variants, and the whole engine.
    :raises ValueError: if one comes to a wrong result.
    """
    timed = [v for v in variants() if v.name != "counting"]
    whole = WHOLE.core()
    tracks = [(REFERENCE, whole, "ref"), (WHOLE, whole, "fast")]
    tracks += [(variant, variant.core(), "fast") for variant in timed]
    runs: dict[tuple[str, str], list[Ran]] = {}
    for _ in range(TURNS):
        for work, rounds in WORKS.items():
            for variant, core, engine in tracks:
                ran = run(core, engine, work, rounds)
                runs.setdefault((variant.name, work), []).append(ran)
                if ran.result != runs["ref", work][0].result:
                    raise ValueError(f"{variant.name}: {work} went wrong")
    return [_measured(variant, runs) for variant, _, _ in tracks]


def _measured(
    variant: Variant, runs: Mapping[tuple[str, str], list[Ran]]
) -> Measured:
    mips, ratio = {}, {}
    for work in WORKS:
        mine, whole = runs[variant.name, work], runs["fast", work]
        seconds = [ran.seconds for ran in mine]
        mips[work] = mine[0].insns / median(seconds) / 1e6
        pairs = zip(seconds, whole, strict=True)
        ratio[work] = median(spent / of.seconds for spent, of in pairs)
    return Measured(variant, mips, ratio)


@dataclass(frozen=True, slots=True)
class Counted:
    """What the whole engine does for a program: exact, the same anywhere."""

    work: str
    insns: int
    dispatched: int
    decoded: int


def count() -> list[Counted]:
    """Run the variant that counts."""
    (variant,) = (v for v in variants() if v.name == "counting")
    core = variant.core()
    core.ffi.cdef("extern uint64_t hv_dispatched, hv_decoded;")
    rows = []
    for work, rounds in WORKS.items():
        core.lib.hv_dispatched = core.lib.hv_decoded = 0
        insns = run(core, "fast", work, rounds).insns
        rows.append(
            Counted(work, insns, core.lib.hv_dispatched, core.lib.hv_decoded)
        )
    return rows
