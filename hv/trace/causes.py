"""Traps by name: mcause and scause as words.

The RISC-V Instruction Set Manual, volume II (Privileged Architecture), tables
of mcause and, for 20 to 23, of the hypervisor extension.
"""

_INTERRUPT = 1 << 31

_EXCEPTIONS = {
    0: "fetch misaligned",
    1: "fetch access fault",
    2: "illegal instruction",
    3: "breakpoint",
    4: "load misaligned",
    5: "load access fault",
    6: "store misaligned",
    7: "store access fault",
    8: "ecall from U",
    9: "ecall from S",
    10: "ecall from VS",
    11: "ecall from M",
    12: "fetch page fault",
    13: "load page fault",
    15: "store page fault",
    20: "fetch guest-page fault",
    21: "load guest-page fault",
    22: "virtual instruction",
    23: "store guest-page fault",
}

_INTERRUPTS = {
    1: "software interrupt",
    2: "VS software interrupt",
    3: "kick",
    5: "timer interrupt",
    6: "VS timer interrupt",
    7: "timer",
    9: "external interrupt",
    10: "VS external interrupt",
    11: "external",
}


def cause_name(cause: int) -> str:
    """Return a cause register's value in words.

    Interrupts of M-mode are the hypervisor's own: its timer, and kicks.

    >>> cause_name(13), cause_name(0x80000007), cause_name(14)
    ('load page fault', 'timer', 'exception 14')
    """
    code = cause & ~_INTERRUPT
    if cause & _INTERRUPT:
        return _INTERRUPTS.get(code, f"interrupt {code}")
    return _EXCEPTIONS.get(code, f"exception {code}")
