/* touched.c - what of the machine's memory a program has written.
 *
 * The machine knows it, for the sake of its marks. So checks look at a few
 * frames after each operation, and a frame is hashed again only when it was
 * written. */
#include "hvp/run.h"
#include <string.h>

static uint32_t first_frame(const struct hvp_run *run)
{
    return run->host->hal.hyp.frames.first;
}

static void note(struct hvp_touched *touched, uint32_t index)
{
    touched->ever[index] = 1;
    touched->hashed[index] = HVP_HASHED_NOT;
    if (!touched->listed[index])
        touched->recent[touched->nr_recent++] = (uint16_t)index;
    touched->listed[index] = 1;
}

void hvp_touch(struct hvp_run *run)
{
    uint32_t frames[HVP_FRAMES], n = 0;

    if (hv_written(run->host, frames, HVP_FRAMES, &n) != HV_OK) {
        hvp_touch_forget(run);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        note(&run->touched, frames[i] - first_frame(run));
}

void hvp_touch_forget(struct hvp_run *run)
{
    memset(run->touched.hashed, HVP_HASHED_NOT, sizeof(run->touched.hashed));
}

void hvp_touch_anew(struct hvp_run *run)
{
    struct hvp_touched *touched = &run->touched;

    hvp_touch(run);
    for (uint32_t i = 0; i < touched->nr_recent; i++)
        touched->listed[touched->recent[i]] = 0;
    touched->nr_recent = 0;
}

/* --- hashes ------------------------------------------------------------------- */

bool hvp_is_zero(const uint8_t *frame)
{
    return frame[0] == 0 && memcmp(frame, frame + 1, PAGE_SIZE - 1) == 0;
}

uint64_t hvp_page_hash(const uint8_t *frame)
{
    uint64_t lane[4] = { 1, 2, 3, 4 }, word[4];

    if (hvp_is_zero(frame))
        return 0;
    for (uint32_t at = 0; at < PAGE_SIZE; at += sizeof(word)) {
        memcpy(word, frame + at, sizeof(word));
        for (uint32_t i = 0; i < 4; i++) {
            lane[i] = (lane[i] ^ word[i]) * 0x9e3779b97f4a7c15u;
            lane[i] ^= lane[i] >> 32;
        }
    }
    return hvp_mix(hvp_mix(lane[0], lane[1]), hvp_mix(lane[2], lane[3]));
}

/* But for A and D, which an access of its own may set. */
static uint64_t hash_table(const uint8_t *frame)
{
    uint64_t hash = 0, some;
    uint32_t word[8];

    for (uint32_t at = 0; at < PAGE_SIZE; at += sizeof(word)) {
        memcpy(word, frame + at, sizeof(word));
        some = 0;
        for (uint32_t i = 0; i < 8; i++)
            some |= word[i];
        for (uint32_t i = 0; some && i < 8; i++)
            if (word[i])
                hash = hvp_mix(hash + at + 4 * i,
                               word[i] & ~(uint32_t)(PTE_A | PTE_D));
    }
    return hash;
}

uint64_t hvp_frame_hash(struct hvp_run *run, uint32_t hfn, enum hvp_hashed as)
{
    struct hvp_touched *touched = &run->touched;
    uint32_t            i = hfn - first_frame(run);
    const uint8_t *frame = machine_ram(run->host->machine, hfn << PAGE_SHIFT);

    if (touched->hashed[i] != as)
        touched->hash[i] = as == HVP_HASHED_TABLE ? hash_table(frame)
                                                  : hvp_page_hash(frame);
    touched->hashed[i] = (uint8_t)as;
    return touched->hash[i];
}

static uint64_t hash_hart(const struct hart *hart)
{
    return hvp_mix(hvp_mix(hart->cycle, hart->instret),
                   hart->count.traps_m + hart->count.traps_s);
}

/* A frame that was written, but is as it was, does not count. */
uint64_t hvp_host_hash(struct hvp_run *run)
{
    uint64_t hash = 0;

    hvp_touch(run);
    for (uint32_t i = 0; i < HVP_FRAMES; i++)
        if (run->touched.ever[i])
            hash += hvp_mix(i, hvp_frame_hash(run, first_frame(run) + i,
                                              HVP_HASHED_BYTES)) -
                    hvp_mix(i, run->prepared->frame[i]);
    for (uint32_t i = 0; i < run->host->config.harts; i++)
        hash = hvp_mix(hash, hash_hart(machine_hart(run->host->machine, i)));
    for (uint32_t i = 0; i < HVP_VMS; i++)
        hash = hvp_mix(hash, hvp_cpu_hash(run, &run->vm[i]));
    return hash;
}
