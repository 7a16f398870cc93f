/* hostile-beyond.c - reads, writes and executes memory that it does not own.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * Every width, and LR, SC and AMO, at the edges of RAM and in the holes of the
 * board. A hypervisor whose bound is off by one (XSA-85, XSA-301), or that
 * adds before it compares, lets the guest reach its neighbour's memory or its
 * own. What must happen: an access fault that names the address, as on a
 * machine where nothing answers there. */
#include "hostile/lib/hostile.h"

#define LR  0x1005252fu /* lr.w a0, (a0) */
#define SC  0x18b5252fu /* sc.w a0, a1, (a0) */
#define AMO 0x00b5252fu /* amoadd.w a0, a1, (a0) */

static void attack_at(uint32_t at)
{
    uint32_t a0;

    for (uint32_t size = 1; size <= 4; size *= 2) {
        check_load(at, size, CAUSE_LOAD_ACCESS, "a load outside");
        check_store(at, size, CAUSE_STORE_ACCESS, "a store outside");
    }
    check_jump(at, CAUSE_FETCH_ACCESS, "a jump outside");
    a0 = at;
    check(!can_execute(LR, &a0, 0), "lr outside");
    check_fault(CAUSE_LOAD_ACCESS, at, "lr outside");
    a0 = at;
    check(!can_execute(AMO, &a0, 1), "an AMO outside");
    check_fault(CAUSE_STORE_ACCESS, at, "an AMO outside");
    a0 = at; /* without a reservation: it may fail before it looks */
    if (can_execute(SC, &a0, 1))
        check(a0 != 0, "sc outside");
    else
        check_fault(CAUSE_STORE_ACCESS, at, "sc outside");
}

void attack(void)
{
    const uint32_t where[] = {
        0,
        TEST_BASE - 4,
        TEST_BASE + TEST_SIZE,
        CLINT_BASE - 4,
        PLIC_BASE + PLIC_SIZE,
        UART_BASE - 4,
        UART_BASE + PAGE_SIZE,
        VIRTIO_BASE,
        0x40000000,
        RAM_BASE - 4,
        ram_end,
        ram_end + PAGE_SIZE,
        ram_end + MEGAPAGE_SIZE,
        0xfffff000,
        0xfffffffc,
    };

    for (uint32_t i = 0; i < COUNT(where); i++)
        attack_at(where[i]);
    /* Before any of this was refused for the wrong reason: what is ours. */
    uint32_t val;
    check(can_load(ram_end - 4, 4, &val) && can_store(ram_end - 4, 4, val),
          "the last word of RAM is ours");
}
