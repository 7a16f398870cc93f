/* hostile-pv-entry.c - a trap entry that points to nowhere.
 *
 * styles: pv
 * expect: killed "trap loop"
 *
 * Where the entry leads is the guest's affair: it is an address in whatever
 * space is in force when a trap comes. Here it is fine when it is registered
 * and gone when it is used, since the address space has changed. A hypervisor
 * that checked once and believes it for ever jumps there on the guest's behalf
 * (the class of XSA-215). What must happen: the fetch faults, in the guest,
 * which traps, which faults: a trap loop. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u

void attack(void)
{
    paging_prepare();
    paging_on(root);
    page[0][0] = INSN_ECALL;
    map(WINDOW, pte(address(page[0]), PTE_RWX | LEAF));
    check_hv(SBI_SUCCESS, HCALL_set_entry, WINDOW, 0, "an entry that is there");
    map(WINDOW, 0);
    __asm__ volatile("ebreak");
    breach("back from a trap that has no handler");
}
