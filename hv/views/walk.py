"""The way of one address: guest's tables, p2m, and what the machine walks.

::

    gva --the guest's tables--> gpa --p2m--> hpa
    gva --------what the machine walks-----> hpa   the same, one hopes

The verdict is that of the access if it were made now and the TLB knew
nothing: the machine asks its tables first, and only what they refuse is an
exit, after which the guest's tables decide.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from textwrap import wrap

from hv.core import lib
from hv.facts import U32, Access, Priv, choose, integer
from hv.guest import Guest
from hv.spec.mmu import SV32, Mode, Pte, View
from hv.views.real import (
    REAL,
    SHADOWED,
    Answer,
    Question,
    board_of,
    look_up_own,
    own_root,
)
from hv.views.sv32 import MXR, SUM, Entry, Lookup, look_up
from hv.vm import VM


class Verdict(StrEnum):
    """What becomes of an access."""

    OK = "ok"  # the machine finds the way, and it is the right one
    STALE = "stale"  # it finds another than the guest's tables say now
    FAULT = "guest fault"  # the guest's tables say no
    MISSING = "missing"  # they say yes; the machine's do not know yet
    MMIO = "mmio"  # they lead to a device
    OUTSIDE = "outside"  # they name memory that is not there


@dataclass(frozen=True, slots=True)
class Walk:
    """One access by one vCPU, and every step of its translation.

    :param style: how the guest is virtualized; ``bare`` if it is not.
    :param satp: the guest's.
    :param own: through the guest's tables, gva to gpa.
    :param hpa: the machine address behind the gpa; None if it has none: a
        device, or memory that was never touched.
    :param real: what the machine finds.
    """

    guest: str
    vcpu: int
    style: str
    policy: str
    gva: int
    access: Access
    priv: Priv
    sum: bool
    mxr: bool
    satp: int
    own: Lookup
    hpa: int | None
    real: Answer

    @property
    def verdict(self) -> Verdict:
        """What becomes of the access."""
        own, found = self.own, self.real.lookup.result
        if self.style != "bare" and found is not None:
            return Verdict.OK if found == self.hpa else Verdict.STALE
        if own.result is None:
            outside = self.cause in (1, 5, 7)
            return Verdict.OUTSIDE if outside else Verdict.FAULT
        if self.hpa is None and own.result < lib.RAM_BASE:
            return Verdict.MMIO
        return Verdict.OK if found is not None else Verdict.MISSING

    @property
    def cause(self) -> int | None:
        """What the guest's scause would be; None if its tables allow it."""
        return self.own.cause

    @property
    def text(self) -> str:
        """The steps for people, at most 80 columns wide."""
        return "\n".join(
            [
                self.title,
                "",
                *_address(self.gva),
                "",
                *_stage("the guest's tables: gva -> gpa", self.satp, self.own),
                "",
                *self._p2m(),
                "",
                *self._machine(),
                "",
                f"verdict: {self.outcome}",
            ]
        )

    @property
    def title(self) -> str:
        """Whose access it is, in a line."""
        bits = f", SUM {self.sum:d} MXR {self.mxr:d}" * (self.priv is Priv.S)
        how = ", ".join(w for w in (self.style, self.policy) if w)
        return (
            f"{self.access} of {self.gva:08x} by {self.guest}, "
            f"vCPU {self.vcpu} in {self.priv}{bits} ({how})"
        )

    @property
    def outcome(self) -> str:
        """The verdict and its reason, in a line or two."""
        why = {
            Verdict.OK: "",
            Verdict.STALE: "the machine still translates as the guest's "
            "tables no longer do; a fence is due",
            Verdict.MISSING: "an exit; the hypervisor fills it",
            Verdict.MMIO: "an exit; a device answers"
            if self.style != "bare"
            else "a device answers",
        }.get(self.verdict, f"cause {self.cause}: {self.own.why}")
        return f"{self.verdict}: {why}" if why else str(self.verdict)

    def _p2m(self) -> list[str]:
        if self.style == "bare":
            return ["p2m: none, for there is no hypervisor"]
        lines = ["p2m: gpa -> hpa"]
        if self.own.result is None:
            return [*lines, "  (no gpa to look up)"]
        gfn = self.own.result >> 12
        if self.hpa is None:
            device = self.own.result < lib.RAM_BASE
            what = "a device's" if device else "never touched: no frame yet"
            return [*lines, f"  gfn {gfn:05x}: {what}"]
        return [
            *lines,
            f"  gfn {gfn:05x} -> hfn {self.hpa >> 12:05x}",
            f"  hpa {self.hpa:08x}",
        ]

    def _machine(self) -> list[str]:
        real = self.real
        head = f"the machine: {real.title}"
        if self.style == "bare":
            return [head, f"  {real.root}"]
        lines = [_with_satp(head, real.satp, real.register)]
        if not any(entry.table for entry in real.lookup.entries):
            lines += _wrapped(f"root: {real.root}")
        lines += _steps(real.lookup, "hpa")
        if real.would:
            lines += _wrapped(f"to be filled: {real.would}")
        return lines

    @property
    def svg(self) -> str:
        """The steps as a picture."""
        from hv.views.walk_svg import draw  # noqa: PLC0415 -- it imports us

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
            "vcpu": self.vcpu,
            "style": self.style,
            "policy": self.policy,
            "gva": self.gva,
            "access": self.access,
            "priv": self.priv,
            "sum": self.sum,
            "mxr": self.mxr,
            "satp": self.satp,
            "guest_tables": self.own.to_json(),
            "gpa": self.own.result,
            "hpa": self.hpa,
            "machine": self.real.to_json(),
            "verdict": self.verdict,
            "cause": self.cause,
        }


def walk(
    guest: Guest, gva: int | str, access: str = "load", vcpu: int = 0
) -> Walk:
    """Follow one address through all tables. Nothing changes by it.

    :param guest: a VM, or the bare machine.
    :param gva: a guest-virtual address, or the name of a symbol of its image.
    :param access: ``fetch``, ``load`` or ``store``.
    :raises UsageError: if an argument is out of range.
    """
    kind = choose(Access, access, "access")
    integer("vcpu", vcpu, 0, len(guest.cpu) - 1)
    address = guest.address(gva)
    cpu, info = guest.cpu[vcpu], guest.info
    priv, sstatus = cpu.priv, cpu.reg("sstatus")
    satp = cpu.reg("satp") if priv is not Priv.M else 0
    view = View(
        Mode.USER if priv is Priv.U else Mode.SUPERVISOR,
        sum=bool(sstatus & SUM),
        mxr=bool(sstatus & MXR),
    )
    root = own_root(guest, vcpu)
    asked = Question(
        *(guest, vcpu, address, kind, view, satp, sstatus, Lookup(), None)
    )
    if root is not None:
        asked = replace(asked, satp=SV32 | root)
        own = look_up_own(asked)
    else:
        board = board_of(guest)
        own = look_up(
            *(lambda at: _guest_word(guest, at), satp, address),
            *(kind, view, board),
        )
    hpa = _behind(guest, own.result)
    asked = replace(asked, own=own, hpa=hpa)
    style = str(info.style or "bare")
    return Walk(
        guest=guest.name,
        vcpu=vcpu,
        style=style,
        policy=str(info.sync or "") * (style in SHADOWED),
        gva=address,
        access=kind,
        priv=priv,
        sum=view.sum,
        mxr=view.mxr,
        satp=asked.satp,
        own=own,
        hpa=hpa,
        real=REAL[style].look(asked),
    )


def _guest_word(guest: Guest, address: int) -> int | None:
    """Return a word of guest memory; None where the guest has none."""
    if not guest.mem.base <= address < guest.mem.end:
        return None
    return guest.mem.read32(address)


def _behind(guest: Guest, gpa: int | None) -> int | None:
    """Return the machine address behind a guest-physical one."""
    if gpa is None or not guest.mem.base <= gpa < guest.mem.end:
        return None
    if not isinstance(guest, VM):
        return gpa
    frame = guest.frame_of(gpa >> 12)
    return None if frame is None else frame << 12 | gpa & 0xFFF


# -- text ----------------------------------------------------------------------


def _address(gva: int) -> list[str]:
    """Return an address cut into its three parts."""
    upper, lower, offset = gva >> 22, gva >> 12 & 0x3FF, gva & 0xFFF
    return [
        f"gva {gva & U32:08x}   {upper:010b}   {lower:010b}   {offset:012b}",
        f"{'':15}{f'VPN1 {upper}':13}{f'VPN0 {lower}':13}offset {offset:#x}",
    ]


def _with_satp(head: str, satp: int, register: str = "satp") -> str:
    return f"{head:50}{register:>11} {satp:08x}" if satp else head


def _stage(head: str, satp: int, found: Lookup) -> list[str]:
    lines = [_with_satp(head, satp)]
    if not satp & SV32:
        lines.append("  no translation: an address is physical")
    return [*lines, *_steps(found, "gpa")]


def _steps(found: Lookup, space: str) -> list[str]:
    lines: list[str] = []
    for entry in found.entries:
        if entry.table:
            lines += _wrapped(entry.table)
        lines.append(_step(entry))
    if found.result is None:
        return [*lines, f"  stops: {found.why}"]
    lines.append(f"  {space} {found.result:08x}")
    if found.sets:
        names = " and ".join(b.name or "" for b in Pte if b & found.sets)
        lines[-1] += f" (the access sets {names})"
    return lines


def _step(entry: Entry) -> str:
    """Return one entry in a line."""
    where = f"  level {entry.level} [{entry.index:4}] at {entry.address:08x}:"
    if entry.value is None:
        return f"{where} no memory"
    to = ""
    if entry.leaf:
        to = f"page {entry.frame:05x}"
        if entry.level:
            to = f"megapage {entry.frame:05x}"
    elif entry.pointer:
        to = f"table {entry.frame:05x}"
    return f"{where} {entry.value:08x}  {entry.bits}  {to}".rstrip()


def _wrapped(text: str) -> list[str]:
    return wrap(text, 80, initial_indent="  ", subsequent_indent="    ")
