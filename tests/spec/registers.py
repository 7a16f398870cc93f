"""Registers of the specification, set from outside as hv_reg_set() does."""

from hv.spec.csr import WRITABLE, Csr
from hv.spec.hart import Hart
from hv.spec.mmu import Mode

PC, PRIV, CSR = 32, 33, 0x1000


def put_register(hart: Hart, register: int, value: int) -> None:
    """Set x0-x31, pc, the mode or a CSR, by hv.h's number for it."""
    if register < 32:
        hart.set(register, value)
    elif register == PC:
        hart.pc = value
    elif register == PRIV:
        hart.mode = Mode(value)
    else:
        number = Csr(register - CSR)
        mask = WRITABLE[number]
        hart.csr[number] = hart.csr[number] & ~mask | value & mask
