/* hostile-uart.c - fills, floods and fuzzes the UART's registers.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * VENOM (CVE-2015-3456) was a FIFO whose index was not checked. Here: more
 * bytes than the FIFO holds, in loopback, with the FIFO on and off, then
 * thousands of random register accesses of every width and at every offset.
 * What must happen: 16 bytes, or one, come back in order, and no more; widths
 * other than a byte are access faults; nothing hangs. */
#include "hostile/lib/hostile.h"

#define REG(n)  (UART_BASE + (n))
#define LOOP    0x10u /* MCR: nothing leaves the port */
#define LSR     5
#define DATA_IN 0x01u

static uint32_t get(uint32_t reg)
{
    uint32_t val = 0;

    check(can_load(REG(reg), 1, &val), "a register of the UART");
    return val;
}

static void put(uint32_t reg, uint32_t val)
{
    check(can_store(REG(reg), 1, val), "a register of the UART");
}

static void overflow(uint32_t fcr, uint32_t room)
{
    put(2, fcr | 2); /* empty it */
    for (uint32_t i = 0; i < 100; i++)
        put(0, 1 + i);
    for (uint32_t i = 0; i < room; i++) {
        check(get(LSR) & DATA_IN, "a byte is missing");
        check(get(0) == 1 + i, "the bytes are in order");
    }
    check(!(get(LSR) & DATA_IN), "more bytes than it holds");
    check(get(0) == 0, "an empty FIFO");
}

static void fuzz(void)
{
    uint32_t val;

    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t what = draw(), size = 1u << what % 3;
        uint32_t offset = (what >> 8 & 0xff) & ~(size - 1);

        if (size == 1 && offset == 4) /* stay in loopback */
            put(4, (what >> 16 & 0xff) | LOOP);
        else if (what & 0x80000000 ? !can_store(REG(offset), size, what >> 16)
                                   : !can_load(REG(offset), size, &val))
            check(size != 1 && fault.tval == REG(offset), "a wide access");
    }
}

void attack(void)
{
    put(3, 0);
    put(4, LOOP);
    overflow(1, 16);
    overflow(0, 1);
    fuzz();
    put(3, 0);
    put(1, 0);
    put(4, LOOP);
    overflow(1, 16);
    put(2, 3);
    put(4, 0);
}
