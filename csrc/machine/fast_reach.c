/* fast_reach.c - the shortcuts that let an access skip the TLB proper.
 *
 * A struct tlb_host stands beside each TLB entry and says, under the same tag,
 * where the page is in this process:
 *
 *   loads, stores   at + va is the byte (so `at` is its page less va's page)
 *   fetches         at is the first operation of the decoded page
 *
 * It may exist only while the access needs nothing else to be done:
 *
 *   translated      the TLB holds the same tag (tlb_insert() and tlb_fence()
 *                   drop the shortcut with the entry)
 *   untranslated    always; the tag then carries TLB_BARE
 *   any             the page is RAM, not a device
 *   store           the page is not decoded, see fast_page.c, and it is known
 *                   to be written, see marks.h
 *
 * And while any hart holds a reservation, no shortcut for stores is good: the
 * key that their tags are compared with is then one that no tag has. */
#include "machine/fast.h"

static void shorten(struct hart *hart, enum access access, uint32_t va,
                    uintptr_t at)
{
    uint32_t i = (va >> PAGE_SHIFT) % TLB_ENTRIES;

    hart->tlb.host[access][i] = (struct tlb_host){
        .tag = hart->view[access].key + (va & ~(uint32_t)PAGE_MASK),
        .at = at,
    };
}

int fast_reach_data(struct hart *hart, enum access access, uint32_t va,
                    uint32_t size)
{
    struct machine *m = hart->machine;
    uint32_t        pa;

    if (va & (size - 1))
        return access == ACCESS_STORE ? CAUSE_STORE_MISALIGNED
                                      : CAUSE_LOAD_MISALIGNED;
    int cause = mmu_translate(hart, access, va, &pa);
    if (cause != MMU_OK)
        return cause;
    uint8_t *ram = ram_at(m, pa, size);
    if (!ram)
        return REACH_STEP;
    if (access == ACCESS_STORE && (m->fast->page[(pa - RAM_BASE) / PAGE_SIZE] ||
                                   fast_store_key(hart) == KEY_NEVER))
        return REACH_STEP;
    if (access == ACCESS_STORE)
        ram_touch(m, pa);
    shorten(hart, access, va, (uintptr_t)ram - va);
    return REACH_OK;
}

int fast_reach_code(struct hart *hart)
{
    struct machine *m = hart->machine;
    uint32_t        pc = hart->regs.pc;
    uint32_t        pa;

    if (pc & 3)
        return CAUSE_FETCH_MISALIGNED;
    int cause = mmu_translate(hart, ACCESS_FETCH, pc, &pa);
    if (cause != MMU_OK)
        return cause;
    if (!ram_at(m, pa, 4))
        return CAUSE_FETCH_ACCESS;
    struct fast_page *page = fast_page_get(m, (pa - RAM_BASE) / PAGE_SIZE);
    if (!page)
        return REACH_STEP;
    shorten(hart, ACCESS_FETCH, pc, (uintptr_t)page->op);
    return REACH_OK;
}
