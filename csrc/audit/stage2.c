/* stage2.c - the second stage's part of audit.c: read from the root down,
 * every entry justified (P1, P7), every reference recounted (P3), every frame
 * within what was promised (P5). */
#include "audit/recount.h"

/* A leaf: the frame that the p2m has there, and no right that makes no sense. */
static const char *audit_leaf(struct audit *a, struct vm *vm, gfn_t gfn,
                              uint32_t pte)
{
    uint32_t hfn = pte >> PTE_PPN_SHIFT;
    uint32_t fixed = PTE_V | PTE_R | PTE_X | PTE_U | PTE_A | PTE_D;
    hfn_t    now;

    if (!audit_owned(a, hfn, vm->id) && !audit_owned(a, hfn, OWNER_SHARED))
        return "P1: a second stage maps a frame of somebody else";
    if ((pte & 0x3ff & ~(uint32_t)PTE_W) != fixed)
        return "P7: a malformed leaf in a second stage";
    if (!p2m_lookup(vm, gfn, &now) || now.raw != hfn)
        return "P7: a second stage maps a frame where the p2m does not";
    if ((pte & PTE_W) && !p2m_may_write(vm, gfn))
        return "P38: a second stage can write to a page that is shared or "
               "logged";
    ++*audit_refs(a, hfn);
    return NULL;
}

static const char *audit_table(struct audit *a, struct vm *vm, uint32_t index,
                               uint32_t link)
{
    hfn_t table = { link >> PTE_PPN_SHIFT };

    if ((link & 0x3ff) != PTE_V || !audit_owned(a, table.raw, OWNER_HYP))
        return "P11: a second stage links a frame that is no table";
    const struct frame *frame = frame_of(&a->hyp->frames, table);
    if (frame->type != FRAME_STAGE2 || frame->vm != vm->id)
        return "P7: a second stage links a table of something else";
    *audit_refs(a, table.raw) += 2; /* its own, and the link's */
    audit_open(a, table);
    for (uint32_t i = 0; (i = audit_next(a, i)) < PT_ENTRIES; i++) {
        gfn_t       gfn = { index * PT_ENTRIES + i };
        const char *bad = audit_leaf(a, vm, gfn, a->table[i]);

        if (bad)
            return bad;
    }
    return NULL;
}

/* One frame of the root, and what it links. */
static const char *audit_root(struct audit *a, struct vm *vm, uint32_t part,
                              uint32_t *framed)
{
    hfn_t hfn = { vm->stage2.root.raw + part };

    if (!audit_owned(a, hfn.raw, OWNER_HYP))
        return "P11: a second stage lives in somebody's frame";
    const struct frame *frame = frame_of(&a->hyp->frames, hfn);
    if (frame->type != FRAME_STAGE2 || frame->vm != vm->id)
        return "P7: the root of a second stage is something else's";
    ++*audit_refs(a, hfn.raw);
    audit_open(a, hfn);
    for (uint32_t i = 0; (i = audit_next(a, i)) < PT_ENTRIES; i++) {
        uint32_t    index = part * PT_ENTRIES + i;
        const char *bad = audit_table(a, vm, index, a->table[i]);

        if (bad)
            return bad;
        audit_open(a, hfn); /* audit_table() had another one open */
        ++*framed;
    }
    return NULL;
}

const char *audit_stage2(struct audit *a, struct vm *vm)
{
    struct stage2 *stage2 = &vm->stage2;
    uint32_t       framed = STAGE2_ROOT_FRAMES;

    if (!stage2->made)
        return NULL;
    if (stage2->root.raw % STAGE2_ROOT_FRAMES != 0)
        return "P16: a second stage begins in the middle";
    for (uint32_t i = 0; i < STAGE2_ROOT_FRAMES; i++) {
        const char *bad = audit_root(a, vm, i, &framed);

        if (bad)
            return bad;
    }
    if (framed != stage2->framed || framed > stage2->promised)
        return "P5: the tables of a second stage miscounted";
    return NULL;
}
