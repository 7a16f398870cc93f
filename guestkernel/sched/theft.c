/* theft.c - sleeps when the clock ticks, and computes in between.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: contained
 *
 * A scheduler that charges a tick to whoever runs when the clock ticks never
 * charges this one (Zhou et al., 2011; csrc/sched/sampled.c). It knows when the
 * next tick comes, since slices are multiples of TICK and it reads the time
 * since it was made, so it should be made when the machine is. What must
 * happen: it gets its share, as if it had only computed. */
#include "hostile/lib/hostile.h"

#define TICK   1000 /* of `time` */
#define BEFORE 60   /* so long before a tick it stops ... */
#define AFTER  10   /* ... until so long behind it: a switch takes longer */

static void sleep_until(uint64_t when)
{
    timer_at(when);
    if (paravirtual)
        hv_call(HCALL_block, 0, 0);
    else
        __asm__ volatile("wfi");
}

void attack(void)
{
    interrupts(true);
    interrupts(false); /* native: an interrupt ends a wait, and no more */
    for (;;) {
        uint32_t time = csr_read("time"); /* enough for seven minutes */
        uint32_t phase = time % TICK;

        if (phase >= TICK - BEFORE)
            sleep_until(time - phase + TICK + AFTER);
    }
}
