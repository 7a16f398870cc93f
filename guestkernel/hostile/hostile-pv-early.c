/* hostile-pv-early.c - calls in the wrong order and with wild words.
 *
 * styles: pv, direct
 * expect: refused
 *
 * What a call needs may not be there yet or be nonsense: entries that no
 * instruction can have, a stack that is not one, leaves of information that do
 * not exist, a shutdown of no known kind. An assertion that a guest can reach
 * is a way to stop the host (XSA-296, XSA-301). What must happen: the error of
 * the table, and what was registered before still holds. */
#include "hostile/lib/hostile.h"

void attack(void)
{
    static const uint32_t wild[] = { 3,          4,          0xff,
                                     0x7fffffff, 0x80000000, 0xffffffff };
    const int32_t         param = SBI_ERR_INVALID_PARAM;

    for (uint32_t i = 0; i < COUNT(wild); i++) {
        check_hv(param, HCALL_features, wild[i], 0, "a leaf of features");
        check_hv(param, HCALL_shutdown, wild[i], 0, "no such shutdown");
    }
    for (uint32_t low = 1; low < 4; low++)
        check_hv(param, HCALL_set_entry, KERNEL_BASE + low, 0,
                 "a misaligned entry");
    for (uint32_t low = 1; low < 16; low++)
        check_hv(param, HCALL_set_entry, KERNEL_BASE, KERNEL_BASE + low,
                 "a misaligned stack");
    uint32_t val;
    check_load(0, 4, CAUSE_LOAD_ACCESS, "the entry is what it was");
    /* These are no crimes, whatever is in their registers. */
    check_hv(SBI_SUCCESS, HCALL_yield, ~0u, ~0u, "yield");
    check_hv(SBI_SUCCESS, HCALL_deliver, ~0u, ~0u, "deliver");
    check_hv(SBI_SUCCESS, HCALL_set_timer, ~0u, ~0u, "never");
    check(can_load(KERNEL_BASE, 4, &val), "still here");
}
