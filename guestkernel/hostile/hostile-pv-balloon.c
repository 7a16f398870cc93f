/* hostile-pv-balloon.c - gives back what it must not, or does not have.
 *
 * styles: pv
 * expect: refused
 *
 * What a guest gives back becomes another's. XSA-252 and XSA-507: a page that
 * was still mapped or pinned; XSA-385: one that counted twice; CVE-2026-89932
 * and its like: one that is reached again through an old translation. Here:
 * lists that are wild, too long, or no memory; pages named twice, in the
 * balloon, or not; the shared-info page; then tables in force, the list itself
 * and pages that are mapped. What must happen: all of a list or nothing, with
 * an error; and what was given back is reached through nothing any more, until
 * it is taken again, when it is zero. */
#include "hostile/lib/hostile.h"

#define PARAM   SBI_ERR_INVALID_PARAM
#define OUTSIDE SBI_ERR_INVALID_ADDRESS
#define DENIED  SBI_ERR_DENIED
#define GIVE    HCALL_balloon_give
#define TAKE    HCALL_balloon_take
#define CANARY  0x5ca1ab1eu

static uint32_t *const list = page[0];

static uint32_t frame(const void *at)
{
    return address(at) >> PAGE_SHIFT;
}

static void call(int32_t error, uint32_t nr, uint32_t count, const char *what)
{
    check_hv(error, nr, address(list), count, what);
}

static void shapes(void)
{
    static const uint32_t counts[] = { 0, PV_BALLOON_MAX + 1, 0x40000000,
                                       0x80000000, 0xffffffff };

    for (uint32_t i = 0; i < PV_BALLOON_MAX + 1; i++)
        list[i] = frame(page[1]);
    for (uint32_t i = 0; i < COUNT(counts); i++) {
        call(PARAM, GIVE, counts[i], "a wild count");
        call(PARAM, TAKE, counts[i], "a wild count to take");
    }
    for (uint32_t low = 1; low < 4; low++)
        check_hv(PARAM, GIVE, address(list) + low, 1, "not aligned");
    check_hv(OUTSIDE, GIVE, ram_end, 1, "a list outside RAM");
    check_hv(OUTSIDE, GIVE, ram_end - 4, 2, "a list across the end");
    check_hv(OUTSIDE, GIVE, 0xfffffffc, 2, "a list that wraps");
    check_hv(PARAM, HCALL_balloon, 0, 0, "says nothing");
    check_hv(PARAM, HCALL_balloon, 3, 0, "says what is not known");
}

/* In every place of a list, and nothing else of it may have gone. */
static void wild_pages(void)
{
    const uint32_t wild[] = { 0,
                              (RAM_BASE >> PAGE_SHIFT) - 1,
                              ram_end >> PAGE_SHIFT,
                              UART_BASE >> PAGE_SHIFT,
                              0xfffff,
                              0x100000 | frame(page[1]),
                              0x80000000 | frame(page[1]),
                              0xffffffff };

    *page[1] = *page[2] = CANARY;
    for (uint32_t i = 0; i < COUNT(wild); i++)
        for (uint32_t at = 0; at < 3; at++) {
            list[0] = frame(page[1]);
            list[1] = list[2] = frame(page[2]);
            list[at] = wild[i];
            if (at == 0)
                list[1] = frame(page[1]);
            call(OUTSIDE, GIVE, 3 - (at == 1), "no page of ours");
            call(OUTSIDE, TAKE, 3, "was never given");
        }
    list[0] = list[2] = frame(page[1]);
    list[1] = frame(page[2]);
    call(PARAM, GIVE, 3, "the same page twice");
    list[2] = shared_at >> PAGE_SHIFT;
    call(DENIED, GIVE, 3, "the shared-info page");
    check(*page[1] == CANARY && *page[2] == CANARY, "a page that went");
}

/* Gone, it is like what lies beyond RAM; back again, it is like new. */
static void gone_and_back(void)
{
    uint32_t at = address(page[1]);

    *page[1] = CANARY;
    list[0] = frame(page[1]);
    call(SBI_SUCCESS, GIVE, 1, "a page of ours");
    check_load(at, 4, CAUSE_LOAD_ACCESS, "loaded from the balloon");
    check_store(at, 4, CAUSE_STORE_ACCESS, "stored into the balloon");
    check_jump(at, CAUSE_FETCH_ACCESS, "executed from the balloon");
    call(OUTSIDE, GIVE, 1, "given twice");
    check_hv(OUTSIDE, HCALL_console_write, at - 4, 8, "written out from there");
    check_hv(OUTSIDE, HCALL_console_read, at - 4, 8, "read in to there");
    check_hv(OUTSIDE, HCALL_set_shared, at, 0, "a shared-info page there");
    check_hv(OUTSIDE, HCALL_set_root, SATP_MODE | frame(page[1]), 0, "a root");
    check_hv(OUTSIDE, GIVE, at, 1, "a list there");
    call(SBI_SUCCESS, TAKE, 1, "taken again");
    check(*page[1] == 0, "what was there before");
    call(OUTSIDE, TAKE, 1, "taken twice");
}

/* Through the same page's other addresses, and through tables that are given
 * back while they are in force. */
static void tables(void)
{
    uint32_t  window = 0x40000000, val;
    uint32_t *table = page[3];

    paging_prepare();
    memset(table, 0, PAGE_SIZE);
    root[window >> MEGAPAGE_SHIFT] = pte(address(table), PTE_V);
    table[0] = pte(address(page[2]), PTE_V | PTE_R | PTE_W | PTE_A | PTE_D);
    paging_on(root);
    *page[2] = CANARY;
    check(can_load(window, 4, &val) && val == CANARY, "a window");
    list[0] = frame(page[2]);
    call(SBI_SUCCESS, GIVE, 1, "a page with two mappings");
    check_load(window, 4, CAUSE_LOAD_ACCESS, "through the window");
    call(SBI_SUCCESS, TAKE, 1, "back");
    check(can_load(window, 4, &val) && val == 0, "through the window again");
    list[0] = frame(table);
    call(SBI_SUCCESS, GIVE, 1, "a table in force");
    fence_all();
    check_load(window, 4, CAUSE_LOAD_ACCESS, "by a table that is gone");
    call(SBI_SUCCESS, TAKE, 1, "the table");
    check_load(window, 4, CAUSE_LOAD_PAGE, "by a table that is empty");
}

/* The list gives itself back: it was read before. */
static void itself(void)
{
    list[0] = frame(list);
    call(SBI_SUCCESS, GIVE, 1, "the list itself");
    check_load(address(list), 4, CAUSE_LOAD_ACCESS, "the list");
    *page[1] = frame(list);
    check_hv(SBI_SUCCESS, TAKE, address(page[1]), 1, "the list again");
    check(list[0] == 0, "its old contents");
}

void attack(void)
{
    shapes();
    wild_pages();
    gone_and_back();
    itself();
    tables();
}
