/* race-wakeup.c - looks, then lies down: the alarm rings in between.
 *
 * styles: bare, emulate, assist, nested
 *
 * The sleeper looks whether there is work before it says that it sleeps; who
 * brings work in between sees nobody to wake. The cure is to say so first, and
 * to look again (as every sleep queue does; Xen's VCPUOP_block and futex(2) have
 * the check inside of the call for the same reason). */
#include "race/lib/race.h"

static shared_t work, asleep;

void second(void)
{
#ifdef FIXED
    asleep = 1;
    fence();
    if (!work)
        wait_for_ipi();
#else
    if (!work) {
        asleep = 1;
        wait_for_ipi();
    }
#endif
    must(work);
}

void first(void)
{
    work = 1;
    fence();
    if (asleep)
        send_ipi(1);
}
