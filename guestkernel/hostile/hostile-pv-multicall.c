/* hostile-pv-multicall.c - multicalls within multicalls, and worse.
 *
 * styles: pv, direct
 * expect: refused
 *
 * XSA-213: a multicall that changed the caller's mode half way through its
 * list. Here: a multicall, iret, block, deliver and shutdown inside of one;
 * lists that are too long, wrap, straddle the end of RAM; a call inside that
 * rewrites the records behind it; errors stored over a page table. What must
 * happen: calls that replace the caller are denied one by one, the others run,
 * and every error is stored in its own record only. */
#include "hostile/lib/hostile.h"

#define PARAM   SBI_ERR_INVALID_PARAM
#define OUTSIDE SBI_ERR_INVALID_ADDRESS
#define CANARY  0x5ca1ab1eu

struct record {
    uint32_t nr;
    int32_t  error;
    uint32_t arg[4];
};

static struct record *const list = (struct record *)page[0];

static void shapes(void)
{
    static const uint32_t counts[] = { 0,          33,         0xaaaaaab,
                                       0x0aaaaaaa, 0x7fffffff, 0x80000000,
                                       0xffffffff };
    uint32_t              here = address(list);

    for (uint32_t i = 0; i < 64; i++)
        list[i] = (struct record){ HCALL_set_entry, 77, { 0, 0 } };
    for (uint32_t i = 0; i < COUNT(counts); i++)
        check_hv(PARAM, HCALL_multicall, here, counts[i], "a wild count");
    for (uint32_t low = 1; low < 4; low++)
        check_hv(PARAM, HCALL_multicall, here + low, 1, "not aligned");
    check_hv(OUTSIDE, HCALL_multicall, ram_end, 1, "outside RAM");
    check_hv(OUTSIDE, HCALL_multicall, ram_end - 4, 1, "across the end");
    check_hv(OUTSIDE, HCALL_multicall, 0xfffffff8, 1, "a list that wraps");
    check_hv(OUTSIDE, HCALL_multicall, UART_BASE, 1, "in a device");
    for (uint32_t i = 0; i < 64; i++)
        check(list[i].error == 77, "an error was stored");
    check_load(0, 4, CAUSE_LOAD_ACCESS, "the entry is what it was");
}

static void forbidden(void)
{
    static const uint32_t denied[] = { HCALL_multicall, HCALL_iret, HCALL_block,
                                       HCALL_deliver, HCALL_shutdown };

    for (uint32_t i = 0; i < COUNT(denied); i++) {
        list[0] = (struct record){ HCALL_features, 77, { 0 } };
        list[1] = (struct record){ denied[i], 77, { address(list), 1 } };
        list[2] = (struct record){ 0xffffffff, 77, { 0 } };
        list[3] = (struct record){ HCALL_features, 77, { 9 } };
        list[4] = (struct record){ HCALL_yield, 77, { 0 } };
        list[5] = (struct record){ HCALL_features, CANARY, { 0 } };
        check_hv(SBI_SUCCESS, HCALL_multicall, address(list), 5, "five calls");
        check(list[0].error == 0, "the first");
        check(list[1].error == SBI_ERR_DENIED, "a call that is denied inside");
        check(list[2].error == SBI_ERR_NOT_SUPPORTED, "no such call");
        check(list[3].error == PARAM, "a wrong argument");
        check(list[4].error == 0, "the last");
        check(list[5].error == (int32_t)CANARY, "behind the last");
    }
}

/* The first call rewrites the records behind it by pt_update, through which a
 * guest may store a word anywhere in its memory. */
static void rewriting(void)
{
    uint32_t *update = page[1];

    update[0] = address(&list[1].nr);
    update[1] = HCALL_iret;
    list[0] = (struct record){ HCALL_pt_update, 77, { address(update), 1 } };
    list[1] = (struct record){ HCALL_yield, 77, { 0 } };
    list[2] = (struct record){ HCALL_yield, 77, { 0 } };
    check_hv(SBI_SUCCESS, HCALL_multicall, address(list), 3, "three calls");
    check(list[1].error == SBI_ERR_DENIED || list[1].error == 0,
          "the old record or the new one");
    check(list[2].error == 0, "and on it goes");
}

/* A record across two pages, and arguments that are not passed on. */
static void across(void)
{
    struct record *two = (struct record *)&page[2][PT_ENTRIES - 3];

    two[0] = (struct record){ HCALL_features, 77, { 1 } };
    two[1] = (struct record){ HCALL_console_write, 77, { KERNEL_BASE, ~0u } };
    check_hv(SBI_SUCCESS, HCALL_multicall, address(two), 2, "two pages");
    check(two[0].error == 0 && two[1].error == OUTSIDE, "both errors");
    check(two[0].arg[0] == 1 && two[1].arg[1] == ~0u, "arguments are kept");
}

void attack(void)
{
    shapes();
    forbidden();
    rewriting();
    across();
}
