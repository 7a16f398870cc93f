"""Who owns each frame of the machine: a map, and totals that add up."""

import string
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from textwrap import wrap

from hv.cli.table import count, table
from hv.core import lib
from hv.facts import Frame, FrameType, ShadowKind, integer
from hv.hypervisor import Hypervisor
from hv.units import format_size
from hv.vm import VM

FREE: int = lib.HV_OWNER_FREE
HYP: int = lib.HV_OWNER_HYP
SHARED: int = lib.HV_OWNER_SHARED

_ROW = 32  # cells of a line, of two letters each
_CELL_BITS = 10  # of the number of cells, where nobody has chosen
_LETTERS = string.ascii_uppercase + string.ascii_lowercase


class Use(StrEnum):
    """What a frame is used as."""

    FREE = "free"
    PLAIN = "plain"  # a guest's memory
    TABLE = "table"  # a guest's memory, a page table: a shadow is made from it
    SHADOW = "shadow"  # a shadow table, the hypervisor's
    STAGE2 = "stage2"  # a table of a second stage, the hypervisor's
    SHARED = "shared"  # guest memory in several places, written by none
    OTHER = "other"  # the hypervisor's, for itself


# The second letter of a cell.
MARKS = {
    Use.FREE: " ",
    Use.PLAIN: " ",
    Use.TABLE: "t",
    Use.SHADOW: "s",
    Use.STAGE2: "2",
    Use.SHARED: "=",
    Use.OTHER: " ",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody on the map.

    :param number: as in ``Frame.owner``.
    :param letter: on the map.
    """

    number: int
    name: str
    letter: str


@dataclass(frozen=True, slots=True)
class Run:
    """Frames side by side, of one owner and one use.

    :param first: the first machine frame.
    :param owner: as in ``Frame.owner``.
    :param serves: the VM that tables of the hypervisor are for; else 0.
    """

    first: int
    count: int
    owner: int
    use: Use
    serves: int = 0

    @property
    def whose(self) -> int:
        """The VM it is for, if it is for one; else its owner."""
        return self.serves or self.owner


@dataclass(frozen=True, slots=True)
class Square:
    """A cell of the map: some frames side by side.

    :param whose: the VM (or 0, or the hypervisor) that most of them are for;
        free ones count only if there are no others.
    :param use: what most of those are used as.
    :param mixed: whether some are for others; free ones are for nobody.
    """

    first: int
    whose: int
    use: Use
    mixed: bool


@dataclass(frozen=True, slots=True)
class FrameMap:
    """All frames of a machine.

    :param first: the number of the first frame.
    :param count: how many the machine has.
    :param runs: all of them, in order, none left out.
    :param owners: who there is: free, the hypervisor, the VMs.
    :param reserved: free frames that are promised to VMs.
    :param cell: frames that a cell of the map stands for.
    """

    first: int
    count: int
    runs: tuple[Run, ...]
    owners: tuple[Owner, ...]
    reserved: int
    cell: int

    def squares(self) -> tuple[Square, ...]:
        """Return the cells of the map, in the order of the frames."""
        firsts = range(self.first, self.first + self.count, self.cell)
        found: list[Counter[tuple[int, Use]]] = [Counter() for _ in firsts]
        for run in self.runs:
            at, end = run.first, run.first + run.count
            while at < end:
                index = (at - self.first) // self.cell
                stop = min(self.first + (index + 1) * self.cell, end)
                found[index][run.whose, run.use] += stop - at
                at = stop
        return tuple(map(_square, firsts, found))

    @property
    def totals(self) -> dict[str, dict[Use, int]]:
        """How many frames each owner has, by use; they add up to all."""
        found = {owner.name: dict.fromkeys(Use, 0) for owner in self.owners}
        names = {owner.number: owner.name for owner in self.owners}
        for run in self.runs:
            found[names[run.owner]][run.use] += run.count
        return found

    @property
    def text(self) -> str:
        """The map and the totals for people, at most 80 columns wide."""
        size = format_size(self.cell * lib.PAGE_SIZE)
        return "\n".join(
            [
                f"{self.count} machine frames, each cell {size}",
                "",
                *self._map(),
                "",
                *wrap("   ".join(f"{o.letter} {o.name}" for o in self.owners)),
                "second letter: s shadow tables for it, 2 its second stage,",
                "    t its own page tables, = shared, + of several owners",
                "",
                *self._sums(),
            ]
        )

    def _map(self) -> Iterator[str]:
        """Yield the lines; one that is as the one before is not repeated."""
        letters = {owner.number: owner.letter for owner in self.owners}
        squares = self.squares()
        before, repeated = "", False
        for at in range(0, len(squares), _ROW):
            part = squares[at : at + _ROW]
            line = "".join(
                letters[s.whose] + ("+" if s.mixed else MARKS[s.use])
                for s in part
            )
            repeated = repeated and line == before
            if line != before:
                yield f"{part[0].first:05x}  {line}".rstrip()
            elif not repeated:
                yield "*"
                repeated = True
            before = line
        yield f"{self.first + self.count:05x}"

    def _sums(self) -> Iterator[str]:
        uses = [u for u in Use if any(t[u] for t in self.totals.values())]
        rows = [
            (
                name,
                *(count(by[use]) for use in uses),
                count(sum(by.values())),
            )
            for name, by in self.totals.items()
        ]
        every = [sum(by[use] for by in self.totals.values()) for use in uses]
        rows.append(("all", *map(count, every), count(sum(every))))
        yield table(("", *uses, "all"), rows)
        yield f"{count(self.reserved)} of the free ones are promised to VMs"

    @property
    def svg(self) -> str:
        """The map as a picture."""
        from hv.views.frames_svg import draw  # noqa: PLC0415 -- it imports us

        return draw(self)

    def _repr_svg_(self) -> str:
        """Return the picture: what a notebook shows."""
        return self.svg

    def __str__(self) -> str:
        """Return :attr:`text`."""
        return self.text

    def to_json(self) -> dict[str, object]:
        """Return everything, as what ``json.dumps`` takes."""
        return {
            "first": self.first,
            "frames": self.count,
            "reserved": self.reserved,
            "owners": [
                {"number": o.number, "name": o.name} for o in self.owners
            ],
            "totals": {name: dict(by) for name, by in self.totals.items()},
            "runs": [
                {
                    "first": run.first,
                    "count": run.count,
                    "owner": run.owner,
                    "use": run.use,
                    "serves": run.serves,
                }
                for run in self.runs
            ],
        }


def _square(first: int, found: Counter[tuple[int, Use]]) -> Square:
    """Return what is to be said of some frames side by side."""
    used = {key: n for key, n in found.items() if key[0] != FREE}
    by_owner: Counter[int] = Counter()
    for (whose, _), n in used.items():
        by_owner[whose] += n
    if not by_owner:
        return Square(first, FREE, Use.FREE, mixed=False)
    whose = by_owner.most_common(1)[0][0]
    uses = Counter({use: n for (who, use), n in used.items() if who == whose})
    return Square(first, whose, uses.most_common(1)[0][0], len(by_owner) > 1)


def frame_map(hypervisor: Hypervisor, *, cell: int = 0) -> FrameMap:
    """Say who owns each frame of the machine. Nothing changes by it.

    :param cell: frames that a cell of the map stands for; 0 is as many as
        make a map of at most 1024 cells.
    :raises UsageError: if ``cell`` is out of range.
    """
    integer("cell", cell, 0, 1 << 20)
    info = hypervisor.info
    tables = {hfn for vm in hypervisor.vms for hfn in _tables_of(vm)}
    runs = tuple(_runs(hypervisor.frames(), tables))
    owners = [Owner(FREE, "free", "."), Owner(HYP, "hypervisor", "#")]
    for i, vm in enumerate(hypervisor.vms):
        letter = _LETTERS[i] if i < len(_LETTERS) else "*"
        owners.append(Owner(vm.number, vm.name, letter))
    if any(run.owner == SHARED for run in runs):
        owners.append(Owner(SHARED, "shared", "="))
    if not cell:
        cell = 1 << max(0, (info.frames - 1).bit_length() - _CELL_BITS)
    return FrameMap(
        first=runs[0].first,
        count=info.frames,
        runs=runs,
        owners=tuple(owners),
        reserved=info.frames_reserved,
        cell=cell,
    )


def _tables_of(vm: VM) -> Iterator[int]:
    """Yield the frames of a VM's page tables that shadows are made from."""
    for shadow in vm.shadows():
        page = shadow.made.gfn << 12
        derived = shadow.made.kind in (ShadowKind.ROOT, ShadowKind.LEAF)
        if derived and vm.mem.base <= page < vm.mem.end:
            hfn = vm.frame_of(shadow.made.gfn)
            if hfn is not None:
                yield hfn


def _use(frame: Frame, tables: set[int]) -> Use:
    if frame.owner == FREE:
        return Use.FREE
    if frame.type is FrameType.SHADOW:
        return Use.SHADOW
    if frame.type is FrameType.STAGE2:
        return Use.STAGE2
    if frame.foreign or frame.owner == SHARED:
        return Use.SHARED
    if frame.number in tables or frame.table is not None:
        return Use.TABLE
    return Use.OTHER if frame.owner == HYP else Use.PLAIN


def _runs(frames: Iterable[Frame], tables: set[int]) -> Iterator[Run]:
    """Join neighbours of which the same is to be said."""
    last: Run | None = None
    for frame in frames:
        use = _use(frame, tables)
        key = (frame.owner, use, frame.serves)
        if last and (last.owner, last.use, last.serves) == key:
            last = replace(last, count=last.count + 1)
            continue
        if last:
            yield last
        last = Run(frame.number, 1, *key)
    if last:
        yield last
