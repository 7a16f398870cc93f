"""A guest's page table beside the shadows that are derived from it.

Every page that either of them maps is compared: what the guest's entry says,
what a shadow for some role may therefore say, and what it does say. Neighbours
of which the same is to be said are one row. Where there is a second stage
instead of shadows, it says where the page really is.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hv import inside
from hv.cli.table import table
from hv.errors import UsageError
from hv.facts import Made, Priv, Role, Shadow, ShadowKind, Style, integer
from hv.spec.mmu import SV32, Pte, is_pointer
from hv.views.compared import MARKS, Sync
from hv.views.real import (
    SHADOWED,
    board_of,
    describe,
    own_root,
    shadow_rights,
)
from hv.views.stage2 import Below, Stage2, second_stage
from hv.views.sv32 import RIGHTS, letters
from hv.vm import VM

ENTRIES = 1024
_ALL = Pte.R | Pte.W | Pte.X


@dataclass(frozen=True, slots=True)
class Cell:
    """What one shadow has for a page. ``rights``: R, W, X and U."""

    state: Sync
    rights: int = 0

    @property
    def text(self) -> str:
        """A mark and the rights, in five letters."""
        shown = {
            Sync.MISSING: "    ",
            Sync.MMIO: "mmio",
            Sync.NONE: "    ",
        }.get(self.state, letters(self.rights, "RWXU"))
        return MARKS[self.state] + shown


@dataclass(frozen=True, slots=True)
class Row:
    """Pages side by side of which the same is to be said.

    :param gva: of the first.
    :param gpa: of the first; those of the others follow. None: not mapped.
    :param pte: the low bits of the guest's entries; 0 if not mapped.
    :param mega: whether they are a guest megapage's.
    :param cells: one for each shadow root, in their order.
    :param below: what the second stage has for the first of them; the others'
        machine addresses follow. None: there is no second stage, or no gpa.
    """

    gva: int
    pages: int
    gpa: int | None
    pte: int
    mega: bool
    cells: tuple[Cell, ...]
    below: Below | None = None

    @property
    def last(self) -> int:
        """The last address of the last page."""
        return self.gva + (self.pages << 12) - 1

    def joins(self, after: "Row") -> bool:
        """Return whether the row after can be part of this one."""
        follows = after.gva == self.last + 1 and (
            after.gpa == self.gpa
            if after.gpa is None or self.gpa is None
            else after.gpa == self.gpa + (self.pages << 12)
        )
        mine = (self.pte, self.mega, self.cells)
        if self.below and self.below.after(self.pages) != after.below:
            return False
        return follows and mine == (after.pte, after.mega, after.cells)

    def to_json(self) -> dict[str, object]:
        """Return everything, as what ``json.dumps`` takes."""
        return {
            "gva": self.gva,
            "pages": self.pages,
            "gpa": self.gpa,
            "bits": letters(self.pte),
            "mega": self.mega,
            "cells": [
                {"state": c.state, "rights": letters(c.rights, "RWXU")}
                for c in self.cells
            ],
            "stage2": self.below.to_json() if self.below else None,
        }


@dataclass(frozen=True, slots=True)
class PageTable:
    """A guest's address space, and what the machine knows of it.

    :param roots: the shadow roots derived from it: the columns.
    :param shadows: all shadow tables of the VM.
    :param here: the numbers of those that belong to this address space.
    :param stage2: the machine frame of the second stage's root; None if there
        is none.
    """

    guest: str
    style: str
    policy: str
    vcpu: int
    satp: int
    rows: tuple[Row, ...]
    roots: tuple[Shadow, ...]
    shadows: tuple[Shadow, ...]
    here: frozenset[int]
    stage2: int | None = None

    @property
    def title(self) -> str:
        """Whose table it is, in a line."""
        space = (
            f"satp {self.satp:08x}" if self.satp & SV32 else "no translation"
        )
        how = ", ".join(word for word in (self.style, self.policy) if word)
        return f"{self.guest}, vCPU {self.vcpu}: {space} ({how})"

    @property
    def counts(self) -> dict[Sync, int]:
        """How many pages there are in each state, over all columns."""
        found = dict.fromkeys(Sync, 0)
        for row in self.rows:
            for cell in row.cells:
                found[cell.state] += row.pages
            if row.below:
                found[row.below.state] += row.pages
        return found

    @property
    def text(self) -> str:
        """Tables for people, at most 80 columns wide with three roots."""
        return "\n".join([self.title, "", *self._pages(), "", *self._tables()])

    def _pages(self) -> Iterator[str]:
        names = [column(root.made) for root in self.roots]
        heads = "  ".join(f"{name:5}" for name in names)
        heads += "second stage" * (self.stage2 is not None)
        yield f"{'gva':17}  pages  {'gpa':8}  {'guest':9}  {heads}".rstrip()
        for row in self.rows:
            gpa = "-" if row.gpa is None else f"{row.gpa:08x}"
            bits = letters(row.pte) + "M" * row.mega
            cells = "  ".join(
                f"{cell.text:{max(5, len(name))}}"
                for cell, name in zip(row.cells, names, strict=True)
            ) + (row.below.text if row.below else "")
            yield (
                f"{row.gva:08x}-{row.last:08x}  {row.pages:5}  {gpa:8}  "
                f"{bits:9}  {cells}"
            ).rstrip()
        if not self.rows:
            yield "(nothing is mapped)"
        if not self.roots and self.stage2 is None:
            return
        yield ""
        yield "= the same   < fewer rights   ? missing   ! stale   ~ a device"
        counts = self.counts
        yield ", ".join(
            f"{counts[state]} {state}" for state in Sync if state != Sync.NONE
        )

    def _tables(self) -> Iterator[str]:
        if self.stage2 is not None:
            yield (
                f"second stage: root at hfn {self.stage2:05x}, four frames, "
                "for all of the VM"
            )
            return
        mine = [s for s in self.shadows if s.number in self.here]
        yield f"shadow tables of this address space: {len(mine)}"
        if mine:
            head = ("no", "hfn", "made from", "entries", "links", "vCPUs")
            rows = [
                (
                    str(s.number),
                    f"{s.hfn:05x}",
                    describe(s.made),
                    *(str(n) for n in (s.entries, s.links, s.holds)),
                    traced(s),
                )
                for s in mine
            ]
            yield table((*head, "traced"), rows, right=(0, 3, 4, 5))
        if others := len(self.shadows) - len(mine):
            yield f"and {others} of other address spaces"

    @property
    def svg(self) -> str:
        """The rows as a picture."""
        from hv.views.tables_svg import draw  # noqa: PLC0415 -- it imports us

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
            "guest": self.guest,
            "style": self.style,
            "policy": self.policy,
            "vcpu": self.vcpu,
            "satp": self.satp,
            "roots": [root.number for root in self.roots],
            "here": sorted(self.here),
            "stage2": self.stage2,
            "rows": [row.to_json() for row in self.rows],
            "counts": dict(self.counts),
            "shadows": [
                {
                    "number": s.number,
                    "hfn": s.hfn,
                    "kind": s.made.kind,
                    "role": s.made.role,
                    "rights": letters(s.made.rights, "RWXU"),
                    "gfn": s.made.gfn,
                    "entries": s.entries,
                    "links": s.links,
                    "holds": s.holds,
                    "traced": s.traced,
                    "asid": s.asid,
                }
                for s in self.shadows
            ],
        }


def column(made: Made) -> str:
    """Return the head of a root's column.

    >>> column(Made(ShadowKind.ROOT, Role.KERNEL_SUM, 0, 0))
    'k+SUM'
    """
    if made.kind is ShadowKind.BARE:
        return letters(made.rights, "RWXU")
    return {
        Role.USER: "user",
        Role.KERNEL: "kern",
        Role.KERNEL_SUM: "k+SUM",
        Role.ASSIST: "both",
    }[made.role]


def traced(shadow: Shadow) -> str:
    """Return whether stores to the guest's table are seen, in a word."""
    if shadow.made.kind in (ShadowKind.ROOT, ShadowKind.LEAF):
        return "yes" if shadow.traced else "no"
    return "-"  # made from the p2m alone


def page_table(guest: VM, vcpu: int = 0) -> PageTable:
    """Compare a guest's present page table with its shadows.

    Nothing changes by it.

    :raises UsageError: if there is no such vCPU, or the guest is no VM.
    """
    if not isinstance(guest, VM):
        raise UsageError("a page table and its shadows are those of a VM")
    integer("vcpu", vcpu, 0, len(guest.cpu) - 1)
    satp = guest.cpu[vcpu].reg("satp")
    if guest.cpu[vcpu].priv is Priv.M:
        satp = 0
    root = own_root(guest, vcpu)
    if root is not None:
        satp = SV32 | root
    shadows = guest.shadows()
    roots = tuple(
        sorted(
            (s for s in shadows if _is_root_of(s.made, satp)),
            key=lambda s: list(Role).index(s.made.role),
        )
    )
    info = guest.info
    below = second_stage(guest, vcpu, board_of(guest).ram)
    return PageTable(
        guest=guest.name,
        style=str(info.style),
        policy=str(info.sync) * (info.style in SHADOWED),
        vcpu=vcpu,
        satp=satp,
        rows=tuple(_folded(_compared(guest, satp, roots, shadows, below))),
        roots=roots,
        shadows=tuple(shadows),
        here=_of_space(guest, satp, roots, shadows),
        stage2=below.root if below else None,
    )


def _of_space(
    vm: VM, satp: int, roots: tuple[Shadow, ...], shadows: list[Shadow]
) -> frozenset[int]:
    """Return the shadows of an address space: roots, and what is below them.

    A leaf table's shadow counts where the guest links the table, whether or
    not a root links the shadow now.
    """
    linked = {pte >> 10 for r in roots for pte in _shadow_table(vm, r.hfn)}
    leaves: set[int] = set()
    if satp & SV32:
        own = _guest_table(vm, satp & 0x3F_FFFF)
        leaves = {pte >> 10 for pte in own if is_pointer(pte)}
    return frozenset(
        s.number
        for s in shadows
        if s in roots
        or s.hfn in linked
        or (s.made.kind is ShadowKind.LEAF and s.made.gfn in leaves)
    )


def _is_root_of(made: Made, satp: int) -> bool:
    if not satp & SV32:
        return made.kind is ShadowKind.BARE
    return made.kind is ShadowKind.ROOT and made.gfn == satp & 0x3F_FFFF


# -- reading -------------------------------------------------------------------

_TABLE = struct.Struct("<1024I")
_EMPTY = (0,) * ENTRIES


@dataclass(frozen=True, slots=True)
class _Page:
    """A guest's entry for one page: its low bits, and where it leads."""

    pte: int
    gpa: int
    mega: bool


def _guest_table(vm: VM, frame: int) -> tuple[int, ...]:
    """Return a table in guest memory; one of zeros where there is none."""
    at = frame << 12
    if not vm.mem.base <= at < vm.mem.end:
        return _EMPTY
    return _TABLE.unpack(vm.mem.read(at, _TABLE.size))


def _shadow_table(vm: VM, frame: int) -> tuple[int, ...]:
    return _TABLE.unpack(inside.read(vm.host, frame << 12, _TABLE.size))


def _usable(pte: int) -> bool:
    """Return whether an entry is a leaf that somebody could use."""
    valid = bool(pte & Pte.V) and pte & (Pte.R | Pte.W) != Pte.W
    return valid and bool(pte & (Pte.R | Pte.X))


def _guest_pages(
    vm: VM, satp: int, entry: int, upper: int
) -> list[_Page | None]:
    """Return what 4 MiB of a guest's addresses map to, page by page."""
    if not satp & SV32:
        ram = range(vm.mem.base >> 12, vm.mem.end >> 12)
        pages = range(upper * ENTRIES, (upper + 1) * ENTRIES)
        return [
            _Page(int(_ALL), page << 12, mega=False) if page in ram else None
            for page in pages
        ]
    if _usable(entry):
        first = entry >> 10
        if first % ENTRIES:
            return [None] * ENTRIES
        return [
            _Page(entry & 0xFF, first + i << 12, mega=True)
            for i in range(ENTRIES)
        ]
    # Entries of style `direct` name machine frames, all of them its own.
    direct = vm.info.style is Style.DIRECT

    def gfn(frame: int) -> int:
        return (inside.frame(vm.host, frame).gfn or 0) if direct else frame

    low = Pte.V | Pte.R | Pte.W | Pte.X | Pte.U | Pte.A | Pte.D
    if entry & low != Pte.V:
        return [None] * ENTRIES
    return [
        _Page(pte & 0xFF, gfn(pte >> 10) << 12, mega=False)
        if _usable(pte)
        else None
        for pte in _guest_table(vm, gfn(entry >> 10))
    ]


# -- comparing -----------------------------------------------------------------


def _compared(
    vm: VM,
    satp: int,
    roots: tuple[Shadow, ...],
    shadows: list[Shadow],
    below: Stage2 | None,
) -> Iterator[Row]:
    """Yield a row for each page that the guest or a shadow maps."""
    judge = _Judge(vm, bool(satp & SV32))
    frames = {s.hfn for s in shadows}
    own = _guest_table(vm, satp & 0x3F_FFFF) if satp & SV32 else _EMPTY
    tops = [_shadow_table(vm, root.hfn) for root in roots]
    for upper in range(ENTRIES):
        links = [top[upper] >> 10 if top[upper] & Pte.V else 0 for top in tops]
        if satp & SV32 and not own[upper] & Pte.V and not any(links):
            continue
        pages = _guest_pages(vm, satp, own[upper], upper)
        leaves = [
            _shadow_table(vm, link) if link in frames else _EMPTY
            for link in links
        ]
        for lower, page in enumerate(pages):
            found = [table[lower] for table in leaves]
            if page is None and not any(found):
                continue
            yield Row(
                gva=upper << 22 | lower << 12,
                pages=1,
                gpa=page.gpa if page else None,
                pte=page.pte if page else 0,
                mega=page.mega if page else False,
                cells=tuple(
                    judge.cell(page, spte, root.made)
                    for spte, root in zip(found, roots, strict=True)
                ),
                below=below.look(page.gpa) if below and page else None,
            )


class _Judge:
    """Compares entries of shadows with those of the guest."""

    def __init__(self, vm: VM, translated: bool) -> None:  # noqa: FBT001
        self._vm = vm
        self._translated = translated
        self._ram = board_of(vm).ram

    def cell(self, page: _Page | None, spte: int, made: Made) -> Cell:
        """Return what is to be said of one entry of a shadow."""
        may = self._allowed(page, made)
        if not spte & Pte.V:
            return Cell(self._absent(page, may))
        has = spte & (RIGHTS | Pte.U)
        hfn = self._frame(page)
        if self._translated and page and not page.pte & Pte.A:
            may = Pte.U & may  # an entry is made by an access, which sets A
        if not may or hfn != spte >> 10 or has & ~may or (has ^ may) & Pte.U:
            return Cell(Sync.STALE, has)
        return Cell(Sync.SAME if has == may else Sync.FEWER, has)

    def _allowed(self, page: _Page | None, made: Made) -> int:
        """Return what a shadow's entry may give; 0 is that it may not be."""
        if page is None:
            return 0
        if not self._translated:
            return made.rights
        rights = shadow_rights(page.pte, made.role)
        return int(rights) if rights & (Pte.R | Pte.X) else 0

    def _absent(self, page: _Page | None, may: int) -> Sync:
        if page is None or not may:
            return Sync.NONE
        return Sync.MISSING if page.gpa in self._ram else Sync.MMIO

    def _frame(self, page: _Page | None) -> int | None:
        if page is None or page.gpa not in self._ram:
            return None
        return self._vm.frame_of(page.gpa >> 12)


def _folded(rows: Iterable[Row]) -> Iterator[Row]:
    """Join neighbours of which the same is to be said."""
    last: Row | None = None
    for row in rows:
        if last is not None and last.joins(row):
            last = replace(last, pages=last.pages + 1)
            continue
        if last is not None:
            yield last
        last = row
    if last is not None:
        yield last
