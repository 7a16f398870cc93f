"""Exact counts: what a guest did and what that cost."""

from collections.abc import Iterator, Mapping
from typing import Literal


def meanings(of: Literal["vm", "hart"]) -> dict[str, str]:
    """Return what each counter of a VM or a hart counts, in the core's words.

    >>> meanings("vm")["exits"]
    'exits, all'
    """
    from hv import core  # noqa: PLC0415 -- the rest of this needs no core

    group = {"vm": "HV_COUNTERS_VM", "hart": "HV_COUNTERS_HART"}[of]
    return core.counter_docs(getattr(core.lib, group))


class Counters(Mapping[str, int]):
    """A snapshot of counters by name, which can be subtracted and added.

    >>> before = Counters({"exits": 10, "emulated": 4})
    >>> after = Counters({"exits": 15, "emulated": 4})
    >>> after - before
    Counters(exits=5)
    >>> after.exits, (after + before)["exits"]
    (15, 25)
    """

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> int:
        """Return a count."""
        return self._values[name]

    def __getattr__(self, name: str) -> int:
        """Return a count by its name as an attribute."""
        if name.startswith("_") or name not in self._values:
            raise AttributeError(f"no counter {name!r}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order of the core's list."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many counters there are."""
        return len(self._values)

    def __sub__(self, before: Mapping[str, int]) -> "Counters":
        """Return what was counted since an earlier snapshot."""
        return Counters({k: v - before[k] for k, v in self.items()})

    def __add__(self, other: Mapping[str, int]) -> "Counters":
        """Return the sums, of two harts for example."""
        return Counters({k: v + other[k] for k, v in self.items()})

    def __repr__(self) -> str:
        """Show what is not 0."""
        shown = ", ".join(f"{k}={v}" for k, v in self.items() if v)
        return f"Counters({shown})"

    @property
    def misses(self) -> int:
        """TLB misses of all kinds of access, of a hart's counters."""
        return sum(
            self._values[f"{kind}_misses"]
            for kind in ("fetch", "load", "store")
        )

    @property
    def refs_per_miss(self) -> float:
        """Page-table entries that a hart read for a TLB miss; 0 for none.

        >>> Counters({"fetch_misses": 1, "load_misses": 2, "store_misses": 1,
        ...           "walk_refs": 7}).refs_per_miss
        1.75
        """
        return self._values["walk_refs"] / self.misses if self.misses else 0.0

    @property
    def exits_by_reason(self) -> dict[str, int]:
        """The exits of a VM by reason, most frequent first, none that is 0."""
        rows = {
            name.removeprefix("exit_"): count
            for name, count in self._values.items()
            if name.startswith("exit_") and count
        }
        return dict(sorted(rows.items(), key=lambda row: -row[1]))
