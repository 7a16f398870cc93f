/* tlb.c - what a fence drops: of three entries at addresses that share slots,
 * pages and megapages, in two address spaces, exactly those that it names. The
 * second opinion is a list, and knows nothing of slots. */
#include "machine/tlb.c"
#include "leaf_check.h"
#include <string.h>

#define PLACES 6

static const uint32_t places[PLACES] = {
    0x00000000, 0x00001000, 0x00080000, 0x003ff000, 0x00400000, 0xfffff000,
};
struct one {
    uint32_t va, space;
    bool     mega, live;
};

static struct tlb tlb;

static uint64_t context(uint32_t space)
{
    return 1ull << TLB_PRIV_SHIFT | TLB_ASID(space);
}

static bool cached(const struct one *e)
{
    return tlb.entry[ACCESS_LOAD][TLB_INDEX(e->va)].tag ==
           TLB_TAG(context(e->space), e->va);
}

/* sfence.vma: of an address (of its page, in a megapage of all of that), of an
 * address space, of both, of all. */
static bool named(const struct one *e, bool one_va, uint32_t va, int space)
{
    uint32_t mask = e->mega ? 0xffc00000 : 0xfffff000;

    return (!one_va || (e->va & mask) == (va & mask)) &&
           (space < 0 || e->space == (uint32_t)space);
}

static struct one one_of(uint32_t n)
{
    return (struct one){ .va = places[n % PLACES],
                         .space = 5 + n / PLACES % 2,
                         .mega = n / PLACES / 2 };
}

static bool check(struct leaf *out, struct one *e, uint32_t fence)
{
    bool     one_va = fence % 2;
    uint32_t va = places[fence / 2 % PLACES] | 0x123;
    int      space = (int)(fence / 2 / PLACES) - 1;

    memset(&tlb, 0, sizeof(tlb));
    for (uint32_t i = 0; i < 3; i++) {
        tlb_insert(&tlb, ACCESS_LOAD, context(e[i].space), e[i].va, 0x80000000,
                   e[i].mega ? TLB_MEGA : 0);
        for (uint32_t k = 0; k < i; k++) /* they may share a slot */
            e[k].live = e[k].live && TLB_INDEX(e[k].va) != TLB_INDEX(e[i].va);
        e[i].live = true;
    }
    tlb_fence(&tlb, one_va, va, space < 0 ? 0 : TLB_ASID(TLB_ASID_MASK),
              space < 0 ? 0 : TLB_ASID((uint32_t)space));
    for (uint32_t i = 0; i < 3; i++)
        if (e[i].live)
            SAME("still there", !named(&e[i], one_va, va, space), cached(&e[i]),
                 e[i].va, va, (uint32_t)space, e[i].mega);
    return true;
}

bool leaf_tlb(struct leaf *out)
{
    for (uint32_t n = 0; n < 24 * 24 * 24; n++)
        for (uint32_t fence = 0; fence < 2 * PLACES * 8; fence++) {
            struct one e[3] = { one_of(n % 24), one_of(n / 24 % 24),
                                one_of(n / 576) };

            if (!check(out, e, fence))
                return false;
        }
    return true;
}
