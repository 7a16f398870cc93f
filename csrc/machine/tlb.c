/* tlb.c - the translation lookaside buffer: insert, fence.
 *
 * An entry stays until it is overwritten or fenced: a change of tables or of
 * satp does not touch it. That is the architecture's contract (software must
 * execute sfence.vma), and this machine does not hide mistakes. */
#include "machine/tlb.h"
#include "abi/pte.h"

#define PAGE_OF(va)     ((va) & ~(uint32_t)PAGE_MASK)
#define MEGAPAGE_OF(va) ((va) & ~(uint32_t)(MEGAPAGE_SIZE - 1))

void tlb_insert(struct tlb *tlb, enum access access, uint64_t context,
                uint32_t va, uint32_t page, uint32_t flags)
{
    uint32_t i = TLB_INDEX(va);

    tlb->entry[access][i] = (struct tlb_entry){
        .tag = TLB_TAG(context, va),
        .page = page,
        .flags = flags,
    };
    tlb->host[access][i].tag = 0;
    tlb->used[access][i / 64] |= (uint64_t)1 << i % 64;
    tlb->fragments |= flags & TLB_MEGA;
}

/* marker: lab-tlb-covers */
/* A fragment stands for its whole megapage: one address names them all. */
static bool tlb_covers(const struct tlb_entry *entry, uint32_t va)
{
    uint32_t page = PAGE_OF((uint32_t)entry->tag);

    if (entry->flags & TLB_MEGA)
        return MEGAPAGE_OF(page) == MEGAPAGE_OF(va);
    return page == PAGE_OF(va);
}
/* marker: end */

/* The number of the lowest bit that is set. */
static uint32_t lowest(uint64_t bits)
{
#ifdef __GNUC__
    return (uint32_t)__builtin_ctzll(bits);
#else
    uint32_t i = 0;

    while (!(bits >> i & 1))
        i++;
    return i;
#endif
}

static void tlb_drop(struct tlb *tlb, int access, uint32_t i)
{
    struct tlb_entry *entry = &tlb->entry[access][i];

    entry->tag = tlb->host[access][i].tag = 0;
    tlb->used[access][i / 64] &= ~((uint64_t)1 << i % 64);
}

static bool tlb_any(const struct tlb *tlb)
{
    for (int access = 0; access < NR_ACCESS; access++)
        for (uint32_t word = 0; word < TLB_ENTRIES / 64; word++)
            if (tlb->used[access][word])
                return true;
    return false;
}

static void tlb_fence_access(struct tlb *tlb, int access, bool one_va,
                             uint32_t va, uint64_t mask, uint64_t space)
{
    for (uint32_t word = 0; word < TLB_ENTRIES / 64; word++) {
        uint64_t bits = tlb->used[access][word];

        for (; bits; bits &= bits - 1) {
            uint32_t                i = 64 * word + lowest(bits);
            const struct tlb_entry *entry = &tlb->entry[access][i];

            if ((!one_va || tlb_covers(entry, va)) &&
                (entry->tag & mask) == space)
                tlb_drop(tlb, access, i);
        }
    }
}

/* marker: lab-tlb-fence */
/* G is not honoured: a global page is cached once per ASID, and a fence of an
 * ASID drops its copy. Dropping more than was asked for is always allowed. */
void tlb_fence(struct tlb *tlb, bool one_va, uint32_t va, uint64_t mask,
               uint64_t space)
{
    for (int access = 0; access < NR_ACCESS; access++) {
        uint32_t                i = TLB_INDEX(va);
        const struct tlb_entry *entry = &tlb->entry[access][i];

        if (!one_va || tlb->fragments)
            tlb_fence_access(tlb, access, one_va, va, mask, space);
        else if (tlb_covers(entry, va) && (entry->tag & mask) == space)
            tlb_drop(tlb, access, i);
    }
    if (!one_va)
        tlb->fragments = tlb->fragments && tlb_any(tlb);
}
/* marker: end */
