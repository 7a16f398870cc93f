/* rmap.c - keep and walk the list of entries that name a frame. */
#include "hyp/rmap.h"
#include "hyp/assert.h"
#include "hyp/hyp.h"

#define INDEX_BITS 10 /* PT_ENTRIES is 1 << INDEX_BITS */

static uint32_t entry_name(const struct hyp *hyp, const struct shadow *shadow,
                           uint32_t index)
{
    return (shadow->hfn.raw - hyp->frames.first) << INDEX_BITS | index;
}

static struct rmap_entry entry_named(struct hyp *hyp, uint32_t name)
{
    hfn_t      table = { (name >> INDEX_BITS) + hyp->frames.first };
    struct vm *vm = hyp_vm(hyp, frame_of(&hyp->frames, table)->vm);

    HV_ASSERT(hyp->hal, vm != NULL);
    return (struct rmap_entry){
        .vm = vm,
        .shadow = shadow_of_frame(vm, table),
        .index = name % PT_ENTRIES,
    };
}

static struct rmap_link *link_of(struct hyp *hyp, uint32_t name)
{
    struct rmap_entry entry = entry_named(hyp, name);

    return &entry.shadow->chain[entry.index];
}

/* marker: rmap-add */
void rmap_add(struct hyp *hyp, hfn_t hfn, struct shadow *shadow, uint32_t index)
{
    struct frame *frame = frame_of(&hyp->frames, hfn);
    uint32_t      name = entry_name(hyp, shadow, index);

    shadow->chain[index] = (struct rmap_link){ frame->map, NO_ENTRY };
    if (frame->map != NO_ENTRY)
        link_of(hyp, frame->map)->prev = name;
    frame->map = name;
}
/* marker: end */

void rmap_remove(struct hyp *hyp, hfn_t hfn, struct shadow *shadow,
                 uint32_t index)
{
    struct frame    *frame = frame_of(&hyp->frames, hfn);
    struct rmap_link link = shadow->chain[index];

    if (link.prev == NO_ENTRY)
        frame->map = link.next;
    else
        link_of(hyp, link.prev)->next = link.next;
    if (link.next != NO_ENTRY)
        link_of(hyp, link.next)->prev = link.prev;
}

bool rmap_next(struct hyp *hyp, uint32_t *at, struct rmap_entry *out)
{
    if (*at == NO_ENTRY)
        return false;
    *out = entry_named(hyp, *at);
    *at = out->shadow->chain[out->index].next;
    return true;
}

bool rmap_full(const struct vm *vm, hfn_t hfn, struct rmap_entry *oldest)
{
    const struct frame *frame = frame_of(&vm->hyp->frames, hfn);
    uint32_t            at = frame->map, n = 0;
    struct rmap_entry   entry;

    if (frame->refs < RMAP_MAX) /* each entry holds one: no need to count */
        return false;
    while (rmap_next(vm->hyp, &at, &entry))
        if (entry.vm == vm) {
            *oldest = entry;
            n++;
        }
    return n >= RMAP_MAX;
}
