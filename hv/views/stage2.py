"""The second stage beside a guest's page table: where its pages really are.

Under the style ``nested`` there are no shadows. The machine walks the guest's
own tables, and looks every guest-physical address up in a second set, which the
hypervisor fills from the p2m as the guest touches its memory. So of each page
there is one more thing to say, the same for all address spaces.
"""

import struct
from collections.abc import Container
from dataclasses import dataclass

from hv import inside
from hv.facts import Style
from hv.spec.mmu import Pte
from hv.views.compared import MARKS, Sync
from hv.views.sv32 import RIGHTS, letters
from hv.vm import VM

_TABLE = struct.Struct("<1024I")
_EMPTY = (0,) * 1024


@dataclass(frozen=True, slots=True)
class Below:
    """What the second stage has for a guest-physical page.

    :param state: compared with the p2m; ``missing`` is not yet.
    :param hpa: the machine address of the page; None if there is none.
    :param rights: of R, W and X.
    """

    state: Sync
    hpa: int | None = None
    rights: int = 0

    @property
    def text(self) -> str:
        """A mark, the machine address and the rights, in few letters."""
        if self.hpa is None:
            words = {Sync.MISSING: "not yet", Sync.MMIO: "mmio"}
            return f"{MARKS[self.state]} {words.get(self.state, '')}".rstrip()
        rights = letters(self.rights, "RWX")
        return f"{MARKS[self.state]} {self.hpa:08x} {rights}"

    def after(self, pages: int) -> "Below":
        """Return what would be the same, so many pages further on."""
        hpa = None if self.hpa is None else self.hpa + (pages << 12)
        return Below(self.state, hpa, self.rights)

    def to_json(self) -> dict[str, object]:
        """Return everything, as what ``json.dumps`` takes."""
        return {
            "state": self.state,
            "hpa": self.hpa,
            "rights": letters(self.rights, "RWX"),
        }


class Stage2:
    """A VM's second stage, as it lies in machine memory.

    :param root: the first of its root's four frames. The others are for
        addresses that this machine has not.
    """

    def __init__(self, vm: VM, root: int, ram: Container[int]) -> None:
        self._vm, self._ram = vm, ram
        self.root = root
        self._top = self._read(root)
        self._tables: dict[int, tuple[int, ...]] = {}

    def _read(self, frame: int) -> tuple[int, ...]:
        data = inside.read(self._vm.host, frame << 12, _TABLE.size)
        return _TABLE.unpack(data)

    def _entry(self, gpa: int) -> int:
        upper = gpa >> 22
        if upper not in self._tables:
            link = self._top[upper]
            self._tables[upper] = self._read(link >> 10) if link else _EMPTY
        return self._tables[upper][gpa >> 12 & 0x3FF]

    def look(self, gpa: int) -> Below:
        """Say what it has for the page at a guest-physical address."""
        if gpa not in self._ram:
            return Below(Sync.MMIO)
        pte = self._entry(gpa)
        if not pte & Pte.V:
            return Below(Sync.MISSING)
        rights, hpa = pte & RIGHTS, pte >> 10 << 12
        if self._vm.frame_of(gpa >> 12) != pte >> 10:
            return Below(Sync.STALE, hpa, rights)
        full = rights == Pte.R | Pte.W | Pte.X
        return Below(Sync.SAME if full else Sync.FEWER, hpa, rights)


def second_stage(vm: VM, vcpu: int, ram: Container[int]) -> Stage2 | None:
    """Return a VM's second stage; None if it runs on none."""
    if vm.info.style is not Style.NESTED:
        return None
    root = vm.real(vcpu).root
    return None if root is None else Stage2(vm, root, ram)
