/* hostile-longest.c - the longest exits that an unmodified kernel can make.
 *
 * styles: bare, emulate, assist, nested
 * expect: refused
 *
 * A fence of everything, a root whose every entry is in use, one frame that is
 * mapped everywhere, a table of which nothing is as it was: each of them the
 * hypervisor has to take apart, and not all at once (XSA-45, XSA-97). What must
 * happen: it is done in pieces, and no translation outlives its fence. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u
#define TABLES 12

static uint32_t table_at(uint32_t n)
{
    return RAM_BASE + n % TABLES * PAGE_SIZE;
}

/* Tables of 1024 pages, all used: each page another frame, or all the same. */
static void fill(bool same)
{
    for (uint32_t t = 0; t < TABLES; t++) {
        volatile uint32_t *table = word_at(table_at(t));
        uint32_t           val;

        for (uint32_t i = 0; i < PT_ENTRIES; i++)
            table[i] = pte(RAM_BASE + (same ? TABLES : i) * PAGE_SIZE,
                           PTE_R | LEAF);
        root[(WINDOW >> MEGAPAGE_SHIFT) + t] = pte(table_at(t), PTE_V);
        fence_all();
        for (uint32_t i = 0; i < PT_ENTRIES; i++)
            check(can_load(WINDOW + t * MEGAPAGE_SIZE + i * PAGE_SIZE, 4, &val),
                  "a page of it");
    }
}

/* A root with a link in every entry that nothing else needs. */
static void fill_root(void)
{
    uint32_t first = (WINDOW >> MEGAPAGE_SHIFT) + TABLES, val;

    for (uint32_t i = first; i < PT_ENTRIES; i++) {
        if (i >= RAM_BASE >> MEGAPAGE_SHIFT && i <= ram_end >> MEGAPAGE_SHIFT)
            continue;
        root[i] = pte(table_at(i), PTE_V);
        check(can_load(i << MEGAPAGE_SHIFT, 4, &val), "a link of it");
    }
}

/* A table whose every entry names another frame now: the fence says so. */
static void turn(void)
{
    uint32_t val, was = RAM_BASE + TABLES * PAGE_SIZE;

    *word_at(was) = 1;
    *word_at(was + PAGE_SIZE) = 2;
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        word_at(table_at(0))[i] = pte(was + PAGE_SIZE, PTE_R | LEAF);
    fence_all();
    for (uint32_t i = 0; i < PT_ENTRIES; i += 64)
        check(can_load(WINDOW + i * PAGE_SIZE, 4, &val) && val == 2,
              "what was mapped before");
}

void attack(void)
{
    paging_prepare();
    paging_on(root);
    for (uint32_t same = 0; same < 2; same++) {
        fill(same);
        fill_root();
        fence_all();
        fill_root();
        check_sbi(SBI_SUCCESS, SBI_EXT_RFNC, SBI_RFNC_SFENCE, 0, ~0u, 0,
                  "of everybody");
        fill_root();
        check_sbi(SBI_SUCCESS, SBI_LEGACY_SFENCE, 0, 0, 0, 0, "as of old");
        turn();
    }
    /* Into what is watched as a table. */
    sbi_call(SBI_EXT_DBCN, SBI_DBCN_READ, PV_CONSOLE_MAX, table_at(1), 0, 0);
}
