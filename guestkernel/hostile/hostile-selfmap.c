/* hostile-selfmap.c - a page table that is its own page table.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * The root holds a pointer to itself, so it is a level-1 and a level-0 table
 * at once: legal, and the end of a hypervisor that follows pointers until they
 * stop (XSA-240), or that keeps one type per frame and lets a table be
 * written through (XSA-182, XSA-213). What must happen: what the architecture
 * says. A pointer at level 0 is a page fault; a megapage's entry read at level
 * 0 is a page; the root, mapped writable through itself, can be edited, and
 * the edits hold after a fence. */
#include "hostile/lib/hostile.h"

#define LOOP   0x50000000u /* its root entry points to the root */
#define TARGET 0x60000000u

void attack(void)
{
    uint32_t here = address(root), val = 0;
    uint32_t at_self = LOOP + (LOOP >> MEGAPAGE_SHIFT) * PAGE_SIZE;
    uint32_t at_ram = LOOP + (KERNEL_BASE >> MEGAPAGE_SHIFT) * PAGE_SIZE;
    uint32_t at_none = LOOP + 5 * PAGE_SIZE;

    paging_prepare();
    root[LOOP >> MEGAPAGE_SHIFT] = pte(here, PTE_V);
    paging_on(root);

    check_load(at_self, 4, CAUSE_LOAD_PAGE, "a pointer at level 0");
    check_store(at_self, 4, CAUSE_STORE_PAGE, "a pointer at level 0");
    check_jump(at_self, CAUSE_FETCH_PAGE, "a pointer at level 0");
    check_load(at_none, 4, CAUSE_LOAD_PAGE, "nothing at level 0");
    check(can_load(at_ram, 4, &val) && val == *word_at(KERNEL_BASE),
          "a megapage's entry is a page at level 0");

    /* A leaf for the root itself, seen through the loop. As a megapage it is
     * misaligned, and as a page it is a window on the root. */
    uint32_t index = 0x1f0, window = LOOP + index * PAGE_SIZE;
    root[index] = pte(here, PTE_R | PTE_W | LEAF);
    fence_all();
    check_load(index << MEGAPAGE_SHIFT, 4, CAUSE_LOAD_PAGE,
               "a misaligned megapage");
    volatile uint32_t *seen = word_at(window);
    for (uint32_t i = 0; i < NR_PAGES; i++) {
        page[i][0] = 0x600d0000 | i;
        page[i][1] = pte(address(page[i]), PTE_R | LEAF);
        seen[TARGET >> MEGAPAGE_SHIFT] = pte(address(page[i]), PTE_V);
        fence_all();
        check(root[TARGET >> MEGAPAGE_SHIFT] == pte(address(page[i]), PTE_V),
              "the window shows another root");
        check(can_load(TARGET + PAGE_SIZE, 4, &val) && val == page[i][0],
              "an edit through the window is not in force");
        check_store(TARGET + PAGE_SIZE, 4, CAUSE_STORE_PAGE,
                    "a read-only page, which is a table, too");
    }
}
