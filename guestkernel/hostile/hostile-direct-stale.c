/* hostile-direct-stale.c - unpins what it runs on, and reuses it.
 *
 * styles: direct
 * expect: refused
 *
 * A root that is unpinned while it is in force (XSA-438: it was freed under a
 * vCPU that ran on it), a leaf table that a root still points to, a root that
 * was unpinned, rewritten and pinned again (an address-space number that
 * outlives its space), and entries whose rights were cut (XSA-286: no flush).
 * What must happen: what is in use stays a table; what is changed is changed
 * for the TLB, too, before the call returns and without a fence. */
#include "hostile/lib/direct.h"

static void while_in_force(void)
{
    good(unpin(kernel_root), "we run on it");
    good(unpin(user_root), "and on this");
    check(unpin(kernel_root) == PARAM, "twice");
    check(update(leaf_entry(kernel_root), own(kernel_root, PTE_RWX | UL)) ==
              PARAM,
          "in force, so a table");
    check_store(address(kernel_root), 4, CAUSE_STORE_PAGE, "still a table");
    check(update(&kernel_root[3], own(kernel_leaf, PTE_V)) == SBI_SUCCESS,
          "and updated like one");
    good(update(&kernel_root[3], 0), "back");
    check(pin(kernel_root, 1) == DENIED, "it is a table already");
    check(unpin(kernel_leaf) == DENIED, "below a root that is in force");
    good(load_roots(kernel_root, user_root), "what is in force can be loaded");
}

/* Another root with the same kernel, but with page[0] at another place. */
static void another_root(uint32_t *root_, const uint32_t *below)
{
    memset(root_, 0, PAGE_SIZE);
    root_[KERNEL_BASE >> MEGAPAGE_SHIFT] = own(kernel_leaf, PTE_V);
    root_[1] = own(below, PTE_V);
    good(update(leaf_entry(root_), own(root_, PTE_R | UL)), "read-only");
    good(pin(root_, 1), "another root");
}

static void leave_and_reuse(void)
{
    uint32_t  val;
    uint32_t *first = page[2], *second = page[3], *below = page[4];

    page[0][0] = 1111;
    page[1][0] = 2222;
    below[0] = own(page[0], PTE_R | UL);
    good(update(leaf_entry(below), own(below, PTE_R | UL)), "read-only");
    good(pin(below, 0), "a leaf table");
    another_root(first, below);
    good(load_roots(first, first), "the first");
    /* Nobody runs on the old roots any more: they are pages now. */
    good(update(leaf_entry(user_root), own(user_root, PTE_RWX | UL)), "a page");
    good(pin(user_root, 1) == DENIED ? 0 : 1, "writable, so no table");
    check(can_load(0x400000, 4, &val) && val == 1111, "page 0");
    another_root(second, below);
    good(load_roots(second, second), "the second");
    good(unpin(first), "nobody runs on it");
    good(update(leaf_entry(first), own(first, PTE_RWX | UL)), "a page");
    first[1] = 0;
    good(update(leaf_entry(first), own(first, PTE_R | UL)), "read-only");
    good(pin(first, 1), "a root again, another one");
    good(load_roots(first, first), "which is in force");
    check_load(0x400000, 4, CAUSE_LOAD_PAGE, "what the old one had");
    good(load_roots(second, second), "back");
    good(update(&below[0], own(page[1], PTE_R | PTE_W | UL)), "another page");
    check(can_load(0x400000, 4, &val) && val == 2222, "at once");
    check(can_store(0x400000, 4, 3333), "and writable");
    good(update(&below[0], own(page[1], PTE_R | UL)), "read-only");
    check_store(0x400000, 4, CAUSE_STORE_PAGE, "at once");
    good(update(&below[0], 0), "gone");
    check_load(0x400000, 4, CAUSE_LOAD_PAGE, "at once");
}

void attack(void)
{
    direct_on();
    while_in_force();
    leave_and_reuse();
}
