"""The thin layer over C: loading it, and its answers as Python values.

The only modules that touch ``ffi`` and ``lib`` are this one, ``host`` and
``guest``; a C status becomes an exception in :func:`check` and nowhere else.
"""

import os
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from hv.errors import (
    AddressError,
    AuditFailed,
    ClosedError,
    CoreMissing,
    HvError,
    HypervisorBug,
    ImageError,
    NoMemory,
    UsageError,
)

try:
    from hv._native import ffi, lib
except ImportError as error:
    raise CoreMissing(
        f"hv's C core cannot be loaded ({error}); "
        "in a checkout, `make` or `pip install -e .` builds it"
    ) from error

if os.environ.get("HV_CORE"):
    # Another core, of changed sources: how the labs run a student's.
    from hv.private import load

    ffi, lib = load(os.environ["HV_CORE"], lib)

if TYPE_CHECKING:
    from hv._native import CData
else:
    CData = ffi.CData

__all__ = [
    "WHY_SIZE",
    "CData",
    "check",
    "constant",
    "cost_defaults",
    "cost_names",
    "counter_docs",
    "counter_names",
    "ffi",
    "from_c",
    "lib",
    "text",
    "to_c",
    "version",
]

_E = TypeVar("_E", bound=StrEnum)

WHY_SIZE = 256

_RAISES: dict[int, type[HvError]] = {
    lib.HV_ERR_INVALID: UsageError,
    lib.HV_ERR_NO_MEMORY: NoMemory,
    lib.HV_ERR_NO_VM: ClosedError,
    lib.HV_ERR_ADDRESS: AddressError,
    lib.HV_ERR_STATE: UsageError,
    lib.HV_ERR_UNSUPPORTED: UsageError,
    lib.HV_ERR_AUDIT: AuditFailed,
    lib.HV_ERR_BROKEN: HypervisorBug,
    lib.HV_ERR_IMAGE: ImageError,
}


def text(pointer: CData) -> str:
    """Return a C string, which may be NULL, as text."""
    if pointer == ffi.NULL:
        return ""
    return ffi.string(pointer).decode(errors="replace")


def check(status: int, what: str, why: str = "") -> None:
    """Turn a C status into an exception.

    :param what: what was being done: "booting VM 1".
    :param why: what C said about it; its text for the status if empty.
    :raises HvError: the class that fits the status.
    """
    if status == lib.HV_OK:
        return
    why = why or text(lib.hv_status_text(status))
    kind = _RAISES.get(status, HypervisorBug)
    raise kind(f"{what}: {why}")


@cache
def to_c(prefix: str, member: StrEnum) -> int:
    """Return the number that hv.h gives to a member of an enumeration."""
    return int(getattr(lib, prefix + member.name))


def from_c(prefix: str, kind: type[_E], number: int) -> _E:
    """Return the member that hv.h numbers so.

    :raises HypervisorBug: if there is none: header and Python differ.
    """
    member = _members(prefix, kind).get(number)
    if member is None:
        raise HypervisorBug(f"C answered {prefix}{number}, which has no name")
    return kind(member)


@cache
def _members(prefix: str, kind: type[StrEnum]) -> dict[int, StrEnum]:
    return {to_c(prefix, member): member for member in kind}


def constant(name: str) -> int | None:
    """Return a constant of csrc/abi by name, or None if there is none."""
    value = getattr(lib, name, None)
    return value if isinstance(value, int) else None


def version() -> str:
    """Return the version of the C core."""
    return text(lib.hv_version())


@cache
def cost_names() -> list[str]:
    """Return the elementary steps that cost cycles, in C's order."""
    return [text(lib.hv_cost_name(i)) for i in range(lib.hv_cost_count())]


def cost_defaults() -> dict[str, int]:
    """Return the cost table: cycles by elementary step."""
    config = ffi.new("struct hv_config *")
    lib.hv_config_default(config)
    return {name: config.cost[i] for i, name in enumerate(cost_names())}


@cache
def counter_names(group: int) -> list[str]:
    """Return the names of a group of counters, in C's order."""
    count = lib.hv_counter_count(group)
    return [text(lib.hv_counter_name(group, i)) for i in range(count)]


def counter_docs(group: int) -> dict[str, str]:
    """Return what each counter of a group counts."""
    return {
        name: text(lib.hv_counter_doc(group, i))
        for i, name in enumerate(counter_names(group))
    }
