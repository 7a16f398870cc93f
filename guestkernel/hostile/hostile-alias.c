/* hostile-alias.c - one page under several names, with different rights.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * A read-only name and a writable one, from the same table and from two, by
 * page and by megapage; then the page behind the names is a page table in use.
 * A hypervisor that keeps rights per frame instead of per entry gives the
 * read-only name W (XSA-234, CVE-2021-38198); one that shares a cached table
 * between two places forgets which asked (KVM, shadow page roles). What must
 * happen: each name has its own rights, and all of them show the same
 * bytes. */
#include "hostile/lib/hostile.h"

#define READER 0x40000000u
#define WRITER 0x40001000u
#define USER   0x48000000u /* another table */
#define MEGA   0x50000000u

void attack(void)
{
    uint32_t here = address(page[0]), val;
    uint32_t mega = MEGA + (here & (MEGAPAGE_SIZE - 1));

    paging_prepare();
    root[MEGA >> MEGAPAGE_SHIFT] = pte(here & ~(uint32_t)(MEGAPAGE_SIZE - 1),
                                       PTE_R | LEAF);
    paging_on(root);
    map(READER, pte(here, PTE_R | LEAF));
    map(WRITER, pte(here, PTE_R | PTE_W | LEAF));
    map(USER, pte(here, PTE_U | PTE_R | LEAF));

    for (uint32_t i = 1; i < 20; i++) {
        check(can_store(WRITER, 4, i), "the writable name");
        check(can_load(READER, 4, &val) && val == i, "the read-only name");
        check(can_load(mega, 4, &val) && val == i, "the megapage's name");
        check(user_can_load(USER, &val) && val == i, "the user's name");
        check_store(READER, 4, CAUSE_STORE_PAGE, "a store by the reader");
        check_store(mega, 4, CAUSE_STORE_PAGE, "a store by the megapage");
        check(!user_can_store(USER, 0), "a store by the user");
        check_fault(CAUSE_STORE_PAGE, USER, "a store by the user");
        check(!user_can_load(READER, &val), "the kernel's name, by the user");
    }

    /* The table of READER and WRITER, seen through itself. */
    uint32_t table = root[READER >> MEGAPAGE_SHIFT] >> PTE_PPN_SHIFT
                                                           << PAGE_SHIFT;
    map(WRITER, pte(table, PTE_R | PTE_W | LEAF));
    for (uint32_t n = 0; n < NR_PAGES; n++) {
        page[n][0] = 100 + n;
        *word_at(WRITER) = pte(address(page[n]), PTE_R | LEAF);
        fence_page(READER);
        check(can_load(READER, 4, &val) && val == 100 + n,
              "an entry written through an alias");
    }
}
