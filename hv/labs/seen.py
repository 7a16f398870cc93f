"""What a check may look at: a host before and after a step, as plain values.

A check is a function of a :class:`Step`. It returns a sentence if something is
wrong, and ``None`` if nothing is::

    def check_reserved(step: Step) -> str | None:
        host = step.now
        if host.reserved > host.free:
            return f"{host.reserved} frames are promised, {host.free} are free"
        return None

Frames are named by their numbers: the machine's (hfn, or just *frame*), and
those of a guest (gfn); 4096 times a frame's number is its address. Nothing
here can be changed, and to look costs no time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

FREE = 0  #: owner of a frame: nobody
HYP = 0xFFFFFFFF  #: ... the hypervisor
SHARED = 0xFFFFFFFE  #: ... several entries of p2m at once; nobody writes to it

# Bits of an entry; the number of a frame is ``pte >> 10``.
V, R, W, X, U = 1, 2, 4, 8, 16


@dataclass(frozen=True, slots=True)
class Frame:
    """What the hypervisor notes of a frame of the machine."""

    number: int
    owner: int  #: FREE, HYP, SHARED, or the id of a VM
    type: str  #: "plain"; tables: "shadow", "stage2", "leaf", "root"
    refs: int  #: counted references
    uses: int  #: ... as its type; plain: mappings that can write to it
    gfn: int | None  #: where its VM sees it, if it is one VM's
    traced: int  #: shadow tables that follow every store to it


@dataclass(frozen=True, slots=True)
class Table:
    """A shadow table: the machine walks it when a guest of this VM runs."""

    vm: int
    frame: int  #: where it lies
    root: bool  #: of level 1: its entries name tables, not pages
    asid: int | None  #: a root's name in the TLB; None: the TLB has none of it
    holds: int  #: vCPUs that run on it
    links: int  #: entries of roots that name it
    entries: Mapping[int, int]  #: the valid ones, by index


@dataclass(frozen=True, slots=True)
class Cpu:
    """A vCPU, as its guest sees it."""

    x: tuple[int, ...]  #: x0 to x31
    pc: int
    mode: str  #: "U" or "S"
    csr: Mapping[str, int]  #: but those that time changes


@dataclass(frozen=True, slots=True)
class Vm:
    """A VM."""

    id: int
    style: str
    alive: bool  #: it has not ended, and was not killed
    frames: int  #: populated, as the hypervisor counts them
    frames_own: int  #: ... those that are its alone
    p2m: Mapping[int, int]  #: gfn to frame, of pages that are populated
    cpus: tuple[Cpu, ...]


@dataclass(frozen=True, slots=True)
class TlbEntry:
    """A translation that a hart's TLB remembers."""

    hart: int
    access: str  #: "fetch", "load" or "store"
    va: int  #: of the page
    frame: int
    asid: int
    second: bool  #: through two stages (style nested): ``asid`` is a guest's


@dataclass(frozen=True, slots=True)
class Host:
    """A host between two steps."""

    frames: Mapping[int, Frame]
    free: int  #: frames, as the hypervisor counts them: owned by nobody ...
    reserved: int  #: ... of those, promised to VMs
    hyp: int  #: ... its own
    shared: int  #: ... shared
    vms: Mapping[int, Vm]  #: by id
    tables: tuple[Table, ...]
    tlb: tuple[TlbEntry, ...]
    cycles: int  #: that all harts have worked, waiting not counted


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a hypervisor program, and the host around it."""

    does: str  #: its name, as in ops.def
    actor: int  #: the VM whose guest does it; 0: the host, or nobody can
    vcpu: int  #: ... which of its vCPUs ...
    kernel: bool  #: ... and whether as its kernel, or as a user
    before: Host
    now: Host
