/* hostile-traploop.c - a trap handler that cannot be fetched.
 *
 * styles: emulate, assist, nested, pv, direct
 * expect: killed "trap loop"
 *
 * The vector points to where nothing is, and then something traps. The trap
 * faults, which traps, which faults: no instruction is ever executed again. On
 * a bare machine that hart is lost. A hypervisor that injects in a loop of its
 * own is lost with it (XSA-156: a fault while delivering a fault). What must
 * happen: ours counts the traps that it delivered without one instruction in
 * between, and kills the VM. */
#include "hostile/lib/hostile.h"

void attack(void)
{
    set_vector(0);
    __asm__ volatile("ebreak");
    breach("back from a trap that has no handler");
}
