/* hostile-timer-storm.c - timers in the past, again and again.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: contained
 *
 * Each interrupt sets the next for a moment that is over: 0, now, just now,
 * and sometimes the end of time. A hypervisor that programs the machine's own
 * timer with what it is told, or serves expired timers until there are none,
 * does nothing else from then on (CVE-2013-6367 is a timer's divisor of 0).
 * What must happen: an interrupt storm for this VM, its time slice for the
 * others. */
#include "hostile/lib/hostile.h"

static void again(uint32_t irq, struct trapframe *frame)
{
    static uint32_t n;

    (void)frame;
    (void)irq;
    timer_at(n % 3 == 0 ? 0 : n % 3 == 1 ? now() : now() - 1);
    n++;
}

void attack(void)
{
    static const uint64_t wild[] = { UINT64_MAX, UINT64_MAX - 1, 1ull << 63,
                                     0x7fffffffffffffff, 0xffffffff00000000 };

    on_interrupt = again;
    for (uint32_t i = 0; i < COUNT(wild); i++)
        timer_at(wild[i]);
    timer_at(0);
    for (;;)
        interrupts(true);
}
