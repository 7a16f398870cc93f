"""A loaded core, and how the tests get one, as it is or with a bug in it.

Cores are compiled by hv/zoo/builder.py, side by side, and kept by content in
``build/chaff``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeAlias

import cffi

from hv import zoo
from hv.zoo.builder import (
    CFLAGS,
    Edit,
    build,
    cache_folder,
    changed,
    compilers,
    declarations,
    headers_instead,
    source_folder,
    sources,
)

__all__ = [
    "CACHE",
    "CFLAGS",
    "CSRC",
    "ROOT",
    "CData",
    "Checked",
    "Core",
    "Planted",
    "build",
    "compilers",
    "declarations",
    "good_core",
    "headers_instead",
    "planted",
    "records",
    "sources",
]

ROOT = Path(__file__).resolve().parents[2]
CSRC = source_folder()  # of an installed hv, if that is what is tested
CACHE = cache_folder()

ONLY_INSNS: Mapping[str, int] = {"insn": 1}

# A C value, whose type only cffi knows.
CData: TypeAlias = Any


def planted(name: str, file: str, text: str, instead: str) -> dict[str, str]:
    """Return the sources with one piece of text, which is once there, changed.

    :param name: of the bug, for who has to mend its record.
    """
    return changed(name, [Edit(file, text, instead)])


def records(path: Path) -> list[dict[str, Any]]:
    """Return the bugs of a file of records.

    One that says ``zoo`` has its text, precedent and property there.
    """
    found = tomllib.loads(path.read_text())["bug"]
    return [_from_zoo(bug) if "zoo" in bug else bug for bug in found]


def _from_zoo(bug: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in bug.items() if key != "zoo"}
    record = zoo.record(bug["zoo"])
    (edit,) = record.edits
    return {
        "file": edit.file,
        "text": edit.text,
        "instead": edit.instead,
        "precedent": f"{record.id}: {record.precedent}",
        "property": record.property,
        **rest,
    }


class Core:
    """A loaded core: ``ffi``, ``lib``, and a few words for the tests."""

    def __init__(self, library: Path) -> None:
        self.ffi: CData = cffi.FFI()
        self.ffi.cdef(declarations())
        self.lib: CData = self.ffi.dlopen(str(library))

    def config(
        self, costs: Mapping[str, int] = ONLY_INSNS, /, **options: int
    ) -> CData:
        """Return a configuration in which only some steps take time.

        If these are instructions, that makes time the same in both worlds: see
        lockstep.c.
        """
        config = self.ffi.new("struct hv_config *")
        self.lib.hv_config_default(config)
        for i in range(self.lib.hv_cost_count()):
            name = self.ffi.string(self.lib.hv_cost_name(i)).decode()
            config.cost[i] = costs.get(name, 0)
        config.ram_size = 1 << 20
        config.slice = 0xFFFFFFFF
        config.time_div = 1
        for name, value in options.items():
            setattr(config, name, value)
        return config

    def counter_names(self) -> list[str]:
        """Return the names of the counters that a VM has."""
        group = self.lib.HV_COUNTERS_VM
        return [
            self.ffi.string(self.lib.hv_counter_name(group, i)).decode()
            for i in range(self.lib.hv_counter_count(group))
        ]


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A record of a planted.toml. Whose tests it is for adds fields.

    :ivar file: below csrc.
    :ivar text: of the file, that is once there; ``instead`` replaces it.
    """

    name: str
    file: str
    text: str
    instead: str

    @classmethod
    def read(cls, path: Path) -> list[Self]:
        """Return all records of a file."""
        return [cls(**record) for record in records(path)]

    def files(self) -> dict[str, str]:
        """Return the sources with the bug in them."""
        return planted(self.name, self.file, self.text, self.instead)

    def core(self) -> Core:
        """Build and load the core that has this bug."""
        return Core(build(self.files()))


@dataclass(frozen=True, kw_only=True)
class Checked(Planted):
    """A record whose bug some check, by name, must find.

    :ivar by: the check that finds it.
    :ivar shows: what that says then.
    """

    precedent: str
    property: str
    by: str
    shows: str


@cache
def good_core(compiler: str = "cc") -> Core:
    """Return the core as it is, built at most once."""
    return Core(build(compiler=compiler))
