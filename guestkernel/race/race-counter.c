/* race-counter.c - two harts count, and one of them counts in vain.
 *
 * styles: bare, emulate, assist, nested
 *
 * Load, add, store: what comes between the load and the store is lost. On most
 * schedules nothing comes; it takes one preemption at the right place. */
#include "race/lib/race.h"

static shared_t counter;
static shared_t done;

static void count(void)
{
#ifdef FIXED
    __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
#else
    counter = counter + 1;
#endif
}

void second(void)
{
    count();
    fence();
    done = 1;
}

void first(void)
{
    count();
    while (!done)
        ;
    must(counter == 2);
}
