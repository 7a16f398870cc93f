/* hostile-sret.c - returns from traps that never happened.
 *
 * styles: bare, emulate, assist, nested
 * expect: refused
 *
 * sret to user mode with a kernel address, to nowhere, and again and again: an
 * emulator that leaves SPP set makes the next program a kernel, and one that
 * takes SIE from the wrong place loses interrupts. What must happen: SPP is
 * clear and SPIE set afterwards, user mode cannot fetch a kernel page, and a
 * wild sepc is a fault in user mode. */
#include "hostile/lib/hostile.h"

static const uint32_t nothing[32];

void attack(void)
{
    paging_prepare();
    paging_on(root);
    user_run(nothing, KERNEL_BASE);
    check_fault(CAUSE_FETCH_PAGE, KERNEL_BASE,
                "the kernel's code, by the user");
    check((fault.status & MSTATUS_SPP) == 0, "it was user mode");
    user_run(nothing, 0x20000000);
    check_fault(CAUSE_FETCH_PAGE, 0x20000000, "nowhere");
    paging_off();

    user_run(nothing, 0xfffffffc);
    check_fault(CAUSE_FETCH_ACCESS, 0xfffffffc, "nowhere, untranslated");

    /* One sret to kernel mode; a second must go to user mode. */
    uint32_t status;
    __asm__ volatile("la   t0, 1f\n\t"
                     "csrw sepc, t0\n\t"
                     "li   t0, %1\n\t"
                     "csrc sstatus, t0\n\t"
                     "li   t0, %2\n\t"
                     "csrs sstatus, t0\n\t"
                     "sret\n"
                     "1:\tcsrr %0, sstatus"
                     : "=r"(status)
                     : "i"(MSTATUS_SPIE), "i"(MSTATUS_SPP)
                     : "t0", "memory");
    check((status & MSTATUS_SPP) == 0, "SPP after sret");
    check((status & MSTATUS_SPIE) != 0, "SPIE after sret");
    check((status & MSTATUS_SIE) == 0, "SIE is what SPIE was");
}
