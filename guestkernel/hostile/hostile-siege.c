/* hostile-siege.c - tries one thing after the other, says so, and gives up.
 *
 * styles: emulate, assist, nested, pv
 * expect: killed "trap loop"
 *
 * The attack to watch: memory outside, a forged page table, a privileged
 * instruction from user mode, a call that is not a kernel's to make. Each is
 * refused, as in the kernels that do only that, and it prints how. In the end
 * it pulls its own trap handler away and traps, which no guest survives. What
 * must happen: four refusals, and then it is killed; nobody else notices. */
#include "hostile/lib/hostile.h"

static void says(const char *what, uint32_t cause)
{
    check(fault.cause == cause, what);
    print("siege: ");
    print(what);
    print(": refused\n");
    for (volatile int pause = 0; pause < 20000; pause++)
        ;
}

void attack(void)
{
    uint32_t val, a0 = 0;

    check(!can_load(ram_end, 4, &val), "the neighbour's memory");
    says("the neighbour's memory", CAUSE_LOAD_ACCESS);
    paging_prepare();
    paging_on(root);
    map(0x40000000, pte(ram_end, PTE_RWX | LEAF));
    check(!can_store(0x40000000, 4, 1), "a forged page table");
    says("a forged page table", CAUSE_STORE_ACCESS);
    check(!user_can_execute(0x10200073, &a0, 0), "sret from user mode");
    says("sret from user mode", CAUSE_ILLEGAL);
    check(!user_can_load(KERNEL_BASE, &val), "the kernel's page");
    says("the kernel's memory, from user mode", CAUSE_LOAD_PAGE);
    print("siege: and now without a trap handler\n");
    set_vector(0);
    __asm__ volatile("ebreak");
    breach("back from a trap that has no handler");
}
