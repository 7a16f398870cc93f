/* hostile-stale.c - takes rights away and looks whether they are gone.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * Shadows and TLBs remember. What others forgot to forget: the page itself
 * (KVM f7d9c7b7b9, XSA-286, XSA-408), its W (CVE-2021-38198). What must
 * happen: after a fence nothing is left of the old entry, not through another
 * address either; before it either the old entry or the new is seen, and
 * nothing else: no third page. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u

static uint32_t entry_for(uint32_t n, uint32_t rights)
{
    return pte(address(page[n]), rights | LEAF);
}

static void another_page(void)
{
    uint32_t val = 0;

    for (uint32_t n = 0; n + 1 < NR_PAGES; n++) {
        map(WINDOW, entry_for(n, PTE_R | PTE_W));
        check(can_load(WINDOW, 4, &val) && val == n, "the page just mapped");
        *slot_of(WINDOW) = entry_for(n + 1, PTE_R | PTE_W);
        check(can_load(WINDOW, 4, &val) && (val == n || val == n + 1),
              "without a fence: the old page or the new");
        fence_page(WINDOW);
        check(can_load(WINDOW, 4, &val) && val == n + 1,
              "after a fence: the new page");
    }
}

static void less_rights(void)
{
    map(WINDOW, entry_for(0, PTE_R | PTE_W));
    check(can_store(WINDOW, 4, 77), "writable");
    map(WINDOW, entry_for(0, PTE_R));
    check_store(WINDOW, 4, CAUSE_STORE_PAGE, "W was taken away");
    check(page[0][0] == 77, "W was taken away");
    map(WINDOW, entry_for(0, PTE_X));
    check_load(WINDOW, 4, CAUSE_LOAD_PAGE, "R was taken away");
    map(WINDOW, 0);
    check_load(WINDOW, 4, CAUSE_LOAD_PAGE, "the page was taken away");
    map(WINDOW, entry_for(0, PTE_U | PTE_R));
    uint32_t val;
    check(user_can_load(WINDOW, &val) && val == 77, "given to user mode");
    map(WINDOW, entry_for(0, PTE_R));
    check(!user_can_load(WINDOW, &val), "U was taken away");
    check_fault(CAUSE_LOAD_PAGE, WINDOW, "U was taken away");
    page[0][0] = 0;
}

/* The whole table goes: its root entry is cleared, or names another. */
static void another_table(void)
{
    uint32_t  val;
    uint32_t *above = &root[WINDOW >> MEGAPAGE_SHIFT];

    map(WINDOW, entry_for(1, PTE_R));
    check(can_load(WINDOW, 4, &val) && val == 1, "the first table");
    uint32_t first = *above;
    page[0][0] = entry_for(2, PTE_R);
    *above = pte(address(page[0]), PTE_V);
    fence_all();
    check(can_load(WINDOW, 4, &val) && val == 2, "the second table");
    *above = 0;
    fence_all();
    check_load(WINDOW, 4, CAUSE_LOAD_PAGE, "no table");
    /* While it was out of sight, the first one changed. */
    *word_at(first >> PTE_PPN_SHIFT << PAGE_SHIFT) = entry_for(3, PTE_R);
    *above = first;
    fence_all();
    check(can_load(WINDOW, 4, &val) && val == 3, "the first table, edited");
    page[0][0] = 0;
}

/* A table that is known at one place appears at another, where nothing was
 * mapped before: there is nothing to forget there, so no fence is needed, and
 * what was edited meanwhile must be seen. */
static void another_window(void)
{
    uint32_t  val, second = WINDOW + MEGAPAGE_SIZE;
    uint32_t *above = &root[second >> MEGAPAGE_SHIFT];
    uint32_t  far = second + PAGE_SIZE;

    map(WINDOW, entry_for(5, PTE_R));
    map(WINDOW + PAGE_SIZE, entry_for(6, PTE_R));
    check(can_load(WINDOW + PAGE_SIZE, 4, &val) && val == 6, "a window");
    *slot_of(WINDOW + PAGE_SIZE) = entry_for(7, PTE_R);
    *(volatile uint32_t *)above = root[WINDOW >> MEGAPAGE_SHIFT];
    check(can_load(second, 4, &val) && val == 5, "a new window, old tables");
    check(can_load(far, 4, &val) && val == 7, "a new window, its other page");
    *(volatile uint32_t *)above = 0;
    fence_all();
}

void attack(void)
{
    for (uint32_t n = 0; n < NR_PAGES; n++)
        page[n][0] = n;
    paging_prepare();
    paging_on(root);
    another_page();
    less_rights();
    another_table();
    another_window();
    /* A switch of spaces and back, with a fence for all. */
    map(WINDOW, entry_for(4, PTE_R));
    paging_off();
    *slot_of(WINDOW) = entry_for(5, PTE_R);
    paging_on(root);
    uint32_t val;
    check(can_load(WINDOW, 4, &val) && val == 5, "after a switch of spaces");
}
