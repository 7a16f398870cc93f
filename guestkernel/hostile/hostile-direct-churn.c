/* hostile-direct-churn.c - makes and unmakes tables without end.
 *
 * styles: direct
 * expect: contained
 *
 * Full tables, pinned and unpinned, loaded and left: the most work that one
 * call can ask for is to look at the entries of one table, or of two (XSA-45,
 * XSA-410: work that could not be interrupted). What must happen: it gets no
 * more than its share, and every count is right at the end. */
#include "hostile/lib/direct.h"

void attack(void)
{
    direct_on();
    for (uint32_t i = 0; i < PT_ENTRIES; i++) {
        page[0][i] = own(page[1], PTE_R | PTE_W | UL);
        page[2][i] = kernel_root[i];
    }
    good(update(leaf_entry(page[0]), own(page[0], PTE_R | UL)), "read-only");
    good(update(leaf_entry(page[2]), own(page[2], PTE_R | UL)), "read-only");
    for (;;) {
        good(pin(page[0], 0), "a full leaf table");
        good(pin(page[2], 1), "another root");
        good(load_roots(page[2], user_root), "which is loaded");
        good(unpin(page[2]), "and unpinned");
        good(load_roots(kernel_root, user_root), "and left");
        good(unpin(page[0]), "a page");
    }
}
