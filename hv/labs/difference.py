"""Where two values that describe something are not the same, in a line."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two hosts are not the same."""

    where: str
    good: str
    bad: str

    def __str__(self) -> str:
        return f"{self.where}: {self.bad}; on the good core: {self.good}"


def difference(good: object, bad: object, where: str = "") -> Difference | None:
    """Return the first place in which two values differ; None: in none."""
    if good == bad:
        return None
    if is_dataclass(good) and type(good) is type(bad):
        pairs = [
            (f.name, getattr(good, f.name), getattr(bad, f.name))
            for f in fields(good)
        ]
    elif isinstance(good, Mapping) and isinstance(bad, Mapping):
        keys = sorted({*good, *bad}, key=str)
        pairs = [(_name(key), good.get(key), bad.get(key)) for key in keys]
    elif (
        isinstance(good, tuple)
        and isinstance(bad, tuple)
        and len(good) == len(bad)
    ):
        pairs = [
            (str(i), *both)
            for i, both in enumerate(zip(good, bad, strict=True))
        ]
    else:
        return Difference(where, _name(good), _name(bad))
    found = (
        difference(one, other, f"{where}.{name}" if where else name)
        for name, one, other in pairs
    )
    return next((f for f in found if f), None)


def _name(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 999:
        return f"{value:#x}"
    text = str(value)
    return text if len(text) < 60 else f"{text[:57]}..."
