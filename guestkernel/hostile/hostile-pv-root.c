/* hostile-pv-root.c - switches to page tables that are not there.
 *
 * styles: pv
 * expect: refused
 *
 * A root outside RAM, of more than 32 address bits, with reserved bits, or
 * with a number but no mode. What must happen: an error, and the address space
 * in force stays in force (XSA-148 and its kin: a table that was believed
 * because it was named). */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u

void attack(void)
{
    uint32_t       here = address(root) >> PAGE_SHIFT, val;
    uint32_t       end = ram_end >> PAGE_SHIFT;
    const uint32_t outside[] = { 0,
                                 1,
                                 UART_BASE >> PAGE_SHIFT,
                                 (RAM_BASE >> PAGE_SHIFT) - 1,
                                 end,
                                 end + 1,
                                 0xfffff,
                                 0x100000,
                                 here | 1u << 20,
                                 here | 1u << 21,
                                 0x3fffff };

    paging_prepare();
    paging_on(root);
    page[0][0] = 42;
    map(WINDOW, pte(address(page[0]), PTE_R | LEAF));
    for (uint32_t i = 0; i < COUNT(outside); i++)
        check_hv(SBI_ERR_INVALID_ADDRESS, HCALL_set_root,
                 SATP_MODE | outside[i], 0, "a root outside RAM");
    for (uint32_t bit = SATP_PPN_MASK + 1; bit < SATP_MODE; bit <<= 1)
        check_hv(SBI_ERR_INVALID_PARAM, HCALL_set_root, SATP_MODE | bit | here,
                 0, "reserved bits");
    check_hv(SBI_ERR_INVALID_PARAM, HCALL_set_root, here, 0, "no mode");
    check_hv(SBI_ERR_INVALID_PARAM, HCALL_set_root, 1, 0, "no mode");
    check(can_load(WINDOW, 4, &val) && val == 42, "the space is what it was");
    check_load(WINDOW + PAGE_SIZE, 4, CAUSE_LOAD_PAGE, "translation is on");
}
