/* frame.c - owners, references and scrubbing of machine frames. */
#include "hyp/frame.h"
#include "hyp/assert.h"

bool frame_exists(const struct frames *frames, hfn_t hfn)
{
    return hfn.raw - frames->first < frames->count;
}

struct frame *frame_of(struct frames *frames, hfn_t hfn)
{
    HV_ASSERT(frames->hal, frame_exists(frames, hfn));
    return &frames->table[hfn.raw - frames->first];
}

bool frames_init(struct frames *frames, struct hal *hal)
{
    struct span ram = hal_ram(hal);

    *frames = (struct frames){
        .hal = hal,
        .first = ram.base.raw >> PAGE_SHIFT,
        .count = ram.size >> PAGE_SHIFT,
        .free = ram.size >> PAGE_SHIFT,
        .free_head = ram.base.raw >> PAGE_SHIFT,
    };
    frames->table = hal_alloc(hal, frames->count * sizeof(struct frame));
    if (!frames->table)
        return false;
    for (uint32_t i = 0; i < frames->count; i++)
        frames->table[i] = (struct frame){
            .gfn = i + 1 < frames->count ? frames->first + i + 1 : NO_FRAME,
            .map = NO_ENTRY,
        };
    return true;
}

void frames_fini(struct frames *frames)
{
    hal_free(frames->hal, frames->table);
}

bool frames_reserve(struct frames *frames, uint32_t n)
{
    if (n > frames->free - frames->reserved)
        return false;
    frames->reserved += n;
    return true;
}

void frames_unreserve(struct frames *frames, uint32_t n)
{
    HV_ASSERT(frames->hal, n <= frames->reserved);
    frames->reserved -= n;
}

hfn_t frame_alloc(struct frames *frames, struct pcpu *pcpu, uint32_t owner,
                  enum frame_type type)
{
    HV_ASSERT(frames->hal, frames->reserved > 0 && frames->free > 0);
    hfn_t         hfn = { frames->free_head };
    struct frame *frame = frame_of(frames, hfn);

    HV_ASSERT(frames->hal, frame->owner == OWNER_FREE && frame->refs == 0);
    frames->free_head = frame->gfn;
    frames->free--;
    frames->reserved--;
    if (owner == OWNER_HYP)
        frames->hyp++;
    /* Scrubbed before its new owner can see it. A frame nobody ever wrote is
     * already zero; the cost is charged all the same, so that time does not
     * tell a guest what its neighbours did. */
    if (frame->dirty)
        hal_zero_frame(frames->hal, hfn_base(hfn));
    if (pcpu)
        hal_charge(pcpu, HAL_COST_frame_scrub, 1);
    *frame = (struct frame){
        .owner = owner,
        .refs = 1,
        .gfn = NO_FRAME,
        .map = NO_ENTRY,
        .type = (uint8_t)type,
        .dirty = true,
    };
    return hfn;
}

void frame_get(struct frames *frames, hfn_t hfn)
{
    struct frame *frame = frame_of(frames, hfn);

    HV_ASSERT(frames->hal, frame->refs > 0 && frame->refs < UINT32_MAX);
    frame->refs++;
}

void frame_put(struct frames *frames, hfn_t hfn)
{
    struct frame *frame = frame_of(frames, hfn);

    HV_ASSERT(frames->hal, frame->refs > 1);
    frame->refs--;
}

void frame_free(struct frames *frames, hfn_t hfn)
{
    struct frame *frame = frame_of(frames, hfn);

    HV_ASSERT(frames->hal, frame->refs == 1 && frame->owner != OWNER_FREE);
    HV_ASSERT(frames->hal, frame->map == NO_ENTRY && frame->traced == 0);
    if (frame->owner == OWNER_HYP)
        frames->hyp--;
    if (frame->owner == OWNER_SHARED)
        frames->shared--;
    *frame = (struct frame){
        .gfn = frames->free_head,
        .map = NO_ENTRY,
        .dirty = true,
    };
    frames->free_head = hfn.raw;
    frames->free++;
}
