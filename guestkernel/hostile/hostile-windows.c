/* hostile-windows.c - device registers through its own page tables.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * Device windows by 4 KiB pages, by megapages and for user mode, with fewer
 * rights than a device driver wants, beside RAM, and where the board has a
 * hole. A hypervisor that emulates the access must still ask the guest's
 * tables first (XSA-105), and must not let a window shadow RAM or RAM a
 * window (the class of CVE-2013-1797). What must happen: the rights of the
 * entry decide first; then the device answers; code is never fetched there. */
#include "hostile/lib/hostile.h"

#define WINDOW  0x40000000u
#define SCRATCH (UART_BASE + 7) /* a byte that the UART only keeps */

static void by_page(void)
{
    uint32_t val, rw = PTE_R | PTE_W;

    map(WINDOW, pte(UART_BASE, rw | PTE_X | LEAF));
    check(can_store(WINDOW + 7, 1, 0x5a) && can_load(SCRATCH, 1, &val) &&
              val == 0x5a,
          "the UART by page");
    check_jump(WINDOW, CAUSE_FETCH_ACCESS, "code in a device");
    check_store(WINDOW + 0xff8, 1, CAUSE_STORE_ACCESS, "behind the UART");
    check(!user_can_load(WINDOW, &val), "the kernel's UART, by the user");
    check_fault(CAUSE_LOAD_PAGE, WINDOW, "the kernel's UART, by the user");
    map(WINDOW, pte(UART_BASE, PTE_R | LEAF));
    check_store(WINDOW + 7, 1, CAUSE_STORE_PAGE, "a read-only UART");
    map(WINDOW, pte(TEST_BASE, PTE_X | LEAF));
    check_load(WINDOW, 4, CAUSE_LOAD_PAGE, "a device to execute only");
    check_store(WINDOW, 4, CAUSE_STORE_PAGE, "a device to execute only");
    check(can_load(SCRATCH, 1, &val) && val == 0x5a, "the scratch byte");

    map(WINDOW, pte(PLIC_BASE, PTE_U | rw | LEAF));
    check(user_can_store(WINDOW + 4, 3) && user_can_load(WINDOW + 4, &val) &&
              val == 3,
          "the PLIC, given to the user");
    check(user_can_store(WINDOW + 4, 0), "the PLIC, given to the user");
}

static void by_megapage(void)
{
    uint32_t val, base = 0x0c000000;

    root[WINDOW >> MEGAPAGE_SHIFT] = 0;
    root[0x44000000 >> MEGAPAGE_SHIFT] = pte(base, PTE_R | PTE_W | LEAF);
    root[0x44400000 >> MEGAPAGE_SHIFT] = pte(base + MEGAPAGE_SIZE,
                                             PTE_R | PTE_W | LEAF);
    fence_all();
    check(can_load(0x44000000, 4, &val), "the PLIC by megapage");
    uint32_t behind = 0x44000000 + PLIC_SIZE;
    check_load(behind, 4, CAUSE_LOAD_ACCESS, "behind the PLIC");
    check_load(0x44000000 + 1, 2, CAUSE_LOAD_MISALIGNED, "misaligned");
}

/* The same address, now RAM, now a device, now RAM. */
static void change_of_mind(void)
{
    uint32_t val;

    root[WINDOW >> MEGAPAGE_SHIFT] = 0;
    page[0][1] = 0x11223344;
    for (uint32_t i = 0; i < 5; i++) {
        map(WINDOW, pte(address(page[0]), PTE_R | PTE_W | LEAF));
        check(can_load(WINDOW + 4, 4, &val) && val == 0x11223344, "RAM");
        map(WINDOW, pte(UART_BASE, PTE_R | PTE_W | LEAF));
        check_load(WINDOW + 4, 4, CAUSE_LOAD_ACCESS, "no word in a UART");
        check(can_store(WINDOW + 7, 1, i), "the UART");
    }
    check(page[0][1] == 0x11223344, "a device's store in RAM");
}

void attack(void)
{
    paging_prepare();
    paging_on(root);
    by_page();
    by_megapage();
    change_of_mind();
}
