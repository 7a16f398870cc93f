/* hostile-direct-buffers.c - lets the hypervisor write its page tables.
 *
 * styles: direct
 * expect: refused
 *
 * What the guest cannot store, the hypervisor could: results of calls and
 * traps are written for the guest, and its rights must hold there, too
 * (XSA-98). Buffers of console_read and memory_map, the list of a multicall,
 * the shared-info page: in tables, or in pages that a call inside a multicall
 * makes tables. What must happen: refused, and the table is what it was. */
#include "hostile/lib/direct.h"

static void into(uint32_t *table)
{
    uint32_t at = address(&table[8]), before = table[8];

    check_hv(OUTSIDE, HCALL_console_read, at, 4, "console_read");
    check_hv(OUTSIDE, HCALL_console_read, at - 64, 4096, "across its border");
    check(
        sbi_call(SBI_EXT_HV, HCALL_memory_map, RAM_BASE >> PAGE_SHIFT, 4, at, 0)
                .error == OUTSIDE,
        "memory_map");
    check_hv(DENIED, HCALL_multicall, at, 1, "a list of calls");
    check_hv(DENIED, HCALL_set_shared, address(table), 0, "the shared page");
    check(table[8] == before, "the table is what it was");
}

/* The shared page, and a multicall that pins the page it lies in. */
static void becomes(void)
{
    uint32_t *record = page[0];

    check_hv(DENIED, HCALL_pt_pin, shared_at, 0, "the shared page, a table");
    good(update(leaf_entry(page[0]), own(page[0], PTE_R | UL)), "read-only");
    good(hv_call(HCALL_set_roots, 0, 0).error, "untranslated");
    record[0] = HCALL_pt_pin;
    record[1] = 77;
    record[2] = address(page[0]);
    record[3] = record[4] = record[5] = 0;
    check_hv(SBI_SUCCESS, HCALL_multicall, address(record), 1, "multicall");
    check(record[1] == (uint32_t)DENIED, "its own list");
    memset(record, 0, PAGE_SIZE);
    good(pin(page[0], 0), "not while it was in use only");
    check_hv(DENIED, HCALL_multicall, address(page[0]), 1, "and now");
}

void attack(void)
{
    direct_on();
    into(kernel_root);
    into(kernel_leaf);
    into(user_root);
    into(user_leaf);
    becomes();
}
