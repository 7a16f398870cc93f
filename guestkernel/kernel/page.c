/* page.c - the allocator of physical pages.
 *
 * Memory that was never used is not touched, not even to put it on a list: a
 * hypervisor that gives a VM memory on first touch then gives us only what we
 * need. So there are two supplies: `fresh`, which moves up through RAM, and a
 * list of pages that were used and given back, which is asked first.
 *
 * A freed page is filled with junk, so that who still uses it soon fails; and
 * junk that changed says at the next allocation that someone did.
 *
 * Pages are cleared and filled outside the lock. */
#include "kernel/page.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/lock.h"
#include "lib/string.h"

#define JUNK      0x5a
#define JUNK_WORD 0x5a5a5a5a

struct free_page {
    struct free_page *next;
    uint32_t          junk[PAGE_SIZE / 4 - 1];
};

static struct lock page_lock = { .rank = LOCK_PAGE };

/* All with the lock. */
static struct free_page *used; /* pages that were given back */
static uint32_t          fresh, fresh_end;
static uint32_t          nr_free;

static uint32_t page_of(uint32_t address)
{
    return address & ~(uint32_t)PAGE_MASK;
}

static bool page_is_ours(uint32_t page)
{
    return page >= fresh && page < fresh_end;
}

static bool overlaps(uint32_t page, const struct range *range)
{
    return page < range->end && page + PAGE_SIZE > range->start;
}

/* Is there something in this page that we must keep? */
static bool page_reserved(uint32_t page)
{
    return overlaps(page, &boot_info.dtb) || overlaps(page, &boot_info.initrd);
}

void page_init(void)
{
    const struct range *dtb = &boot_info.dtb, *initrd = &boot_info.initrd;

    fresh = (uint32_t)kernel_end;
    fresh_end = page_of(boot_info.ram.end);
    nr_free = (fresh_end - fresh) / PAGE_SIZE;
    for (uint32_t page = page_of(dtb->start); page < dtb->end;
         page += PAGE_SIZE)
        nr_free -= page_is_ours(page);
    for (uint32_t page = page_of(initrd->start); page < initrd->end;
         page += PAGE_SIZE)
        nr_free -= page_is_ours(page) && !overlaps(page, dtb);
}

static uint32_t take_used(void)
{
    struct free_page *page = used;

    if (page->junk[0] != JUNK_WORD ||
        page->junk[PAGE_SIZE / 4 - 2] != JUNK_WORD)
        panic("page %08x was written after it was freed", (uint32_t)page);
    used = page->next;
    return (uint32_t)page;
}

static uint32_t take_fresh(void)
{
    while (page_reserved(fresh))
        fresh += PAGE_SIZE;
    fresh += PAGE_SIZE;
    return fresh - PAGE_SIZE;
}

uint32_t page_alloc_dirty(void)
{
    uint32_t page = 0;

    lock_take(&page_lock);
    if (nr_free != 0) {
        nr_free--;
        page = used != NULL ? take_used() : take_fresh();
    }
    lock_drop(&page_lock);
    return page;
}

uint32_t page_alloc(void)
{
    uint32_t page = page_alloc_dirty();

    if (page != 0)
        memset((void *)page, 0, PAGE_SIZE);
    return page;
}

void page_free(uint32_t page)
{
    struct free_page *freed = (struct free_page *)page;

    if (page % PAGE_SIZE != 0 || page < (uint32_t)kernel_end ||
        page >= __atomic_load_n(&fresh, __ATOMIC_RELAXED) ||
        page_reserved(page))
        panic("%08x is not a page to free", page);
    memset(freed, JUNK, PAGE_SIZE);
    lock_take(&page_lock);
    freed->next = used;
    used = freed;
    nr_free++;
    lock_drop(&page_lock);
}

uint32_t page_count_free(void)
{
    return nr_free;
}
