"""What an access is translated by is never older than the mode and the CSRs.

The machine derives it from them, keeps it, and compares when it is entered: a
port writes CSRs without telling (csrc/port/hosted.c). Here each field that may
decide is changed alone, from outside, between two loads of one address.
"""

from dataclasses import dataclass, field

import pytest

from . import asm
from .asm import A0, A1
from .core import Core, Machine, abi
from .test_h_csr import HS, VS, M, Mode

# One megapage for the code, where it is; the one behind it is the first again.
CODE = abi.RAM_BASE
VA = CODE + 0x40_9000
ROOT, USER_ROOT, G_ROOT = CODE + 0x1000, CODE + 0x2000, CODE + 0x4000
TRANSLATED, UNTRANSLATED = 1, 2
KERNEL, USER = 0xCF, 0xDF  # V R W X A D; U
SUM = abi.MSTATUS_SUM
IN_NAME_OF_S = abi.MSTATUS_MPRV | abi.PRIV_S << abi.MSTATUS_MPP_SHIFT


def mode_on(root: int) -> int:
    """Return satp, vsatp or hgatp with this root."""
    return abi.SATP_MODE | root >> 12


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field of a hart in a mode, and what the load says before and after.

    :ivar others: further CSRs, which stay as they are.
    :ivar after: a value, or ~cause of the trap.
    """

    mode: Mode
    name: str
    old: int
    new: int
    before: int
    after: int
    others: dict[str, int] = field(default_factory=dict)


ON, USER_ON = mode_on(ROOT), mode_on(USER_ROOT)
NO_FETCH, NO_LOAD = ~abi.CAUSE_FETCH_PAGE, ~abi.CAUSE_LOAD_PAGE
CHANGES = [
    Change(
        mode=HS,
        name="priv",
        old=abi.PRIV_S,
        new=abi.PRIV_U,
        before=TRANSLATED,
        after=NO_FETCH,
        others={"satp": ON},
    ),
    Change(
        mode=HS,
        name="virt",
        old=False,
        new=True,
        before=UNTRANSLATED,
        after=TRANSLATED,
        others={"vsatp": ON},
    ),
    Change(
        mode=HS,
        name="satp",
        old=0,
        new=ON,
        before=UNTRANSLATED,
        after=TRANSLATED,
    ),
    Change(
        mode=HS,
        name="mstatus",
        old=SUM,
        new=0,
        before=TRANSLATED,
        after=NO_LOAD,
        others={"satp": USER_ON},
    ),
    Change(
        mode=VS,
        name="vsstatus",
        old=SUM,
        new=0,
        before=TRANSLATED,
        after=NO_LOAD,
        others={"vsatp": USER_ON},
    ),
    Change(
        mode=VS,
        name="vsatp",
        old=0,
        new=ON,
        before=UNTRANSLATED,
        after=TRANSLATED,
    ),
    Change(
        mode=VS,
        name="hgatp",
        old=0,
        new=mode_on(G_ROOT),
        before=UNTRANSLATED,
        after=TRANSLATED,
    ),
    Change(
        mode=M,
        name="mstatus",
        old=0,
        new=IN_NAME_OF_S,
        before=UNTRANSLATED,
        after=TRANSLATED,
        others={"satp": ON},
    ),
    Change(
        mode=M,
        name="mstatus",
        old=IN_NAME_OF_S,
        new=0,
        before=TRANSLATED,
        after=UNTRANSLATED,
        others={"satp": ON},
    ),
]


def ready(core: Core) -> Machine:
    machine = core.machine(ram=8 << 20, h_ext=True)
    for root, of_code, of_data in (
        (ROOT, KERNEL, KERNEL),
        (USER_ROOT, KERNEL, USER),
        (G_ROOT, USER, USER),
    ):
        at = root + 4 * (CODE >> 22)
        machine.poke(at, CODE >> 2 | of_code, CODE >> 2 | of_data)
    machine.poke(CODE, asm.lw(A1, 0, A0))
    machine.poke(VA - 0x40_0000, TRANSLATED)
    machine.poke(VA, UNTRANSLATED)
    machine.set(abi.CSR_MTVEC, CODE + 0x100)
    return machine


def put(machine: Machine, name: str, value: int) -> None:
    """Change a field of the hart, and tell nobody."""
    where = machine.hart if name in {"priv", "virt"} else machine.csr
    setattr(where, name, value)


def load(machine: Machine) -> int:
    """Return what VA says, or ~cause."""
    traps = machine.count.traps_m
    machine.regs.pc, machine.x[A0] = CODE, VA
    machine.step()
    trapped = machine.count.traps_m != traps
    return int(~machine.csr.mcause if trapped else machine.x[A1])


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: f"{c.mode}-{c.name}")
def test_a_change_holds_for_the_next_access(core: Core, change: Change) -> None:
    machine = ready(core)
    for name, value in change.others.items():
        put(machine, name, value)
    put(machine, change.name, change.old)
    change.mode.enter(machine)
    assert load(machine) == change.before
    put(machine, change.name, change.new)
    assert load(machine) == change.after
