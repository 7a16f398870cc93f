"""Page tables for tests: one root, one table below it, and a code page.

The layout, in physical memory from RAM_BASE on::

    +0000  the code that M-mode runs (untranslated)
    +1000  ROOT, the level-1 table
    +2000  TABLE, the level-0 table of the megapage at VIRTUAL
    +3000  CODE, mapped at VIRTUAL, page 0: where S or U code runs
    +4000  DATA, mapped by the entry under test, VIRTUAL page 1
    +5000  OTHER, something else to map
    +400000  MEGA, a page that a megapage can name (with 8 MiB of RAM)
"""

from .core import CData, Core, Machine, abi

ROOT = abi.RAM_BASE + 0x1000
TABLE = abi.RAM_BASE + 0x2000
CODE = abi.RAM_BASE + 0x3000
DATA = abi.RAM_BASE + 0x4000
OTHER = abi.RAM_BASE + 0x5000
MEGA = abi.RAM_BASE + 0x400000
VIRTUAL = 0x40000000
DATA_VA = VIRTUAL + 0x1000
MEGA_VA = VIRTUAL + 0x400000

V, R, W, X = abi.PTE_V, abi.PTE_R, abi.PTE_W, abi.PTE_X
U, G, A, D = abi.PTE_U, abi.PTE_G, abi.PTE_A, abi.PTE_D
RWX, AD = R | W | X, A | D
SATP = abi.SATP_MODE | ROOT >> 12


def pte(pa: int, flags: int) -> int:
    """Return the entry that names the page of pa (up to 34 bits of it)."""
    return pa >> 12 << 10 | flags


def slot(va: int, level: int = 0) -> int:
    """Return where the entry of va is, in TABLE or in ROOT."""
    table = ROOT if level else TABLE
    return table + 4 * (va >> (22 if level else 12) & 0x3FF)


def paged(core: Core, *, user: bool = False, **options: CData) -> Machine:
    """Return a machine in S (or U) at VIRTUAL, with its code page mapped."""
    machine = core.machine(**({"ram": 8 << 20} | options))
    machine.poke(slot(VIRTUAL, 1), pte(TABLE, V))
    machine.poke(slot(VIRTUAL), pte(CODE, V | RWX | AD | (U if user else 0)))
    machine.set(abi.CSR_SATP, SATP)
    machine.set(abi.CSR_MTVEC, abi.RAM_BASE)
    machine.priv(abi.PRIV_U if user else abi.PRIV_S)
    machine.regs.pc = VIRTUAL
    return machine


def fence(machine: Machine, va: int | None = None) -> None:
    """sfence.vma of everything or of one address, from outside."""
    machine.lib.hart_fence(machine.hart, va is not None, va or 0, 0, 0)
