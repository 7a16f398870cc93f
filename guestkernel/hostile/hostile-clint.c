/* hostile-clint.c - programs the machine's own timer and interrupts.
 *
 * styles: emulate, assist, nested, pv
 * expect: refused
 *
 * The CLINT raises interrupts of M-mode, where the firmware of a bare machine
 * lives. In a VM, M-mode is the hypervisor: a guest that reached these
 * registers would decide when the hypervisor wakes up (the class of XSA-202
 * and XSA-303). What must happen: access faults, for every width; time still
 * passes and the hypervisor still preempts. */
#include "hostile/lib/hostile.h"

void attack(void)
{
    static const uint32_t offsets[] = { 0,      4,      0x3ffc, 0x4000, 0x4004,
                                        0x4008, 0xbff8, 0xbffc, 0xfffc };

    for (uint32_t i = 0; i < COUNT(offsets); i++)
        for (uint32_t size = 1; size <= 4; size *= 2) {
            uint32_t at = CLINT_BASE + offsets[i];

            check_load(at, size, CAUSE_LOAD_ACCESS, "a load from the CLINT");
            check_store(at, size, CAUSE_STORE_ACCESS, "a store to the CLINT");
        }
    paging_prepare();
    root[CLINT_BASE >> MEGAPAGE_SHIFT] = pte(CLINT_BASE, PTE_RWX | LEAF);
    paging_on(root);
    check_store(CLINT_BASE + 0x4000, 4, CAUSE_STORE_ACCESS, "by megapage");
    map(0x40000000, pte(CLINT_BASE, PTE_RWX | LEAF));
    check_store(0x40000000, 4, CAUSE_STORE_ACCESS, "by page");
}
