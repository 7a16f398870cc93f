/* hostile-pv-iret.c - returns from traps to wild places.
 *
 * styles: pv
 * expect: refused
 *
 * The guest writes what iret reads: a pc that is odd or nowhere, mode words
 * with every bit set, a stack in a device. PV return paths are where others
 * handed out the wrong mode (XSA-213, XSA-215). What must happen: unknown bits
 * mean nothing, user mode is user mode, and a wild pc is a fault that the
 * guest's own handler gets. */
#include "hostile/lib/hostile.h"

extern uint32_t shared_at;

static uint32_t prev, pc, sp;

static void iret(uint32_t unused)
{
    (void)unused;
    *word_at(shared_at + SI_PREV) = prev;
    *word_at(shared_at + SI_EPC) = pc;
    *word_at(shared_at + SI_SP) = sp;
    hv_call(HCALL_iret, 0, 0);
}

static void to(uint32_t where, uint32_t how, uint32_t cause, const char *what)
{
    prev = how;
    pc = where;
    sp = UART_BASE;
    check(!attempt(iret, 0), what);
    check_fault(cause, where & ~3u, what);
    check(fault.epc == (where & ~3u) && fault.x[REG_SP] == sp, what);
    check((fault.status & PV_PREV_KERNEL) == (how & PV_PREV_KERNEL), what);
}

void attack(void)
{
    const uint32_t nowhere[] = { 0, 1, UART_BASE, ram_end, 0xfffffffc, ~0u };
    const uint32_t bits = ~(uint32_t)(PV_PREV_KERNEL | PV_PREV_IRQ);

    for (uint32_t i = 0; i < COUNT(nowhere); i++)
        for (uint32_t how = 0; how < 4; how++) {
            to(nowhere[i], how, CAUSE_FETCH_ACCESS, "nowhere");
            to(nowhere[i], how | bits, CAUSE_FETCH_ACCESS, "nowhere");
        }
    paging_prepare();
    paging_on(root);
    to(KERNEL_BASE, bits, CAUSE_FETCH_PAGE, "user mode, in kernel code");
    to(USER_WINDOW, PV_PREV_KERNEL, CAUSE_FETCH_PAGE,
       "kernel mode, in user code");
    to(0x20000000, bits | PV_PREV_IRQ, CAUSE_FETCH_PAGE, "not mapped");
    check((*word_at(shared_at + SI_PREV) & bits) == 0, "only known bits");
    check(*word_at(shared_at + SI_IRQ_ENABLED) == 0, "masked in the handler");
}
