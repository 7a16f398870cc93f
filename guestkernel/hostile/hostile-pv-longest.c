/* hostile-pv-longest.c - the longest exits that a paravirtual kernel can make.
 *
 * styles: pv
 * expect: refused
 *
 * Work in the hypervisor that a guest asks for and nothing interrupts is time
 * taken from everybody (XSA-31, XSA-45, XSA-97, XSA-410). Here: multicalls of
 * lists over pages that were never touched; fences of everything over full
 * shadow tables, by hv's call, by SBI's, and by a firmware's; frames given back
 * that are tables in every role; console buffers as long as they may be; and
 * progress that was never made, told in the registers in which a call that was
 * left off keeps it. What must happen: each is cut into pieces, and is in the
 * end what it would be in one; who forges progress gets the end of his own list,
 * or an error. */
#include "hostile/lib/hostile.h"

#define PARAM   SBI_ERR_INVALID_PARAM
#define OUTSIDE SBI_ERR_INVALID_ADDRESS
#define WINDOW  0x40000000u
#define UPDATES PV_PT_UPDATE_MAX
#define TABLES  12

struct record {
    uint32_t nr;
    int32_t  error;
    uint32_t arg[4];
};

static struct record *const list = (struct record *)page[0];

/* Below the image: RAM that nobody has touched. */
static uint32_t next;

static uint32_t fresh(uint32_t pages)
{
    uint32_t at = next;

    next += pages * PAGE_SIZE;
    return at;
}

/* In record i: store to `pages` pages, a word in each. */
static void updates(uint32_t i, uint32_t at, uint32_t pages)
{
    uint32_t *entry = &page[1 + i / 8][i % 8 * 2 * UPDATES];

    for (uint32_t n = 0; n < pages; n++) {
        entry[2 * n] = at + n * PAGE_SIZE;
        entry[2 * n + 1] = i << 16 | n;
    }
    list[i] = (struct record){ HCALL_pt_update, 77, { address(entry), pages } };
}

static void check_stored(uint32_t i, uint32_t at, uint32_t pages)
{
    for (uint32_t n = 0; n < pages; n++)
        check(*word_at(at + n * PAGE_SIZE) == (i << 16 | n), "what is stored");
}

static void multicalls(void)
{
    uint32_t at = fresh(16 * 40);

    for (uint32_t i = 0; i < 16; i++)
        updates(i, at + i * 40 * PAGE_SIZE, 40);
    struct ret ret = hv_call(HCALL_multicall, address(list), 16);
    check(ret.error == SBI_SUCCESS && ret.value == 16, "all of them");
    for (uint32_t i = 0; i < 16; i++) {
        check(list[i].error == SBI_SUCCESS, "each of them");
        check_stored(i, at + i * 40 * PAGE_SIZE, 40);
    }
}

/* A list with a bad entry at its end: nothing of it, however long it takes. */
static void all_or_nothing(void)
{
    uint32_t at = fresh(UPDATES), *entry = page[1];

    updates(0, at, UPDATES);
    entry[2 * UPDATES - 2] = ram_end;
    check_hv(OUTSIDE, HCALL_pt_update, address(entry), UPDATES, "a bad entry");
    for (uint32_t n = 0; n < UPDATES - 1; n++)
        check(*word_at(at + n * PAGE_SIZE) == 0, "an entry before it");
}

static void forged(void)
{
    static const uint32_t wild[] = { 0x10000,    0x200001,   0x1f0002,
                                     0xffff0001, 0x80000001, 0x10021,
                                     0x7fff0020, 0xffffffff };

    for (uint32_t i = 0; i < 4; i++)
        list[i] = (struct record){ HCALL_features, 77, { 0 } };
    for (uint32_t i = 0; i < COUNT(wild); i++)
        check_hv(PARAM, HCALL_multicall, address(list), wild[i], "wild");
    check_hv(OUTSIDE, HCALL_multicall, ram_end - 24, 0x10002, "beyond the end");
    for (uint32_t i = 0; i < 4; i++)
        check(list[i].error == 77, "none has run");
    check_hv(SBI_SUCCESS, HCALL_multicall, address(&list[2]), 0x1d0001, "one");
    check(list[1].error == 77 && list[2].error == 0 && list[3].error == 77,
          "the one that is left");
}

/* Tables of 1024 pages each, of the same frames, every page of them used. */
static void fill(uint32_t tables, uint32_t count)
{
    for (uint32_t t = 0; t < count; t++) {
        volatile uint32_t *table = word_at(tables + t * PAGE_SIZE);
        uint32_t           val;

        for (uint32_t i = 0; i < PT_ENTRIES; i++)
            table[i] = pte(RAM_BASE + i * PAGE_SIZE, PTE_R | LEAF);
        root[(WINDOW >> MEGAPAGE_SHIFT) + t] = pte(tables + t * PAGE_SIZE,
                                                   PTE_V);
        for (uint32_t i = 0; i < PT_ENTRIES; i++)
            check(can_load(WINDOW + t * MEGAPAGE_SIZE + i * PAGE_SIZE, 4, &val),
                  "a page of it");
    }
}

/* A root with a link in every entry that nothing else needs. */
static void fill_root(uint32_t tables)
{
    uint32_t first = (WINDOW >> MEGAPAGE_SHIFT) + TABLES, val;

    for (uint32_t i = first; i < PT_ENTRIES; i++) {
        if (i >= RAM_BASE >> MEGAPAGE_SHIFT && i <= ram_end >> MEGAPAGE_SHIFT)
            continue;
        root[i] = pte(tables + i % TABLES * PAGE_SIZE, PTE_V);
        check(can_load(i << MEGAPAGE_SHIFT, 4, &val), "a link of it");
    }
}

static void fences(uint32_t tables)
{
    check_hv(SBI_SUCCESS, HCALL_fence, 0, 0, "of everything");
    fill_root(tables);
    check_sbi(SBI_SUCCESS, SBI_EXT_RFNC, SBI_RFNC_SFENCE, 0, ~0u, 0,
              "of everybody");
    fill_root(tables);
    check_sbi(SBI_SUCCESS, SBI_LEGACY_SFENCE, 0, 0, 0, 0, "as of old");
    fill_root(tables);
    check_hv(SBI_SUCCESS, HCALL_fence, WINDOW - 1, 64 * PAGE_SIZE,
             "of a range");
}

/* Full tables and pages with many mappings, all in one list. */
static void give(uint32_t tables, uint32_t count)
{
    uint32_t *gfn = page[0];

    for (uint32_t i = 0; i < PV_BALLOON_MAX; i++)
        gfn[i] = i < count ? (tables >> PAGE_SHIFT) + i
                           : (next >> PAGE_SHIFT) + i;
    struct ret ret = hv_call(HCALL_balloon_give, address(gfn), PV_BALLOON_MAX);
    check(ret.error == SBI_SUCCESS && ret.value == PV_BALLOON_MAX, "given");
    check_load(WINDOW, 4, CAUSE_LOAD_ACCESS, "by a table that is gone");
    ret = hv_call(HCALL_balloon_take, address(gfn), PV_BALLOON_MAX);
    check(ret.error == SBI_SUCCESS && ret.value == PV_BALLOON_MAX, "taken");
}

static void console(void)
{
    uint32_t at = fresh(2) + 8;

    for (uint32_t i = 0; i < PV_MULTICALL_MAX; i++)
        list[i] = (struct record){ i % 2 ? HCALL_console_read : HCALL_pt_update,
                                   77,
                                   { at, i % 2 ? PV_CONSOLE_MAX : 0 } };
    check_hv(SBI_SUCCESS, HCALL_multicall, address(list), PV_MULTICALL_MAX,
             "long buffers");
}

void attack(void)
{
    uint32_t tables;

    next = RAM_BASE;
    forged();
    all_or_nothing();
    multicalls();
    tables = fresh(TABLES);
    console();
    paging_prepare();
    paging_on(root);
    fill(tables, TABLES);
    fences(tables);
    fill(tables, TABLES);
    give(tables, TABLES);
}
