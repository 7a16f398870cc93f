/* hostile-direct-update.c - lists of updates that lie about their slots.
 *
 * styles: direct
 * expect: refused
 *
 * Slots in pages that are no tables (the call would write anywhere), outside
 * RAM, not aligned; lists with one bad entry at the end (half of a failed call
 * is done), lists that rewrite the entry by which they are read, and lists in
 * a table. What must happen: an error and not one entry stored, or all. */
#include "hostile/lib/direct.h"

static struct { uint32_t slot, value; } list[PV_PT_UPDATE_MAX + 1];

static uint32_t *const slots = &user_leaf[100]; /* empty ones */

static void refused(int32_t error, uint32_t n, const char *what)
{
    check_hv(error, HCALL_pt_update, address(list), n, what);
    for (uint32_t i = 0; i < 100; i++)
        check(slots[i] == 0 && page[0][i] == 0, what);
}

static void fill(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        list[i].slot = address(&slots[i]);
        list[i].value = own(page[1], PTE_R | PTE_W | UL);
    }
}

static void bad_last(uint32_t n)
{
    fill(n);
    list[n - 1].slot = address(&page[0][3]);
    refused(DENIED, n, "a slot in a page that is no table");
    list[n - 1].slot = address(list) & ~3u;
    refused(DENIED, n, "a slot in the list itself");
    list[n - 1].slot = ram_end;
    refused(OUTSIDE, n, "a slot outside RAM");
    for (uint32_t low = 1; low < 4; low++) {
        list[n - 1].slot = address(&slots[1]) + low;
        refused(PARAM, n, "a slot that is not aligned");
    }
    fill(n);
    list[n - 1].value = own(user_leaf, PTE_R | PTE_W | UL);
    refused(PARAM, n, "a table, writable");
    list[n - 1].value = 0x3fffffu << PTE_PPN_SHIFT | PTE_R | UL;
    refused(PARAM, n, "no frame");
}

void attack(void)
{
    direct_on();
    for (uint32_t n = 1; n <= PV_PT_UPDATE_MAX; n += 7)
        bad_last(n);
    fill(PV_PT_UPDATE_MAX + 1);
    refused(PARAM, PV_PT_UPDATE_MAX + 1, "too many");
    refused(PARAM, 0, "none");
    refused(PARAM, ~0u, "a wild count");
    /* The same slot twice: the last one counts, and is counted once. */
    list[0].slot = list[1].slot = address(&slots[0]);
    list[0].value = own(page[1], PTE_R | PTE_W | UL);
    list[1].value = own(page[1], PTE_R | UL);
    check_hv(SBI_SUCCESS, HCALL_pt_update, address(list), 2, "twice");
    check(slots[0] == list[1].value, "the last one");
    good(update(&slots[0], 0), "gone");
    /* A list in a table: it may be read, and is read once. */
    check_hv(OUTSIDE, HCALL_pt_update, ram_end - 8, 2, "across the end");
    check_hv(OUTSIDE, HCALL_pt_update, address(kernel_root), 1, "slot 0");
}
