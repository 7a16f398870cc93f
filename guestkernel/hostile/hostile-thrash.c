/* hostile-thrash.c - builds address spaces and throws them away.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: contained
 *
 * The most expensive thing to ask of shadow paging: map, touch a page in each
 * of many windows, forget everything, start again with another root, for ever.
 * Work that a guest asks for must have an end (XSA-45, XSA-97: hypercalls that
 * ran for minutes) and memory for it a bound (XSA-149). What must happen: the
 * pool of shadow tables stays within its bound, others run. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u

void attack(void)
{
    static uint32_t *const tops[] = { root, page[4], page[5], page[6] };
    uint32_t               val;

    paging_prepare();
    for (uint32_t i = 0; i < 16; i++)
        root[(WINDOW >> MEGAPAGE_SHIFT) + i] = pte(address(page[0]), PTE_V);
    for (uint32_t n = 1; n < COUNT(tops); n++)
        memcpy(tops[n], root, PAGE_SIZE);
    for (uint32_t n = 0;; n++) {
        page[0][n % PT_ENTRIES] = pte(address(page[1 + n % 3]), PTE_R | LEAF);
        paging_on(tops[n % COUNT(tops)]);
        for (uint32_t i = 0; i < 16; i++)
            can_load(WINDOW + (i << MEGAPAGE_SHIFT) +
                         (n % PT_ENTRIES) * PAGE_SIZE,
                     4, &val);
    }
}
