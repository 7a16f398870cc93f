/* hostile-traploop-handler.c - a trap handler that begins with a trap.
 *
 * styles: emulate, assist, nested, pv, direct
 * expect: killed "trap loop"
 *
 * Unlike hostile-traploop, the handler is there and can be fetched; but its
 * first instruction traps. The hypervisor spends hundreds of cycles for each
 * trap of a guest that never gets anywhere (XSA-156). What must happen: after
 * a bounded number of traps without progress the VM is killed. */
#include "hostile/lib/hostile.h"

void attack(void)
{
    page[0][0] = 0; /* not an instruction */
    fence_i();
    set_vector(address(page[0]));
    __asm__ volatile("ebreak");
    breach("back from a handler that traps");
}
