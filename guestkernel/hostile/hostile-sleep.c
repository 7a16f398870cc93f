/* hostile-sleep.c - waits for an interrupt that nobody will send.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: contained
 *
 * Everything is masked, no timer is set, and then wfi, or the block call. A
 * hypervisor that spins for it burns the hart; one that counts on something to
 * wake it hangs (and a wakeup that is lost looks the same, from outside). What
 * must happen: the VM sleeps, others run, and the host says that everybody
 * waits. */
#include "hostile/lib/hostile.h"

void attack(void)
{
    timer_at(UINT64_MAX);
    interrupts(false);
    if (!paravirtual)
        csr_write("sie", 0);
    for (;;) {
        if (paravirtual)
            hv_call(HCALL_block, 0, 0);
        else
            __asm__ volatile("wfi");
    }
}
