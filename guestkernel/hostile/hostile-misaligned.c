/* hostile-misaligned.c - addresses that no instruction may have.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * Loads and stores that straddle a page, the end of RAM or the top of the
 * address space, and jumps to odd places. A copy that translates only the
 * first page reaches a neighbour's (CVE-2013-1796, CVE-2013-6368), an address
 * that wraps passes a bound. What must happen: this machine never splits an
 * access: "misaligned", with the address, before anything else. */
#include "hostile/lib/hostile.h"

#define LH  0x00051503u /* lh a0, 0(a0) */
#define LW  0x00052503u
#define SH  0x00b51023u /* sh a1, 0(a0) */
#define SW  0x00b52023u
#define LR  0x1005252fu
#define AMO 0x00b5252fu

static void refused(uint32_t insn, uint32_t at, uint32_t cause)
{
    uint32_t a0 = at;

    check(!can_execute(insn, &a0, 0xbad), "a misaligned access");
    check_fault(cause, at, "a misaligned access");
}

static void jump(uint32_t to)
{
    uint32_t a0 = to; /* jalr zero, 0(a0): bit 0 is dropped, bit 1 is not */

    check(!can_execute(0x00050067, &a0, 0), "a misaligned jump");
    check_fault(CAUSE_FETCH_MISALIGNED, to & ~1u, "a misaligned jump");
}

void attack(void)
{
    const uint32_t bases[] = { address(&page[1][0]), ram_end, RAM_BASE,
                               UART_BASE + 0x100, 0 };

    for (uint32_t i = 0; i < COUNT(bases); i++)
        for (uint32_t back = 1; back < 4; back++) {
            uint32_t at = bases[i] - back;

            refused(LW, at, CAUSE_LOAD_MISALIGNED);
            refused(SW, at, CAUSE_STORE_MISALIGNED);
            refused(LR, at, CAUSE_LOAD_MISALIGNED);
            refused(AMO, at, CAUSE_STORE_MISALIGNED);
            if (at & 1) {
                refused(LH, at, CAUSE_LOAD_MISALIGNED);
                refused(SH, at, CAUSE_STORE_MISALIGNED);
            }
            if (at & 2)
                jump(at);
        }
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        check(page[0][i] == 0 && page[1][i] == 0, "half of it was stored");
}
