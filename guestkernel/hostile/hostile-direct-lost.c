/* hostile-direct-lost.c - loads roots that do not have its own code.
 *
 * styles: direct
 * expect: killed "trap loop"
 *
 * The roots are valid and map nothing, so the next instruction faults, and so
 * does the handler of the fault. What must happen: the VM is killed; nobody
 * else notices. */
#include "hostile/lib/direct.h"

void attack(void)
{
    good(pin(page[0], 1), "an empty root");
    load_roots(page[0], page[0]);
    breach("it runs on nothing");
}
