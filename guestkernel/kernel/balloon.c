/* balloon.c - pages that are given back to the hypervisor, of the kernel that
 * knows that it has one.
 *
 * Every few ticks it asks how many the hypervisor would like to have; as long
 * as there are some to move, it moves a list of them every tick. A page that is
 * given back is no memory: its number is noted elsewhere, in pages of the
 * ledger. All this is done by the first hart alone, so it needs no lock. */
#include "abi/pte.h"
#include "abi/pv.h"
#include "kernel/cpu.h"
#include "kernel/kernel.h"
#include "kernel/page.h"
#include "kernel/priv.h"
#include "kernel/pv.h"
#include "kernel/trap.h"

#define POLL    8  /* ticks between two questions */
#define RESERVE 16 /* pages that programs may need before the next tick */

struct ledger {
    struct ledger *before;
    uint32_t       count;
    uint32_t       page[PAGE_SIZE / 4 - 2]; /* their frame numbers */
};
_Static_assert(sizeof(struct ledger) == PAGE_SIZE, "ledger");

static struct ledger *ledger;
static uint32_t       lent; /* pages that the allocator has not */
static uint32_t       list[PV_BALLOON_MAX];
static uint32_t       said = PV_BALLOON_WORKS;
static uint32_t       due; /* tick */

uint32_t priv_pages_lent(void)
{
    return lent;
}

/* Room for one more number; false if there is no page for it. */
static bool ledger_room(void)
{
    struct ledger *fresh;

    if (ledger != NULL && ledger->count < PAGE_SIZE / 4 - 2)
        return true;
    fresh = (struct ledger *)page_alloc_dirty();
    if (fresh == NULL)
        return false;
    fresh->before = ledger;
    fresh->count = 0;
    ledger = fresh;
    lent++;
    return true;
}

static void ledger_trim(void)
{
    while (ledger != NULL && ledger->count == 0) {
        struct ledger *empty = ledger;

        ledger = empty->before;
        page_free((uint32_t)empty);
        lent--;
    }
}

static void inflate(uint32_t wanted)
{
    uint32_t n = 0;

    while (n < wanted && n < PV_BALLOON_MAX && page_count_free() > RESERVE &&
           ledger_room()) {
        uint32_t page = page_alloc_dirty();

        if (page == 0) /* another hart was faster */
            break;
        list[n] = page >> PAGE_SHIFT;
        ledger->page[ledger->count++] = list[n++];
    }
    said = n == 0 ? PV_BALLOON_STUCK : PV_BALLOON_WORKS;
    if (n > 0 && hcall_balloon_give((uint32_t)list, n).error != 0)
        panic("the hypervisor refuses %u pages", n);
    lent += n;
}

/* The newest first. It may be refused: the hypervisor has changed its mind. */
static void deflate(uint32_t wanted)
{
    uint32_t n = 0;

    said = PV_BALLOON_WORKS;
    if (ledger == NULL)
        return;
    while (n < wanted && n < PV_BALLOON_MAX && n < ledger->count) {
        list[n] = ledger->page[ledger->count - 1 - n];
        n++;
    }
    if (hcall_balloon_take((uint32_t)list, n).error != 0)
        return;
    ledger->count -= n;
    lent -= n;
    for (uint32_t i = 0; i < n; i++)
        page_free(list[i] << PAGE_SHIFT);
    ledger_trim();
}

void priv_background(void)
{
    struct hcall_ret surplus;

    if (cpu_self()->id != boot_info.hart || (int32_t)(trap_ticks() - due) < 0)
        return;
    due = trap_ticks() + 1;
    surplus = hcall_balloon(said);
    if (surplus.error != 0) /* no such call: do not ask again */
        due = trap_ticks() + INT32_MAX;
    else if ((int32_t)surplus.value > 0)
        inflate(surplus.value);
    else if (surplus.value != 0 && ledger != NULL)
        deflate(-surplus.value);
    else
        due = trap_ticks() + POLL;
}
