/* hostile-loop.c - an endless loop with interrupts off.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: contained
 *
 * The guest's interrupt flag is the guest's. A hypervisor that lets it mask
 * the machine's timer never gets the hart back (XSA-202, XSA-303). What must
 * happen: others get their share, and the loop ends with its budget. */
#include "hostile/lib/hostile.h"

void attack(void)
{
    interrupts(false);
    for (;;)
        __asm__ volatile("");
}
