/* batch.c - many programs in one call, and g5's queue of those worth changing.
 *
 * A batch is a range of seeds, and what comes of it is a function of strategy
 * and range alone: its queue and its map are its own and begin empty. g5 runs
 * a program of the generator, or one of the queue changed; who meets a state
 * that nobody of this batch has met before joins the queue. */
#include "hvp/draw.h"
#include <stdlib.h>
#include <string.h>

#define MAX_QUEUE 512

struct entry {
    uint8_t *bytes;
    size_t   n;
};

struct hvp_batch {
    uint32_t     strategy;
    uint64_t     next, end; /* seeds */
    uint8_t      map[HVP_MAP], met[HVP_MAP];
    uint32_t     states; /* bytes of `met` that are not 0 */
    struct entry queue[MAX_QUEUE];
    uint32_t     queued; /* in all; the oldest ones made room */
};

hvp_batch *hvp_batch_new(uint32_t strategy, uint64_t first, uint64_t count)
{
    struct hvp_batch *batch = NULL;

    if (strategy < HVP_NR_STRATEGIES)
        batch = calloc(1, sizeof(*batch));
    if (!batch)
        return NULL;
    batch->strategy = strategy;
    batch->next = first;
    batch->end = first + count;
    return batch;
}

void hvp_batch_free(hvp_batch *batch)
{
    if (!batch)
        return;
    for (uint32_t i = 0; i < MAX_QUEUE; i++)
        free(batch->queue[i].bytes);
    free(batch);
}

const uint8_t *hvp_batch_map(const hvp_batch *batch)
{
    return batch->met;
}

/* --- the queue ------------------------------------------------------------- */

/* Note the states of this program, and forget them; how many are new. */
static uint32_t new_states(struct hvp_batch *batch)
{
    uint32_t found = 0;

    for (uint32_t at = 0; at < HVP_MAP; at += 8) {
        uint64_t eight;

        memcpy(&eight, batch->map + at, 8);
        if (eight == 0)
            continue;
        for (uint32_t i = at; i < at + 8; i++) {
            found += batch->map[i] && !batch->met[i];
            batch->met[i] |= batch->map[i] != 0;
        }
        memset(batch->map + at, 0, 8);
    }
    batch->states += found;
    return found;
}

static bool enqueue(struct hvp_batch *batch, const uint8_t *program, size_t n)
{
    struct entry *entry = &batch->queue[batch->queued % MAX_QUEUE];
    uint8_t      *bytes = malloc(n);

    if (!bytes)
        return false;
    free(entry->bytes);
    memcpy(bytes, program, n);
    entry->bytes = bytes;
    entry->n = n;
    batch->queued++;
    return true;
}

/* One of the queue, the latest more often than the others. */
static const struct entry *pick(const struct hvp_batch *batch,
                                struct hvp_random      *random)
{
    uint32_t kept = batch->queued < MAX_QUEUE ? batch->queued : MAX_QUEUE;
    uint32_t back = hvp_below(random, kept);

    if (hvp_chance(random, 50))
        back = hvp_below(random, back + 1);
    return &batch->queue[(batch->queued - 1 - back) % MAX_QUEUE];
}

/* Records of another program after a part of this one. */
static size_t splice(uint8_t *to, size_t n, const struct entry *other,
                     struct hvp_random *random)
{
    uint32_t mine = (uint32_t)((n - HVP_HEADER) / HVP_RECORD);
    uint32_t its = (uint32_t)((other->n - HVP_HEADER) / HVP_RECORD);
    uint32_t keep = hvp_below(random, mine + 1);
    uint32_t from = hvp_below(random, its);
    size_t   at = HVP_HEADER + HVP_RECORD * (size_t)keep;
    size_t   more = HVP_RECORD * (size_t)(its - from);

    if (more > HVP_MAX_LENGTH - at)
        more = HVP_MAX_LENGTH - at;
    memcpy(to + at, other->bytes + HVP_HEADER + HVP_RECORD * from, more);
    return at + more;
}

static size_t guided(const struct hvp_batch *batch, uint64_t seed, uint8_t *to)
{
    struct hvp_random random = hvp_stream(32, seed);

    if (batch->queued == 0 || hvp_chance(&random, 25))
        return hvp_generate(HVP_G5, seed, to, HVP_MAX_LENGTH);
    const struct entry *entry = pick(batch, &random);
    size_t              n = entry->n;

    memcpy(to, entry->bytes, n);
    if (hvp_chance(&random, 20))
        n = splice(to, n, pick(batch, &random), &random);
    return hvp_mutate(seed, to, n, HVP_MAX_LENGTH);
}

/* --- programs, one after the other ------------------------------------------- */

void hvp_batch_peek(const hvp_batch *batch, struct hvp_progress *out)
{
    size_t n = batch->strategy == HVP_G5
                   ? guided(batch, batch->next, out->program)
                   : hvp_generate(batch->strategy, batch->next, out->program,
                                  HVP_MAX_LENGTH);

    out->seed = batch->next;
    out->length = (uint32_t)n;
}

static int run_one(struct hvp_batch *batch, hvp_context *context,
                   struct hvp_progress *out, struct hvp_verdict *verdict)
{
    hvp_batch_peek(batch, out);
    int status = hvp_execute(context, out->program, out->length, verdict);

    if (status != HV_OK)
        return status;
    batch->next++;
    out->executed++;
    out->operations += verdict->done;
    out->checks += verdict->checks;
    if (new_states(batch) && batch->strategy == HVP_G5 &&
        !enqueue(batch, out->program, out->length))
        return HV_ERR_NO_MEMORY;
    out->states = batch->states;
    return HV_OK;
}

int hvp_batch_run(hvp_batch *batch, hvp_context *context, uint64_t limit,
                  struct hvp_progress *out, struct hvp_verdict *verdict)
{
    int status = HV_OK;

    hvp_watch(context, batch->map);
    verdict->property[0] = '\0';
    for (; limit > 0 && batch->next != batch->end; limit--) {
        status = run_one(batch, context, out, verdict);
        if (status != HV_OK || verdict->property[0])
            break;
    }
    hvp_watch(context, NULL);
    return status;
}
