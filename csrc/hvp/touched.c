/* touched.c - what of the machine's memory a program has written.
 *
 * The machine knows it, for the sake of its marks. So checks look at a few
 * frames after each operation, and not at all of them. */
#include "hvp/run.h"

static uint32_t first_frame(const struct hvp_run *run)
{
    return run->host->hal.hyp.frames.first;
}

uint32_t hvp_touch(struct hvp_run *run, uint32_t *frames)
{
    uint32_t n = 0;

    if (hv_written(run->host, frames, HVP_FRAMES, &n) != HV_OK)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        run->touched[frames[i] - first_frame(run)] = 1;
    return n;
}

uint64_t hvp_frame_hash(struct hvp_run *run, uint32_t index)
{
    uint32_t hpa = (first_frame(run) + index) << PAGE_SHIFT;

    return hvp_page_hash(index, machine_ram(run->host->machine, hpa));
}

static uint64_t hash_hart(const struct hart *hart)
{
    return hvp_mix(hvp_mix(hart->cycle, hart->instret),
                   hart->count.traps_m + hart->count.traps_s);
}

/* A frame that was written, but is as it was, does not count. */
uint64_t hvp_host_hash(struct hvp_run *run)
{
    uint32_t frames[HVP_FRAMES];
    uint64_t hash = 0;

    hvp_touch(run, frames);
    for (uint32_t i = 0; i < HVP_FRAMES; i++)
        if (run->touched[i])
            hash += hvp_frame_hash(run, i) - run->prepared->frame[i];
    for (uint32_t i = 0; i < run->host->config.harts; i++)
        hash = hvp_mix(hash, hash_hart(machine_hart(run->host->machine, i)));
    for (uint32_t i = 0; i < HVP_VMS; i++)
        hash = hvp_mix(hash, hvp_cpu_hash(run, &run->vm[i]));
    return hash;
}
