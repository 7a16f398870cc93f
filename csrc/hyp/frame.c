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

/* A frame that has just left the free list gets its owner. Scrubbed before
 * that one can see it. A frame nobody ever wrote is already zero; the cost is
 * charged all the same, so that time does not tell a guest what its neighbours
 * did. */
static void frame_give(struct frames *frames, struct pcpu *pcpu, hfn_t hfn,
                       uint32_t owner, enum frame_type type)
{
    struct frame *frame = frame_of(frames, hfn);

    HV_ASSERT(frames->hal, frame->owner == OWNER_FREE && frame->refs == 0);
    frames->free--;
    frames->reserved--;
    if (owner == OWNER_HYP)
        frames->hyp++;
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
}

hfn_t frame_alloc(struct frames *frames, struct pcpu *pcpu, uint32_t owner,
                  enum frame_type type)
{
    HV_ASSERT(frames->hal, frames->reserved > 0 && frames->free > 0);
    hfn_t hfn = { frames->free_head };

    frames->free_head = frame_of(frames, hfn)->gfn;
    frame_give(frames, pcpu, hfn, owner, type);
    return hfn;
}

/* The last run there is, to leave the first frames of the list alone. */
static bool find_run(struct frames *frames, hfn_t *first)
{
    uint32_t end = frames->first + frames->count;

    for (first->raw = end / FRAMES_RUN * FRAMES_RUN;
         first->raw >= frames->first + FRAMES_RUN;) {
        uint32_t free = 0;

        first->raw -= FRAMES_RUN;
        for (uint32_t i = 0; i < FRAMES_RUN; i++)
            free += frame_of(frames, (hfn_t){ first->raw + i })->owner ==
                    OWNER_FREE;
        if (free == FRAMES_RUN)
            return true;
    }
    return false;
}

bool frame_alloc_run(struct frames *frames, uint32_t owner,
                     enum frame_type type, hfn_t *first)
{
    HV_ASSERT(frames->hal, frames->reserved >= FRAMES_RUN);
    if (!find_run(frames, first))
        return false;
    for (uint32_t *at = &frames->free_head; *at != NO_FRAME;) {
        struct frame *frame = frame_of(frames, (hfn_t){ *at });

        if (*at - first->raw < FRAMES_RUN)
            *at = frame->gfn;
        else
            at = &frame->gfn;
    }
    for (uint32_t i = 0; i < FRAMES_RUN; i++)
        frame_give(frames, NULL, (hfn_t){ first->raw + i }, owner, type);
    return true;
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

/* marker: frame-use */
bool frame_use(struct frames *frames, hfn_t hfn, enum frame_type type)
{
    struct frame *frame = frame_of(frames, hfn);

    if (frame->type != type)
        return false;
    frame_get(frames, hfn);
    frame->uses++;
    return true;
}

void frame_unuse(struct frames *frames, hfn_t hfn)
{
    HV_ASSERT(frames->hal, frame_of(frames, hfn)->uses > 0);
    frame_of(frames, hfn)->uses--;
    frame_put(frames, hfn);
}

void frame_retype(struct frames *frames, hfn_t hfn, enum frame_type type)
{
    struct frame *frame = frame_of(frames, hfn);

    HV_ASSERT(frames->hal, frame->uses == 0 && !frame->pinned);
    frame->type = (uint8_t)type;
}
/* marker: end */

void frame_free(struct frames *frames, hfn_t hfn)
{
    struct frame *frame = frame_of(frames, hfn);

    HV_ASSERT(frames->hal, frame->refs == 1 && frame->owner != OWNER_FREE);
    HV_ASSERT(frames->hal, frame->map == NO_ENTRY && frame->traced == 0);
    HV_ASSERT(frames->hal, frame->uses == 0);
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
