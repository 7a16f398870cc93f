/* hostile-ptes.c - forges page-table entries that name what is not there.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * An entry's page number has 22 bits: it can name 34 address bits, of which 32
 * exist. A hypervisor that shifts and truncates maps a page of our own, or of
 * somebody else, where the bare machine gives an access fault; one that
 * believes the number maps any frame of the machine (XSA-148, XSA-182). What
 * must happen: an access fault for each kind of access, for leaves and for
 * pointers to tables, at both levels. */
#include "hostile/lib/hostile.h"

#define WINDOW         0x40000000u
#define BEYOND_32_BITS (1u << (32 - PAGE_SHIFT))

static void refused(uint32_t va)
{
    check_load(va, 4, CAUSE_LOAD_ACCESS, "a load through a forged entry");
    check_store(va, 4, CAUSE_STORE_ACCESS, "a store through a forged entry");
    check_jump(va, CAUSE_FETCH_ACCESS, "a jump through a forged entry");
}

static void leaf(uint32_t ppn)
{
    map(WINDOW, ppn << PTE_PPN_SHIFT | PTE_RWX | LEAF);
    refused(WINDOW);
}

/* As a megapage, and as a pointer to a table, from the root. */
static void upper(uint32_t ppn)
{
    uint32_t va = WINDOW + MEGAPAGE_SIZE;
    uint32_t aligned = ppn & ~(uint32_t)(PT_ENTRIES - 1);

    if (aligned >= BEYOND_32_BITS) {
        root[va >> MEGAPAGE_SHIFT] = aligned << PTE_PPN_SHIFT | PTE_RWX | LEAF;
        fence_all();
        refused(va);
    }
    root[va >> MEGAPAGE_SHIFT] = ppn << PTE_PPN_SHIFT | PTE_V;
    fence_all();
    refused(va);
}

void attack(void)
{
    uint32_t       ours = address(page[0]) >> PAGE_SHIFT;
    uint32_t       end = ram_end >> PAGE_SHIFT;
    const uint32_t forged[] = {
        0,
        1,
        0x7ffff,
        end,
        end + 1,
        end + PT_ENTRIES,
        BEYOND_32_BITS - 1,
        /* with one bit too many, and else our own */
        ours | BEYOND_32_BITS,
        ours | 2 * BEYOND_32_BITS,
        ours | 3 * BEYOND_32_BITS,
        BEYOND_32_BITS,
        0x3fffff,
    };

    page[0][0] = INSN_RET;
    paging_prepare();
    paging_on(root);
    for (uint32_t i = 0; i < COUNT(forged); i++) {
        leaf(forged[i]);
        upper(forged[i]);
    }
    check(page[0][0] == INSN_RET, "a store went through");
    map(WINDOW, pte(address(page[0]), PTE_RWX | LEAF));
    check(can_jump(WINDOW), "the honest entry works");
}
