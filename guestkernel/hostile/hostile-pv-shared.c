/* hostile-pv-shared.c - a shared-info page that is none.
 *
 * styles: pv
 * expect: refused
 *
 * The hypervisor writes there at every trap. An address that was not checked
 * for alignment (XSA-327), for its end, or for whose it is (XSA-215), makes it
 * write elsewhere. What must happen: errors, and the page that was registered
 * before stays in use; then legal but unkind pages, among them a page table in
 * force, the handler's own code, and the last page of RAM, where nothing
 * behind the page is touched. */
#include "hostile/lib/hostile.h"

extern uint32_t shared_at;

static void works_at(uint32_t at)
{
    uint32_t val;

    check_hv(SBI_SUCCESS, HCALL_set_shared, at, 0, "a page of ours");
    shared_at = at;
    check(!can_load(0, 4, &val), "a trap");
    check(*word_at(at + SI_CAUSE) == CAUSE_LOAD_ACCESS, "told in the page");
    for (uint32_t i = SI_TIME_HI + 4; i < PAGE_SIZE; i += 4)
        check(*word_at(at + i) == 0, "a word that is not the hypervisor's");
}

void attack(void)
{
    const uint32_t outside[] = { 0,
                                 UART_BASE & ~0xfffu,
                                 TEST_BASE,
                                 ram_end,
                                 RAM_BASE - PAGE_SIZE,
                                 PLIC_BASE,
                                 0xfffff000,
                                 0x7ffff000 };
    uint32_t       good = shared_at;

    for (uint32_t bit = 1; bit < PAGE_SIZE; bit <<= 1) {
        check_hv(SBI_ERR_INVALID_PARAM, HCALL_set_shared, good + bit, 0,
                 "not aligned");
        check_hv(SBI_ERR_INVALID_PARAM, HCALL_set_shared, ram_end - bit, 0,
                 "across the end of RAM");
    }
    for (uint32_t i = 0; i < COUNT(outside); i++)
        check_hv(SBI_ERR_INVALID_ADDRESS, HCALL_set_shared, outside[i], 0,
                 "not RAM of ours");
    works_at(good);
    for (uint32_t n = 0; n < NR_PAGES; n++)
        works_at(address(page[n]));
    for (uint32_t n = 0; n < NR_PAGES; n++) /* the old ones are left alone */
        memset(page[n], 0, PAGE_SIZE);
    works_at(good);
    for (uint32_t n = 0; n < NR_PAGES; n++)
        for (uint32_t i = 0; i < PT_ENTRIES; i++)
            check(page[n][i] == 0, "a page that was given back");

    /* The end of RAM: the device tree is there, and is not needed any more. */
    memset((void *)(uintptr_t)(ram_end - PAGE_SIZE), 0, PAGE_SIZE);
    works_at(ram_end - PAGE_SIZE);
    check_load(ram_end, 4, CAUSE_LOAD_ACCESS, "and nothing behind it");

    /* A table in force: what is told there are entries, which fault. */
    paging_prepare();
    root[0x40000000 >> MEGAPAGE_SHIFT] = pte(address(page[0]), PTE_V);
    paging_on(root);
    hv_call(HCALL_set_shared, address(page[0]), 0);
    shared_at = address(page[0]);
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t val;

        *word_at(shared_at + SI_IRQ_ENABLED) = 0;
        fence_all();
        if (can_load(0x40000000 + i * PAGE_SIZE, 4, &val))
            check((page[0][i] & (PTE_V | PTE_R)) == (PTE_V | PTE_R),
                  "a mapping out of nothing");
        else
            check(fault.cause == CAUSE_LOAD_PAGE ||
                      fault.cause == CAUSE_LOAD_ACCESS,
                  "what a trap wrote is an entry");
    }
}
