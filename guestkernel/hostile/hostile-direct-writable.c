/* hostile-direct-writable.c - wants to write its own page tables.
 *
 * styles: direct
 * expect: refused
 *
 * A table that can be written says anything. It is mapped writable before it
 * is pinned and after, by itself and by others, through a flag that is added
 * later (XSA-182: a change of flags only was not looked at), and stored to
 * where it is read-only, translated or not. What must happen: a mapping that
 * can write and a table exclude each other, whichever was first; stores fault. */
#include "hostile/lib/direct.h"

static void writable_first(void)
{
    check(pin(page[0], 0) == DENIED, "a page that its kernel can write");
    check(pin(page[0], 1) == DENIED, "the same, as a root");
    good(update(leaf_entry(page[0]), own(page[0], PTE_R | UL)), "read-only");
    good(pin(page[0], 0), "nobody can write it now");
    check(pin(page[0], 0) == DENIED, "a table already");
    check(pin(page[0], 1) == DENIED, "and of another level");
}

static void table_first(void)
{
    static uint32_t *const tables[] = { kernel_root, user_root, kernel_leaf,
                                        user_leaf, page[0] };

    for (uint32_t i = 0; i < COUNT(tables); i++) {
        uint32_t *entry = leaf_entry(tables[i]);
        uint32_t  before = *entry;

        check(update(entry, before | PTE_W) == PARAM, "W, flags only");
        check(update(&page[0][5], before | PTE_W) == PARAM, "W, elsewhere");
        check(update(&user_leaf[5], before | PTE_W) == PARAM, "for the user");
        check(*entry == before && page[0][5] == 0, "nothing was stored");
        good(update(&user_leaf[5], before), "to read a table");
        good(update(&user_leaf[5], 0), "to forget it");
        check_store(address(&tables[i][9]), 4, CAUSE_STORE_PAGE, "a store");
    }
}

static void itself(void)
{
    page[1][3] = own(page[1], PTE_R | PTE_W | UL);
    good(update(leaf_entry(page[1]), own(page[1], PTE_R | UL)), "read-only");
    check(pin(page[1], 0) == PARAM, "a table that maps itself writable");
    good(update(leaf_entry(page[1]), own(page[1], PTE_RWX | UL)), "ours again");
    page[1][3] = own(page[1], PTE_R | UL);
    good(update(leaf_entry(page[1]), own(page[1], PTE_R | UL)), "read-only");
    good(pin(page[1], 0), "a table may read itself");
    check(update(&page[1][3], page[1][3] | PTE_W) == PARAM, "not write");
}

void attack(void)
{
    /* A store that is still in the TLB when the page becomes a table. */
    page[2][0] = 0;
    good(pin(page[2], 0), "what was just written, untranslated");
    check_store(address(page[2]), 4, CAUSE_STORE_PAGE, "untranslated, too");
    check(can_load(address(page[2]), 4, &page[3][0]), "it can be read");
    good(unpin(page[2]), "a page again");
    check(can_store(address(page[2]), 4, 0), "and writable");
    direct_on();
    writable_first();
    table_first();
    itself();
    good(hv_call(HCALL_set_roots, 0, 0).error, "untranslated");
    check_store(address(kernel_leaf), 4, CAUSE_STORE_PAGE, "still a table");
}
