/* hostile-pv-fence.c - fences of everything, one page at a time.
 *
 * styles: pv
 * expect: refused
 *
 * A fence names a range: all of memory, one that wraps, one that is a byte
 * short of everything. A loop over its pages is a million steps that cannot be
 * preempted (XSA-45, XSA-31). What must happen: each returns after bounded
 * work, whatever it names, and every translation that it names is gone. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u
#define LONG   100000 /* ticks of 100 ns: far more than any fence may take */

/* How long it takes; the shortest of three, since others may have had their
 * turn in between. */
static uint64_t duration(uint32_t start, uint32_t size)
{
    uint64_t shortest = UINT64_MAX;

    for (int i = 0; i < 3; i++) {
        uint64_t began = now();

        check_hv(SBI_SUCCESS, HCALL_fence, start, size, "a fence");
        if (now() - began < shortest)
            shortest = now() - began;
    }
    return shortest;
}

void attack(void)
{
    static const uint32_t ranges[][2] = {
        { 0, 0 },
        { 0, 0xffffffff },
        { WINDOW, 1 },
        { WINDOW - 1, 2 },
        { WINDOW + 0xfff, 1 },
        { 0xfffff000, 0xffffffff },
        { 1, 0xfffffffe },
        { WINDOW - 64 * PAGE_SIZE, 65 * PAGE_SIZE },
        { WINDOW - 63 * PAGE_SIZE, 64 * PAGE_SIZE },
        { 0x80000000, 0xffffffff },
    };

    paging_prepare();
    for (uint32_t n = 0; n < 2; n++)
        page[n][0] = n;
    paging_on(root);
    for (uint32_t i = 0; i < COUNT(ranges); i++) {
        uint32_t val;

        map(WINDOW, pte(address(page[0]), PTE_R | LEAF));
        check(can_load(WINDOW, 4, &val) && val == 0, "the first page");
        *slot_of(WINDOW) = pte(address(page[1]), PTE_R | LEAF);
        check(duration(ranges[i][0], ranges[i][1]) < LONG,
              "a fence without an end");
        check(can_load(WINDOW, 4, &val) && val == 1, "forgotten");
    }
}
