/* hostile-pv-update.c - lists of page-table updates that lie.
 *
 * styles: pv
 * expect: refused
 *
 * Counts of 0, 65 and 2^32 - 1 (XSA-45: work without an end), a length that
 * wraps (XSA-29, XSA-212), a list across the end of RAM, slots that are not
 * aligned (XSA-227) or not RAM, a bad entry behind good ones (half of a failed
 * call is done: XSA-248), and a list that overwrites itself while it is read
 * (CVE-2021-29657, XSA-166: arguments fetched twice). What must happen: an
 * error and not one entry stored, or all entries as they were when the call
 * was made. */
#include "hostile/lib/hostile.h"

#define PARAM   SBI_ERR_INVALID_PARAM
#define OUTSIDE SBI_ERR_INVALID_ADDRESS
#define CANARY  0x0ddba115u

struct update { uint32_t slot, value; };

static struct update *const list = (struct update *)page[0];
static uint32_t *const      target = page[1];

static void fill(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        list[i] = (struct update){ address(&target[i]), CANARY + i };
}

static void refused(int32_t error, uint32_t at, uint32_t count,
                    const char *what)
{
    check_hv(error, HCALL_pt_update, at, count, what);
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        check(*(volatile uint32_t *)&target[i] == 0, what);
}

static void overlap(void)
{
    /* Entry i names where entry i + 1 lies: stored one by one and read again,
     * the list would change under the reader's eyes. */
    for (uint32_t i = 0; i < 8; i++)
        list[i] = (struct update){ address(&list[i + 1]), address(&target[0]) };
    list[7] = (struct update){ address(&target[7]), CANARY };
    check_hv(SBI_SUCCESS, HCALL_pt_update, address(list), 8, "an overlap");
    check(target[7] == CANARY, "the last entry, as it was");
    check(target[0] == 0, "an entry that was never in the list");
    target[7] = 0;
}

void attack(void)
{
    static const uint32_t counts[] = { 0,          65,         66,
                                       0x1fffffff, 0x20000000, 0x20000001,
                                       0x7fffffff, 0x80000000, 0xfffffffe,
                                       0xffffffff };
    uint32_t              here = address(list);

    fill(64);
    for (uint32_t i = 0; i < COUNT(counts); i++)
        refused(PARAM, here, counts[i], "a wild count");
    for (uint32_t low = 1; low < 4; low++)
        refused(PARAM, here + low, 1, "a list that is not aligned");
    refused(OUTSIDE, ram_end, 1, "a list outside RAM");
    refused(OUTSIDE, ram_end - 4, 1, "a list across the end of RAM");
    refused(OUTSIDE, RAM_BASE - 4, 2, "a list across the start of RAM");
    refused(OUTSIDE, 0xfffffffc, 64, "a list that wraps");
    refused(OUTSIDE, UART_BASE, 1, "a list in a device");
    for (uint32_t low = 1; low < 4; low++) {
        list[63].slot = address(&target[63]) + low;
        refused(PARAM, here, 64, "a slot that is not aligned");
    }
    const uint32_t nowhere[] = { 0,       UART_BASE,  RAM_BASE - 4,
                                 ram_end, 0xfffffffc, TEST_BASE };
    for (uint32_t i = 0; i < COUNT(nowhere); i++) {
        list[63].slot = nowhere[i];
        refused(OUTSIDE, here, 64, "a slot outside RAM");
    }
    overlap();

    /* A list across two pages; and slots that are in force. */
    struct update *across = (struct update *)&page[2][PT_ENTRIES - 2];
    for (uint32_t i = 0; i < 4; i++)
        across[i] = (struct update){ address(&target[i]), CANARY + i };
    check_hv(SBI_SUCCESS, HCALL_pt_update, address(across), 4, "two pages");
    for (uint32_t i = 0; i < 4; i++)
        check(target[i] == CANARY + i, "all of a list across two pages");

    paging_prepare();
    paging_on(root);
    for (uint32_t n = 4; n < NR_PAGES; n++) {
        uint32_t val;

        page[n][0] = n;
        list[0].slot = address(slot_of(0x40000000));
        list[0].value = pte(address(page[n]), PTE_R | LEAF);
        check_hv(SBI_SUCCESS, HCALL_pt_update, here, 1, "an honest update");
        check(can_load(0x40000000, 4, &val) && val == n,
              "an update needs no fence");
    }
    list[0].value = 0x3fffffu << PTE_PPN_SHIFT | PTE_RWX | LEAF;
    check_hv(SBI_SUCCESS, HCALL_pt_update, here, 1, "a forged value");
    check_load(0x40000000, 4, CAUSE_LOAD_ACCESS, "a forged value");
}
