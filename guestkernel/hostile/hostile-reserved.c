/* hostile-reserved.c - reserved bits in pointers to page tables.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * D, A and U are reserved in an entry that points to a table. A hypervisor
 * that has a fast path for "only flags changed" (XSA-148, XSA-182), or that
 * takes rights from a pointer, differs from the machine here. What must
 * happen: a page fault while any of them is set; G and the two software bits
 * mean nothing. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u

void attack(void)
{
    uint32_t  val;
    uint32_t *entry = &root[WINDOW >> MEGAPAGE_SHIFT];

    paging_prepare();
    paging_on(root);
    map(WINDOW, pte(address(page[0]), PTE_RWX | LEAF));
    uint32_t good = *entry;

    for (uint32_t bits = 0; bits < 64; bits++) {
        uint32_t flags = bits << 4; /* U G A D and the software bits */

        *entry = good | flags;
        fence_all();
        if (flags & (PTE_U | PTE_A | PTE_D)) {
            check_load(WINDOW, 4, CAUSE_LOAD_PAGE, "reserved bits");
            check_store(WINDOW, 4, CAUSE_STORE_PAGE, "reserved bits");
        } else {
            check(can_load(WINDOW, 4, &val), "bits that mean nothing");
        }
    }
}
