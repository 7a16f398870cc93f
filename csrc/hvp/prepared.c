/* prepared.c - worlds are made once, and put back after each program.
 *
 * A host that is put back to its mark is as it was, whatever happened to it; so
 * it does not show which programs it has seen. The world that has not been used
 * for longest makes room for a new one. */
#include "hvp/run.h"
#include <string.h>

static uint32_t key_of(const struct hvp_run *run)
{
    return run->world | (run->flags & HVP_STRICT ? 1u << 16 : 0) |
           (run->secret ? 1u << 17 : 0) | (run->fill & 0xff) << 18 |
           (run->ample ? 1u << 26 : 0) | (run->edf ? 1u << 27 : 0) |
           (run->budget ? 1u << 28 : 0) |
           (run->context->other_tags ? 1u << 29 : 0);
}

static void drop(struct hvp_prepared *world)
{
    hv_host_free(world->host);
    world->host = NULL;
}

static struct hvp_prepared *find(struct hvp_context *context, uint32_t key)
{
    struct hvp_prepared *oldest = &context->prepared[0];

    for (uint32_t i = 0; i < HVP_PREPARED; i++) {
        struct hvp_prepared *world = &context->prepared[i];

        if (world->host && world->key == key)
            return world;
        if (oldest->host && (!world->host || world->used < oldest->used))
            oldest = world;
    }
    if (oldest->host)
        drop(oldest);
    oldest->key = key;
    return oldest;
}

static bool make(struct hvp_run *run, struct hvp_prepared *world)
{
    bool made = hvp_world_make(run);

    world->host = run->host;
    memcpy(world->vm, run->vm, sizeof(world->vm));
    world->serials = run->serials;
    if (!made) {
        if (world->host)
            drop(world);
        return false;
    }
    for (uint32_t i = 0; i < run->host->hal.hyp.frames.count; i++)
        world->frame[i] = hvp_frame_hash(
            run, run->host->hal.hyp.frames.first + i, HVP_HASHED_BYTES);
    /* One that broke while it was made is good for a verdict, and no more. */
    world->marked = hv_mark(world->host, &world->mark) == HV_OK;
    return true;
}

bool hvp_begin(struct hvp_run *run)
{
    struct hvp_context  *context = run->context;
    struct hvp_prepared *world = find(context, key_of(run));

    world->used = ++context->runs;
    if (world->host &&
        (!world->marked || hv_reset(world->host, world->mark) != HV_OK))
        drop(world);
    if (!world->host && !make(run, world))
        return false;
    run->prepared = world;
    run->host = world->host;
    run->serials = world->serials;
    memcpy(run->vm, world->vm, sizeof(run->vm));
    run->nr_ids = 0;
    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (run->vm[i].id)
            hvp_id_note(run, run->vm[i].id);
    return true;
}

void hvp_forget(struct hvp_context *context)
{
    for (uint32_t i = 0; i < HVP_PREPARED; i++)
        if (context->prepared[i].host)
            drop(&context->prepared[i]);
}
