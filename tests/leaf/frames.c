/* frames.c - which frames there are, and what may be promised of them. */
#include "hyp/frame.c"
#include "leaf_check.h"

static bool check_exists(struct leaf *out)
{
    static const uint32_t counts[] = { 1, 2, 512, 0x40000 };

    for (uint32_t c = 0; c < COUNT_OF(counts); c++) {
        struct frames frames = { .first = 0x80000, .count = counts[c] };

        for (uint32_t i = 0; i < COUNT_OF(edges); i++) {
            uint64_t hfn = edges[i];

            SAME("frame_exists", hfn >= 0x80000 && hfn < 0x80000ull + counts[c],
                 frame_exists(&frames, (hfn_t){ edges[i] }), hfn, counts[c], 0,
                 0);
        }
        for (uint32_t i = 0; i < counts[c] + 4; i++)
            SAME("frame_exists", i >= 2 && i - 2 < counts[c],
                 frame_exists(&frames, (hfn_t){ 0x7fffe + i }), i, counts[c], 0,
                 0);
    }
    return true;
}

/* Frames that are free and not promised can be promised, once. */
static bool check_reserve(struct leaf *out)
{
    for (uint32_t free = 0; free < 9; free++)
        for (uint32_t reserved = 0; reserved <= free; reserved++)
            for (uint32_t i = 0; i < COUNT_OF(edges); i++) {
                struct frames frames = { .free = free, .reserved = reserved };
                bool          fits = (uint64_t)edges[i] + reserved <= free;
                bool          done = frames_reserve(&frames, edges[i]);

                SAME("frames_reserve", fits, done, free, reserved, edges[i], 0);
                SAME("reserved", reserved + (fits ? edges[i] : 0),
                     frames.reserved, free, reserved, edges[i], 0);
                if (done)
                    frames_unreserve(&frames, edges[i]);
                SAME("given back", reserved, frames.reserved, free, reserved,
                     edges[i], 0);
            }
    return true;
}

bool leaf_frames(struct leaf *out)
{
    return check_exists(out) && check_reserve(out);
}
