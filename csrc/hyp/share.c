/* share.c - pages that are equal are kept once.
 *
 * A scan goes through the p2m of all VMs, entry by entry, a bounded piece per
 * call. Frames seen in this round are remembered by a hash of their contents;
 * one with the same hash is compared byte by byte, since a hash can be made to
 * collide on purpose, and what is equal becomes shared and read-only. The
 * first write takes a copy (p2m_own()). Scanning is work for the host and costs
 * the guest that runs nothing but time. */
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/services.h"

/* So many pages of one hash are compared with a new one: a guest that makes its
 * pages collide slows nobody down but saves less. */
#define SHARE_TRIES 16

static bool share_begin(struct hyp *hyp)
{
    struct share *share = &hyp->share;
    uint32_t      count = hyp->frames.count;

    if (!share->bucket) {
        share->bucket = hal_alloc(hyp->hal, 3 * count * sizeof(uint32_t));
        if (!share->bucket)
            return false;
        share->next = share->bucket + count;
        share->seen = share->next + count;
        for (uint32_t i = 0; i < count; i++)
            share->seen[i] = 0;
    }
    share->slot = 1;
    share->index = 0;
    share->round++;
    for (uint32_t i = 0; i < count; i++)
        share->bucket[i] = NO_FRAME;
    return true;
}

void share_fini(struct hyp *hyp)
{
    if (hyp->share.bucket)
        hal_free(hyp->hal, hyp->share.bucket);
}

static void read_chunk(struct hyp *hyp, hfn_t hfn, uint32_t at, uint32_t *to,
                       uint32_t size)
{
    hal_read(hyp->hal, (hpa_t){ hfn_base(hfn).raw + at }, to, size);
}

static uint32_t hash_frame(struct hyp *hyp, struct pcpu *pcpu, hfn_t hfn)
{
    uint32_t chunk[64], hash = 0x811c9dc5;

    for (uint32_t at = 0; at < PAGE_SIZE; at += sizeof(chunk)) {
        read_chunk(hyp, hfn, at, chunk, sizeof(chunk));
        for (uint32_t i = 0; i < 64; i++)
            hash = (hash ^ chunk[i] ^ hash >> 15) * 0x01000193;
    }
    hal_charge(pcpu, HAL_COST_word_copy, PAGE_SIZE / 4);
    return hash;
}

static bool equal_frames(struct hyp *hyp, struct pcpu *pcpu, hfn_t a, hfn_t b)
{
    uint32_t left[64], right[64];
    bool     equal = true;

    hal_charge(pcpu, HAL_COST_word_copy, PAGE_SIZE / 4);
    for (uint32_t at = 0; at < PAGE_SIZE && equal; at += sizeof(left)) {
        read_chunk(hyp, a, at, left, sizeof(left));
        read_chunk(hyp, b, at, right, sizeof(right));
        for (uint32_t i = 0; i < 64; i++)
            equal = equal && left[i] == right[i];
    }
    return equal;
}

/* May this frame become shared, or is it? Not a table that is watched: its next
 * store would only break it up. Not what the hypervisor writes to at any time.
 * A frame remembered from before may be anything by now. */
static bool shareable(struct hyp *hyp, hfn_t hfn)
{
    struct frame *frame = frame_of(&hyp->frames, hfn);
    struct vm    *vm = hyp_vm(hyp, frame->owner);

    if (frame->owner == OWNER_SHARED)
        return true;
    return frame->owner != OWNER_HYP && vm && vm->style->paging->zap &&
           !frame->traced && !vm_holds(vm, (gfn_t){ frame->gfn });
}

/* marker: share-merge */
/* Make this entry name that frame, which is equal. False: the promise to the
 * frame's VM could not be kept if it stopped being its own. */
static bool merge(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, hfn_t with)
{
    struct frame *frame = frame_of(&vm->hyp->frames, with);
    struct vm    *other = hyp_vm(vm->hyp, frame->owner);

    if (frame->owner != OWNER_SHARED &&
        !p2m_share(other, pcpu, (gfn_t){ frame->gfn }))
        return false;
    p2m_join(vm, pcpu, gfn, with);
    return true;
}
/* marker: end */

/* marker: lab-share-consider */
/* Look for one that is equal; remember this one if there is none. */
static uint32_t consider(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    struct hyp   *hyp = vm->hyp;
    struct share *share = &hyp->share;
    hfn_t         hfn, with;

    if (!p2m_lookup(vm, gfn, &hfn) || !shareable(hyp, hfn))
        return 0;
    uint32_t i = hfn.raw - hyp->frames.first;
    if (share->seen[i] == share->round)
        return 0; /* a shared one, met before */
    uint32_t *chain =
        &share->bucket[hash_frame(hyp, pcpu, hfn) % hyp->frames.count];
    with.raw = *chain;
    for (uint32_t n = 0; with.raw != NO_FRAME && n < SHARE_TRIES;
         n++, with.raw = share->next[with.raw - hyp->frames.first])
        if (with.raw != hfn.raw && shareable(hyp, with) &&
            equal_frames(hyp, pcpu, hfn, with) && merge(vm, pcpu, gfn, with))
            return 1;
    share->seen[i] = share->round;
    share->next[i] = *chain;
    *chain = hfn.raw;
    return 0;
}
/* marker: end */

/* One entry; false at the end of the round. */
static bool step(struct hyp *hyp, struct pcpu *pcpu, uint32_t *merged)
{
    struct share *share = &hyp->share;

    while (share->slot < MAX_VMS) {
        struct vm *vm = hyp->slot[share->slot];

        if (vm && vm->style->paging->zap && share->index < vm->p2m.count) {
            gfn_t gfn = { vm->p2m.first + share->index++ };

            *merged += consider(vm, pcpu, gfn);
            return true;
        }
        share->slot++;
        share->index = 0;
    }
    return false;
}

bool share_scan(struct hyp *hyp, struct pcpu *pcpu, uint32_t entries,
                uint32_t *merged)
{
    bool begin = entries == SHARE_ROUND || !hyp->share.bucket ||
                 hyp->share.slot == MAX_VMS;

    if (begin && !share_begin(hyp))
        return false;
    while (entries-- > 0 && step(hyp, pcpu, merged))
        ;
    return true;
}
