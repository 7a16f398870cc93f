/* tlb.c - the translation lookaside buffer: look up, insert, fence.
 *
 * An entry stays until it is overwritten or fenced: a change of tables or of
 * satp does not touch it. That is the architecture's contract (software must
 * execute sfence.vma), and this machine does not hide mistakes. */
#include "machine/tlb.h"
#include "abi/pte.h"
#include <stddef.h>

#define PAGE_OF(va)     ((va) & ~(uint32_t)PAGE_MASK)
#define MEGAPAGE_OF(va) ((va) & ~(uint32_t)(MEGAPAGE_SIZE - 1))

static uint32_t tlb_index(uint32_t va)
{
    return (va >> PAGE_SHIFT) % TLB_ENTRIES;
}

const struct tlb_entry *tlb_lookup(const struct tlb *tlb, enum access access,
                                   uint64_t context, uint32_t va)
{
    const struct tlb_entry *entry = &tlb->entry[access][tlb_index(va)];

    return entry->tag == (context | PAGE_OF(va) | TLB_VALID) ? entry : NULL;
}

void tlb_insert(struct tlb *tlb, enum access access, uint64_t context,
                uint32_t va, uint32_t page, uint32_t flags)
{
    uint32_t i = tlb_index(va);

    tlb->entry[access][i] = (struct tlb_entry){
        .tag = context | PAGE_OF(va) | TLB_VALID,
        .page = page,
        .flags = flags,
    };
    tlb->host[access][i].tag = 0;
}

/* A fragment stands for its whole megapage: one address names them all. */
static bool tlb_covers(const struct tlb_entry *entry, uint32_t va)
{
    uint32_t page = PAGE_OF((uint32_t)entry->tag);

    if (entry->flags & TLB_MEGA)
        return MEGAPAGE_OF(page) == MEGAPAGE_OF(va);
    return page == PAGE_OF(va);
}

/* G is not honoured: a global page is cached once per ASID, and a fence of an
 * ASID drops its copy. Dropping more than was asked for is always allowed. */
void tlb_fence(struct tlb *tlb, bool one_va, uint32_t va, uint64_t mask,
               uint64_t space)
{
    for (int access = 0; access < NR_ACCESS; access++) {
        for (int i = 0; i < TLB_ENTRIES; i++) {
            struct tlb_entry *entry = &tlb->entry[access][i];

            if ((!one_va || tlb_covers(entry, va)) &&
                (entry->tag & mask) == space)
                entry->tag = tlb->host[access][i].tag = 0;
        }
    }
}
