/* hostile-megapage.c - megapages that reach beyond what it owns.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * One entry maps 4 MiB. A hypervisor that checks only the first frame maps
 * whatever follows in the machine (XSA-148, XSA-167: all of its memory). What
 * must happen: in the last megapage, page by page, what is RAM works and what
 * is not gives an access fault; a megapage whose number is not a multiple of
 * 1024 is a page fault. Run it with RAM that is not a multiple of 4 MiB. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u

static void whole(uint32_t base)
{
    uint32_t val;

    root[WINDOW >> MEGAPAGE_SHIFT] = pte(base, PTE_RWX | LEAF);
    fence_all();
    for (uint32_t at = 0; at < MEGAPAGE_SIZE; at += PAGE_SIZE) {
        if (base + at < ram_end) {
            check(can_load(WINDOW + at, 4, &val), "RAM in a megapage");
            continue;
        }
        check_load(WINDOW + at, 4, CAUSE_LOAD_ACCESS, "beyond RAM");
        check_store(WINDOW + at + 0xffc, 4, CAUSE_STORE_ACCESS, "beyond RAM");
    }
    check_jump(WINDOW + MEGAPAGE_SIZE - 4, CAUSE_FETCH_ACCESS, "beyond RAM");
}

void attack(void)
{
    uint32_t last = (ram_end - 1) & ~(uint32_t)(MEGAPAGE_SIZE - 1);
    uint32_t kernel = KERNEL_BASE >> PAGE_SHIFT;

    paging_prepare();
    paging_on(root);
    if (last + MEGAPAGE_SIZE > ram_end)
        whole(last);
    whole(last + MEGAPAGE_SIZE);

    for (uint32_t bit = 1; bit < PT_ENTRIES; bit <<= 1) {
        root[WINDOW >> MEGAPAGE_SHIFT] = (kernel | bit) << PTE_PPN_SHIFT |
                                         PTE_RWX | LEAF;
        fence_all();
        check_load(WINDOW, 4, CAUSE_LOAD_PAGE, "a misaligned megapage");
        check_store(WINDOW, 4, CAUSE_STORE_PAGE, "a misaligned megapage");
        check_jump(WINDOW, CAUSE_FETCH_PAGE, "a misaligned megapage");
    }
}
