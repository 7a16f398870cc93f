/* hostile-pv-noentry.c - a trap before anybody said where traps go.
 *
 * styles: pv, direct
 * expect: killed "no trap entry"
 *
 * A paravirtual kernel registers its shared page and its entry before anything
 * else. This one registers the page, forgets the entry, and executes what is
 * not an instruction. A hypervisor that jumps to entry 0, or writes the trap
 * where nobody asked for it (XSA-215), does the guest's work. What must
 * happen: there is nobody to tell, so the VM is killed. */
#include "hostile/lib/hostile.h"

void attack_at_start(void)
{
    hv_call(HCALL_set_shared, address(page[0]), 0);
    __asm__ volatile(".word 0");
    breach("back from a trap that has no handler");
}

void attack(void)
{
}
