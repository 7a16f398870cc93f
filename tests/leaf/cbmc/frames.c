/* frames.c - no frame number outside the table is taken for one inside, and no
 * promise exceeds what is free. */
#include "abi/memmap.h"
#include "hyp/frame.c"
#include "prove.h"

void prove_frames(void);

void prove_frames(void)
{
    struct frames frames = { .first = RAM_BASE >> PAGE_SHIFT };
    hfn_t         hfn = { any_u32() };
    uint32_t      n = any_u32();

    frames.count = any_u32();
    frames.free = any_u32();
    frames.reserved = any_u32();
    ASSUME(frames.count <= 0x40000 && frames.free <= frames.count);
    ASSUME(frames.reserved <= frames.free);
    PROVE(frame_exists(&frames, hfn) ==
          (hfn.raw >= frames.first &&
           (uint64_t)hfn.raw < (uint64_t)frames.first + frames.count));
    uint32_t before = frames.reserved;
    bool     done = frames_reserve(&frames, n);
    PROVE(frames.reserved <= frames.free);
    PROVE(frames.reserved == before + (done ? n : 0));
    PROVE(done || n > frames.free - before);
}
