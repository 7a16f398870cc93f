/* hostile-sprawl.c - more address spaces and tables than anybody caches.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * The hypervisor's pool of shadow tables is bounded. This guest needs more:
 * dozens of roots, each of them the whole table of many 4 MiB windows. What
 * broke in others: a count that forgot something (XSA-427), a root freed while
 * it was in use (XSA-438), a table taken away and still linked. What must
 * happen: all of it works, only slower. */
#include "hostile/lib/hostile.h"

#define WINDOW  0x40000000u
#define SPACES  40
#define WINDOWS 100

static uint32_t space(uint32_t n)
{
    return address(image_end) + n * PAGE_SIZE;
}

static void make_space(uint32_t n)
{
    volatile uint32_t *top = word_at(space(n));

    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        top[i] = root[i];
    for (uint32_t i = 0; i < WINDOWS; i++) /* all the same table, or two */
        top[(WINDOW >> MEGAPAGE_SHIFT) + i] = pte(address(page[(i + n) % 2]),
                                                  PTE_V);
}

void attack(void)
{
    uint32_t val;

    paging_prepare();
    page[0][0] = pte(address(page[2]), PTE_R | LEAF);
    page[1][0] = pte(address(page[3]), PTE_R | LEAF);
    page[2][0] = 0;
    page[3][0] = 1;
    for (uint32_t n = 0; n < SPACES; n++)
        make_space(n);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t n = 0; n < SPACES; n++) {
            paging_on((const uint32_t *)(uintptr_t)space(n));
            for (uint32_t i = 0; i < WINDOWS; i += 1 + n % 9)
                check(can_load(WINDOW + (i << MEGAPAGE_SHIFT), 4, &val) &&
                          val == (i + n) % 2,
                      "a window shows another page");
            check_load(WINDOW + PAGE_SIZE, 4, CAUSE_LOAD_PAGE, "nothing");
        }
    paging_off();
}
