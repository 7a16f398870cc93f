/* hostile-traploop-root.c - a root page table that does not exist.
 *
 * styles: emulate, assist, nested
 * expect: killed "trap loop"
 *
 * satp takes any number. With a root beyond RAM, or of more than 32 address
 * bits, every fetch is an access fault, that of the trap handler, too. The
 * class of XSA-148: a table that was believed because it was named. What must
 * happen: the hypervisor never reads that "table", and kills the VM for the
 * loop. (A paravirtual kernel is told instead: hostile-pv-root.) */
#include "hostile/lib/hostile.h"

void attack(void)
{
    csr_write("satp", SATP_MODE | SATP_PPN_MASK);
    breach("a root that does not exist");
}
