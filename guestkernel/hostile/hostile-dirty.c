/* hostile-dirty.c - entries that were not accessed and not dirtied yet.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * A hypervisor that sets the guest's D at the first store withholds W until
 * then, and must remember what it withheld: one that gives W back to a page
 * that never had it writes to read-only memory (CVE-2021-38198, XSA-234, and
 * CVE-2021-22543 by the hypervisor's own hand). What must happen: a load sets
 * A and not D, a store sets both if it was permitted, and nothing if it was
 * not; on a machine that has no such hardware, page faults and no change. */
#include "hostile/lib/hostile.h"

#define WINDOW 0x40000000u

static volatile uint32_t *slot;

static void renew(uint32_t flags)
{
    map(WINDOW, pte(address(page[0]), flags | PTE_V));
}

static uint32_t marks(void)
{
    return *slot & (PTE_A | PTE_D);
}

static void read_only(uint32_t others)
{
    uint32_t val;

    renew(PTE_R | others);
    check_store(WINDOW, 4, CAUSE_STORE_PAGE, "a read-only page");
    check(marks() == 0, "a refused store left a mark");
    check(can_load(WINDOW, 4, &val) && marks() == PTE_A, "a load sets A");
    check_store(WINDOW, 4, CAUSE_STORE_PAGE, "read-only after a load");
    check(marks() == PTE_A, "a refused store left a mark");
    check(page[0][0] == 0x900d, "a read-only page was written");
}

static void writable(void)
{
    uint32_t val;

    renew(PTE_R | PTE_W);
    check(can_load(WINDOW, 4, &val) && marks() == PTE_A, "a load sets A");
    check(can_store(WINDOW, 4, 0x900d), "a first store");
    check(marks() == (PTE_A | PTE_D), "a store sets D");
    /* D is taken back, and must be set again: after a fence, nobody may
     * remember that it was set. */
    renew(PTE_R | PTE_W | PTE_A);
    check(can_load(WINDOW, 4, &val) && marks() == PTE_A, "still clean");
    check(can_store(WINDOW, 4, 0x900d) && marks() == (PTE_A | PTE_D),
          "a store sets D again");
    renew(PTE_R | PTE_W | PTE_U);
    check(!paravirtual || can_load(WINDOW, 4, &val), "SUM is set");
    renew(PTE_R | PTE_W | PTE_U);
    check(user_can_load(WINDOW, &val) && marks() == PTE_A, "a user's load");
    check(user_can_store(WINDOW, 0x900d) && marks() == (PTE_A | PTE_D),
          "a user's store");
}

void attack(void)
{
    uint32_t val;

    paging_prepare();
    paging_on(root);
    slot = slot_of(WINDOW);
    page[0][0] = 0x900d;
    renew(PTE_R);
    if (!can_load(WINDOW, 4, &val)) { /* no such hardware */
        check_fault(CAUSE_LOAD_PAGE, WINDOW, "A was not set");
        renew(PTE_R | PTE_W | PTE_A);
        check_store(WINDOW, 4, CAUSE_STORE_PAGE, "D was not set");
        check(marks() == PTE_A, "a mark that nobody made");
        return;
    }
    for (uint32_t round = 0; round < 3; round++) {
        read_only(0);
        read_only(PTE_X);
        writable();
    }
}
