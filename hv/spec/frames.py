"""The frames of the machine: whose they are, and what must add up.

Each frame has one owner: nobody, the hypervisor, one VM, or, if equal pages are
kept once, several. Nothing here says how frames are handed out; it says what
must hold whenever the hypervisor is at rest. The sentences are properties of
the book's chapter on isolation, by their numbers there:

- P1, authority: a VM's p2m names frames of that VM, or shared ones;
- P2, free is clean: nothing names a free frame;
- P3, counted references: a frame's count is what can be found that names it;
- P5, quota: a VM has no more frames than pages, and what it was promised is
  there for it;
- P6, conservation: every frame is somebody's, once.

seL4 proves of such a table what is tested here (untyped memory, and who derived
what from it); Xen has it as ``struct page_info``.

>>> frame = Frame(owner=1, references=2, gfn=0x80000)
>>> vm = Domain(id=1, p2m={0x80000: 7}, pages=4, promised=4)
>>> machine = Machine({7: frame, 8: Frame()}, [vm], reserved=3)
>>> for what in violations(machine):
...     print(what)
P3: frame 0x7 has 2 references, not 1
P5: 3 frames are promised, 1 is free
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hv.spec.direct import Tables

FREE, SHARED, HYPERVISOR = 0, 0xFFFF_FFFE, 0xFFFF_FFFF


@dataclass(frozen=True)
class Frame:
    """One frame of the machine.

    :ivar owner: FREE, SHARED, HYPERVISOR, or a VM's number.
    :ivar references: how many of all that can reach it, it is said to have.
    :ivar gfn: where its VM sees it.
    :ivar entries: entries of shadow tables that name it.
    """

    owner: int = FREE
    references: int = 0
    gfn: int | None = None
    entries: int = 0


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What a VM has.

    :ivar p2m: the frame behind each of its pages that has one.
    :ivar pages: how many it has, balloon aside.
    :ivar promised: how many frames will be there for it, whatever others do.
    :ivar held: pages that the hypervisor writes, one for each reason.
    :ivar second_stage: the machine walks a table made from its p2m, which
        names a page or not.
    :ivar tables: of style ``direct``.
    """

    id: int
    p2m: Mapping[int, int]
    pages: int
    promised: int
    held: Sequence[int] = ()
    second_stage: bool = False
    tables: Tables | None = None

    def owed(self, own: int) -> int:
        """Return how much of the promise is still to be kept."""
        return max(min(self.promised, self.pages) - own, 0)


@dataclass(frozen=True)
class Machine:
    """All frames, and who wants what of them.

    :ivar reserved: frames that are free and promised; at least those of the
        p2ms, and what else is promised for tables.
    """

    frames: Mapping[int, Frame]
    domains: Sequence[Domain]
    reserved: int
    reserved_for_tables: int = 0
    sharers: Mapping[int, int] = field(init=False)

    def __post_init__(self) -> None:
        names = Counter(
            hfn for domain in self.domains for hfn in domain.p2m.values()
        )
        object.__setattr__(self, "sharers", names)


def violations(machine: Machine) -> Iterator[str]:
    """Say what does not add up."""
    for domain in machine.domains:
        yield from authority(machine, domain)
    for hfn, frame in machine.frames.items():
        yield from ownership(machine, hfn, frame)
        yield from counted(machine, hfn, frame)
    yield from promises(machine)


def authority(machine: Machine, domain: Domain) -> Iterator[str]:
    """P1."""
    for gfn, hfn in domain.p2m.items():
        frame = machine.frames[hfn]
        if frame.owner not in (domain.id, SHARED):
            yield f"P1: page {gfn:#x} of VM {domain.id} is {frame.owner}'s"
        elif frame.owner == domain.id and frame.gfn != gfn:
            yield f"P1: page {gfn:#x} of VM {domain.id} is in two places"
    if len(domain.p2m) > domain.pages:
        yield f"P5: VM {domain.id} has more frames than pages"


def ownership(machine: Machine, hfn: int, frame: Frame) -> Iterator[str]:
    """P2 and P6."""
    named = machine.sharers.get(hfn, 0)
    if frame.owner in (FREE, HYPERVISOR) and named:
        yield f"P2: frame {hfn:#x} is no VM's, and {named} pages name it"
    if frame.owner == FREE and (frame.references or frame.entries):
        yield f"P2: frame {hfn:#x} is free and in use"
    if frame.owner == SHARED and not named:
        yield f"P6: frame {hfn:#x} is shared by nobody"
    owners = {FREE, HYPERVISOR, SHARED, *(d.id for d in machine.domains)}
    if frame.owner not in owners:
        yield f"P6: frame {hfn:#x} belongs to a VM that there is not"
    alone = frame.owner not in (FREE, HYPERVISOR, SHARED)
    if alone and named != 1:
        yield f"P6: frame {hfn:#x} is a VM's, and {named} pages name it"


def counted(machine: Machine, hfn: int, frame: Frame) -> Iterator[str]:
    """P3, for the frames that guests have.

    A second stage names a page of its VM once, or not yet.
    """
    if frame.owner in (FREE, HYPERVISOR):
        return
    least, maybe = frame.entries, 0
    for domain in machine.domains:
        for gfn, named in domain.p2m.items():
            if named == hfn:
                least += reaching(domain, gfn)
                maybe += domain.second_stage
    if not least <= frame.references <= least + maybe:
        yield (
            f"P3: frame {hfn:#x} has {frame.references} references, not {least}"
        )


def reaching(domain: Domain, gfn: int) -> int:
    """Count what of a VM reaches one of its pages, shadows aside."""
    if domain.tables:
        return domain.tables.references(gfn)
    return 1 + list(domain.held).count(gfn)


def promises(machine: Machine) -> Iterator[str]:
    """P5: what was promised is there."""
    owners = Counter(frame.owner for frame in machine.frames.values())
    owed = sum(d.owed(owners[d.id]) for d in machine.domains)
    expected = owed + machine.reserved_for_tables
    if machine.reserved != expected:
        yield f"P5: {machine.reserved} frames are reserved, not {expected}"
    if machine.reserved > owners[FREE]:
        free = owners[FREE]
        verb = "is" if free == 1 else "are"
        yield f"P5: {machine.reserved} frames are promised, {free} {verb} free"
