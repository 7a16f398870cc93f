"""What the machine really walks for a guest: one :class:`Real` per way.

The machine knows nothing of guests. It has a satp, and memory with tables in
it; so a :class:`Real` reads those, out of machine memory, as the bus has them,
and says of each table what the hypervisor made it from. A style whose memory
is virtualized in another way adds its own to :data:`REAL`.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from hv import inside
from hv.core import lib
from hv.errors import HvError
from hv.facts import (
    Access,
    FrameType,
    Made,
    Priv,
    Role,
    Shadow,
    ShadowKind,
    Style,
)
from hv.guest import Guest
from hv.spec.mmu import NOTHING, SV32, Board, Mode, Pte, View
from hv.views.sv32 import MXR, RIGHTS, SUM, Lookup, letters, look_up
from hv.vm import VM


@dataclass(frozen=True, slots=True)
class Question:
    """An access by a guest, and what its own tables say.

    :param view: the guest's mode and bits, as it believes them.
    :param sstatus: the guest's.
    :param own: the walk of its own tables: gva to gpa.
    :param hpa: the machine address behind that; None if there is none (yet).
    """

    guest: Guest
    vcpu: int
    gva: int
    access: Access
    view: View
    satp: int
    sstatus: int
    own: Lookup
    hpa: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the machine would find, without the hypervisor's help.

    :param title: what it walks, in a few words.
    :param root: what its root is, in a sentence.
    :param satp: the register that names the root; 0 if there is none.
    :param register: which one that is.
    :param lookup: the walk: gva (or gpa) to hpa.
    :param would: what the hypervisor would do about a missing entry; empty if
        nothing is missing.
    """

    title: str
    root: str
    satp: int
    lookup: Lookup
    would: str = ""
    register: str = "satp"

    def to_json(self) -> dict[str, object]:
        """Return everything, as what ``json.dumps`` takes."""
        return {
            "title": self.title,
            "root": self.root,
            self.register: self.satp,
            "lookup": self.lookup.to_json(),
            "would": self.would,
        }


class Real(Protocol):
    """One way of translating for a guest."""

    def look(self, asked: Question) -> Answer:
        """Say what the machine would find for this access."""


# -- the bare machine ----------------------------------------------------------


class OwnTables:
    """The guest's tables are what the machine walks: the bare machine."""

    def look(self, asked: Question) -> Answer:
        """Say what the machine would find: the same."""
        return Answer(
            title="the guest's own tables",
            root="no hypervisor: a physical address is a machine address",
            satp=asked.satp,
            lookup=asked.own,
        )


# -- shadow tables -------------------------------------------------------------


def shadow_rights(gpte: int, role: Role) -> Pte:
    """Return what a shadow leaf may give where the guest's leaf is this.

    >>> kernel_data = Pte.V | Pte.R | Pte.W | Pte.A | Pte.D
    >>> letters(shadow_rights(kernel_data, Role.KERNEL), "RWXU")
    'RW.U'
    >>> letters(shadow_rights(kernel_data, Role.USER), "RWXU")
    '....'
    >>> letters(shadow_rights(kernel_data & ~Pte.D, Role.ASSIST), "RWXU")
    'R...'
    """
    pte = Pte(gpte & 0xFF)
    user = bool(pte & Pte.U)
    gives = pte & RIGHTS
    if not pte & Pte.D:
        gives &= ~Pte.W
    match role:
        case Role.ASSIST:
            return gives | (pte & Pte.U)
        case Role.USER:
            return gives | Pte.U if user else NOTHING
        case Role.KERNEL:
            return NOTHING if user else gives | Pte.U
        case Role.KERNEL_SUM:
            return (gives & ~Pte.X if user else gives) | Pte.U


def describe(made: Made) -> str:
    """Return what a shadow table is made from, in words."""
    rights = letters(made.rights, "RWXU")
    match made.kind:
        case ShadowKind.BARE:
            return f"root of the untranslated mode, {rights}"
        case ShadowKind.FRAGMENT:
            return f"4 MiB from gfn {made.gfn:05x}, {rights}"
        case kind:
            return f"{kind} of gfn {made.gfn:05x}, for {made.role}"


def state_of(shadow: Shadow) -> str:
    """Return how up to date a table is kept, and how it is used."""
    derived = shadow.made.kind in (ShadowKind.ROOT, ShadowKind.LEAF)
    words = [
        "traced" if shadow.traced else "not traced" if derived else "",
        f"{shadow.entries} entr{'y' if shadow.entries == 1 else 'ies'}",
        f"linked {shadow.links}x" if shadow.links else "",
        f"run on by {shadow.holds}" if shadow.holds else "",
    ]
    return ", ".join(word for word in words if word)


def machine_word(guest: Guest, address: int) -> int | None:
    """Return a word of machine memory; None where no RAM is."""
    if not in_machine(guest, address):
        return None
    return int.from_bytes(inside.read(guest.host, address, 4), "little")


def in_machine(guest: Guest, address: int) -> bool:
    """Return whether a machine address is RAM."""
    at = address - lib.RAM_BASE
    return 0 <= at < guest.host.info.frames * lib.PAGE_SIZE


class ShadowTables:
    """A shadow table: the guest's tables and the p2m, composed."""

    def look(self, asked: Question) -> Answer:
        """Say what the machine would find in the shadow."""
        vm = asked.guest
        if not isinstance(vm, VM):
            raise HvError(f"{vm.name} has no shadow tables")
        real = vm.real(asked.vcpu)
        shadows = {s.number: s for s in vm.shadows()}
        root = shadows.get(-1 if real.shadow is None else real.shadow)
        if root is None:
            return Answer(
                title=_TITLE,
                root=f"none yet: it would be the {describe(real.wants)}",
                satp=real.satp,
                lookup=Lookup(cause=0, why="there is no root"),
                would=_would(asked, real.wants),
            )
        satp = real.satp if real.running else SV32 | root.hfn
        found = _walk_machine(asked, satp, real.priv)
        return Answer(
            title=_TITLE,
            root=f"shadow {root.number}: {describe(root.made)}",
            satp=satp,
            lookup=_with_tables(found, {s.hfn: s for s in shadows.values()}),
            would="" if found.result is not None else _would(asked, root.made),
        )


_TITLE = "shadow tables"


def _walk_machine(asked: Question, satp: int, priv: Priv) -> Lookup:
    """Walk from a satp as the machine does, in its own memory."""
    size = asked.guest.host.info.frames * lib.PAGE_SIZE
    view = View(
        Mode.SUPERVISOR if priv is Priv.S else Mode.USER,
        sum=bool(asked.sstatus & SUM),
        mxr=bool(asked.sstatus & MXR),
    )
    return look_up(
        lambda address: machine_word(asked.guest, address),
        satp,
        asked.gva,
        asked.access,
        view,
        Board(ram=range(lib.RAM_BASE, lib.RAM_BASE + size)),
    )


def _with_tables(found: Lookup, by_frame: dict[int, Shadow]) -> Lookup:
    """Say of each entry which table it is in."""
    entries = []
    for entry in found.entries:
        shadow = by_frame.get(entry.address >> 12)
        table = (
            f"shadow {shadow.number}: {describe(shadow.made)}; "
            f"{state_of(shadow)}"
            if shadow
            else "no shadow table of this VM"
        )
        entries.append(replace(entry, table=table))
    return replace(found, entries=tuple(entries))


def _would(asked: Question, root: Made) -> str:
    """Return what the hypervisor would do about the missing entry."""
    own = asked.own
    if own.result is None:
        return ""
    if own.result not in board_of(asked.guest).ram:
        return "the access is done by the hypervisor, on a device of its own"
    if traced := _traced(asked):
        return traced
    if root.kind is ShadowKind.BARE:
        gives, where = Pte(root.rights), "the fragment of its 4 MiB"
    else:
        leaf = own.entries[-1]
        gives = shadow_rights((leaf.value or 0) | own.sets, root.role)
        where = (
            f"the leaf of gfn {leaf.address >> 12:05x}, for {root.role}"
            if leaf.level == 0
            else f"the 4 MiB from gfn {own.result >> 22 << 10:05x}, "
            f"{letters(gives, 'RWXU')}"
        )
    if not _expresses(gives, asked):
        return "no entry can say this: the access is done by the hypervisor"
    bits = letters(gives | Pte.V | Pte.A | Pte.D)
    to = f"hfn {asked.hpa >> 12:05x}" if asked.hpa else "a fresh frame"
    return f"{where}: [{asked.gva >> 12 & 0x3FF}] = {to}, {bits}"


def _expresses(gives: Pte, asked: Question) -> bool:
    """Return whether an entry with these rights lets the access through."""
    match asked.access:
        case Access.FETCH:
            return bool(gives & Pte.X)
        case Access.LOAD:
            return bool(gives & (Pte.R | Pte.X if asked.view.mxr else Pte.R))
        case _:
            return bool(gives & Pte.W)


def _traced(asked: Question) -> str:
    """Return what becomes of a store to a guest table that is watched."""
    if asked.access is not Access.STORE or asked.hpa is None:
        return ""
    frame = inside.frame(asked.guest.host, asked.hpa >> 12)
    if not frame.traced or frame.type is not FrameType.PLAIN:
        return ""
    return (
        "a table that is traced: the store is emulated, or the table goes out "
        "of sync"
    )


# -- a second stage ------------------------------------------------------------


class SecondStage:
    """The machine walks the guest's tables itself, and a second set below.

    Every address that the guest's tables name, also those of tables, is a
    guest-physical one, and so is looked up in the second stage: three lookups
    of two entries each, and two entries of the guest's.
    """

    def look(self, asked: Question) -> Answer:
        """Say what the machine would find below the guest's tables."""
        vm = asked.guest
        if not isinstance(vm, VM):
            raise HvError(f"{vm.name} has no second stage")
        real = vm.real(asked.vcpu)
        title = "a second stage: gpa -> hpa"
        if real.root is None:
            return Answer(title, "none yet", real.satp, Lookup(why="none yet"))
        found = Lookup()
        for gpa, access, what in self._addresses(asked):
            found = self._below(asked, real.root, gpa, access, what, found)
            if found.result is None:
                break
        if asked.own.result is None and found.result is not None:
            found = replace(found, result=None, why="the guest's tables end it")
        return Answer(
            title=title,
            root=f"hfn {real.root:05x}, four frames, for all of the VM",
            satp=real.satp,
            lookup=found,
            would=self._fills(asked) if found.result is None else "",
            register="hgatp",
        )

    def _addresses(self, asked: Question) -> list[tuple[int, Access, str]]:
        """Return what is looked up: the guest's entries, then the page."""
        own = asked.own
        names: list[tuple[int, Access, str]] = [
            (e.address, Access.LOAD, f"for the guest's level {e.level} entry")
            for e in own.entries
            if e.value is not None
        ]
        if own.sets:  # A and D are stored by the machine
            names[-1] = (names[-1][0], Access.STORE, names[-1][2])
        if own.result is not None:
            names.append((own.result, asked.access, "for the page"))
        return names

    def _below(
        self,
        asked: Question,
        root: int,
        gpa: int,
        access: Access,
        what: str,
        before: Lookup,
    ) -> Lookup:
        """Look one guest-physical address up, after others."""
        size = asked.guest.host.info.frames * lib.PAGE_SIZE
        found = look_up(
            lambda address: machine_word(asked.guest, address),
            SV32 | root,
            gpa,
            access,
            View(Mode.USER),
            Board(ram=range(lib.RAM_BASE, lib.RAM_BASE + size)),
        )
        first, *others = found.entries
        entries = (replace(first, table=f"{what}, gpa {gpa:08x}"), *others)
        return replace(found, entries=(*before.entries, *entries), sets=NOTHING)

    def _fills(self, asked: Question) -> str:
        own = asked.own
        if own.result is None:
            return ""
        if own.result not in board_of(asked.guest).ram:
            return (
                "the access is done by the hypervisor, on a device of its own"
            )
        return "the second stage, from the p2m: one entry for each exit"


# -- the guest's own tables, validated -----------------------------------------


class ValidatedTables:
    """The guest's own tables, which name machine frames: `direct`.

    Until it has any it runs untranslated, on a shadow; and while its stores
    are logged, on shadows of its tables.
    """

    def look(self, asked: Question) -> Answer:
        """Say what the machine would find in them: what the guest put there."""
        vm = asked.guest
        if not isinstance(vm, VM):
            raise HvError(f"{vm.name} has no validated tables")
        real = vm.real(asked.vcpu)
        if real.root is None or real.wants.gfn:
            return ShadowTables().look(asked)
        satp = real.satp if real.running else SV32 | real.root
        return Answer(
            title="the guest's own tables, validated",
            root=f"hfn {real.root:05x}, for its {asked.view.mode.name.lower()}",
            satp=satp,
            lookup=_walk_machine(asked, satp, real.priv),
        )


def own_root(guest: Guest, vcpu: int) -> int | None:
    """Return the guest frame of a root that names machine frames, if any."""
    if not isinstance(guest, VM) or guest.info.style is not Style.DIRECT:
        return None
    root = guest.real(vcpu).root
    return None if root is None else inside.frame(guest.host, root).gfn


def look_up_own(question: "Question") -> Lookup:
    """Walk tables that name machine frames, and say where that is in the VM.

    :param question: with an empty walk; its satp names the root by gfn.
    """
    guest = question.guest

    def gfn_of(hfn: int) -> int | None:
        known = in_machine(guest, hfn << 12)
        return inside.frame(guest.host, hfn).gfn if known else None

    real = inside.real(guest.host, guest.number, question.vcpu)
    found = _walk_machine(question, SV32 | (real.root or 0), Priv.U)
    entries = tuple(
        replace(
            e, address=(gfn_of(e.address >> 12) or 0) << 12 | e.address & 0xFFF
        )
        for e in found.entries
    )
    found = replace(found, entries=entries)
    if found.result is None:
        return found
    gfn = gfn_of(found.result >> 12)
    if gfn is None:
        return replace(found, result=None, why="it names nobody's frame")
    return replace(found, result=gfn << 12 | found.result & 0xFFF)


def board_of(guest: Guest) -> Board:
    """Return what answers at the guest's physical addresses."""
    devices = [
        range(lib.TEST_BASE, lib.TEST_BASE + lib.TEST_SIZE),
        range(lib.PLIC_BASE, lib.PLIC_BASE + lib.PLIC_SIZE),
        range(lib.UART_BASE, lib.UART_BASE + lib.UART_SIZE),
    ]
    if not guest.number:
        devices.append(range(lib.CLINT_BASE, lib.CLINT_BASE + lib.CLINT_SIZE))
    return Board(
        ram=range(guest.mem.base, guest.mem.end),
        devices=tuple(devices),
        ad_fault=bool(guest.host.config.ad_fault),
    )


REAL: dict[str, Real] = {
    "bare": OwnTables(),
    "emulate": ShadowTables(),
    "assist": ShadowTables(),
    "pv": ShadowTables(),
    "nested": SecondStage(),
    "direct": ValidatedTables(),
}

# Styles with shadow tables: those that follow the guest's by a policy.
SHADOWED = tuple(
    style for style, real in REAL.items() if isinstance(real, ShadowTables)
)
