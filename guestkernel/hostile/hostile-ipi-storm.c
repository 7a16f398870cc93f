/* hostile-ipi-storm.c - interrupts itself, from its interrupt handler.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: contained
 *
 * The handler of the software interrupt sends the next one. A hypervisor that
 * delivers what is pending until nothing is (XSA-344: event work that could
 * not be preempted) never leaves. What must happen: one interrupt is delivered
 * each time the guest runs, and the time is the guest's own. */
#include "hostile/lib/hostile.h"

static void again(uint32_t irq, struct trapframe *frame)
{
    (void)frame;
    (void)irq;
    sbi_call(SBI_LEGACY_CLEAR_IPI, 0, 0, 0, 0, 0);
    sbi_call(SBI_EXT_IPI, SBI_IPI_SEND, 1, 0, 0, 0);
}

void attack(void)
{
    on_interrupt = again;
    sbi_call(SBI_EXT_IPI, SBI_IPI_SEND, 1, 0, 0, 0);
    for (;;)
        interrupts(true);
}
