"""hv: a microhypervisor to read, to run and to break.

>>> import hv
>>> with hv.Hypervisor() as hypervisor:
...     vm = hypervisor.create(name="first", mem="16MiB", style="emulate")
...     vm.info.mem_size, vm.state.value
(16777216, 'created')

The C core is loaded when the first name that needs it is used, so that
``hv doctor`` can say what is missing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hv.comparison import Comparison, Report, Run
    from hv.console import Console
    from hv.counters import Counters
    from hv.cpu import Cpu
    from hv.errors import (
        AddressError,
        AuditFailed,
        BudgetExceeded,
        ClosedError,
        ConsoleEnded,
        CoreMissing,
        GuestError,
        GuestFailed,
        GuestKilled,
        HvError,
        HypervisorBug,
        ImageError,
        NoMemory,
        UsageError,
    )
    from hv.events import Event, EventKind, Events, Watch
    from hv.facts import (
        Access,
        Admission,
        Balloon,
        BalloonState,
        Engine,
        Fault,
        Frame,
        GuestInfo,
        GuestPhys,
        GuestVirt,
        HostInfo,
        Policy,
        Priv,
        Profile,
        RunReason,
        RunResult,
        Runstate,
        State,
        Style,
        Sync,
        TlbEntry,
    )
    from hv.guest import Guest
    from hv.hosts import HostSnapshot, SavedVm, read_host
    from hv.hypervisor import Hypervisor
    from hv.interleave import Interleaving, Round
    from hv.loader import Layout
    from hv.machine import Machine
    from hv.marks import Mark
    from hv.memory import Memory
    from hv.replays import replay
    from hv.reverse import Past
    from hv.sched import HartInfo, Schedule, VcpuInfo
    from hv.snapshots import Snapshot, read_snapshot
    from hv.views.frames import FrameMap, frame_map
    from hv.views.tables import PageTable, page_table
    from hv.views.walk import Verdict, Walk, walk
    from hv.vm import VM
    from hv.workloads import compare

__all__ = [
    "VM",
    "Access",
    "AddressError",
    "Admission",
    "AuditFailed",
    "Balloon",
    "BalloonState",
    "BudgetExceeded",
    "ClosedError",
    "Comparison",
    "Console",
    "ConsoleEnded",
    "CoreMissing",
    "Counters",
    "Cpu",
    "Engine",
    "Event",
    "EventKind",
    "Events",
    "Fault",
    "Frame",
    "FrameMap",
    "Guest",
    "GuestError",
    "GuestFailed",
    "GuestInfo",
    "GuestKilled",
    "GuestPhys",
    "GuestVirt",
    "HartInfo",
    "HostInfo",
    "HostSnapshot",
    "HvError",
    "Hypervisor",
    "HypervisorBug",
    "ImageError",
    "Interleaving",
    "Layout",
    "Machine",
    "Mark",
    "Memory",
    "NoMemory",
    "PageTable",
    "Past",
    "Policy",
    "Priv",
    "Profile",
    "Report",
    "Round",
    "Run",
    "RunReason",
    "RunResult",
    "Runstate",
    "SavedVm",
    "Schedule",
    "Snapshot",
    "State",
    "Style",
    "Sync",
    "TlbEntry",
    "UsageError",
    "VcpuInfo",
    "Verdict",
    "Walk",
    "Watch",
    "compare",
    "frame_map",
    "page_table",
    "read_host",
    "read_snapshot",
    "replay",
    "walk",
]

# In the order in which they are asked: those that need no core first.
_MODULES = (
    "errors", "facts", "counters", "console", "memory", "cpu", "loader",
    "interleave", "sched", "events", "snapshots", "hosts", "guest", "marks",
    "vm", "machine", "hypervisor", "comparison",
    "replays", "reverse", "workloads",
    "views.walk", "views.tables", "views.frames",
)  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name in __all__:
        for module in _MODULES:
            found = vars(import_module(f"hv.{module}")).get(name)
            if getattr(found, "__module__", "") == f"hv.{module}":
                globals()[name] = found
                return found
    raise AttributeError(f"module 'hv' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
