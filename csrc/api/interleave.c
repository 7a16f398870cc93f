/* interleave.c - rounds: where they come from, and the record of them. */
#include "api/interleave.h"
#include "api/host.h"
#include "machine/arena.h"
#include <string.h>

void interleave_init(struct interleave *il, struct arena *arena, uint32_t harts,
                     uint32_t quantum)
{
    *il = (struct interleave){
        .arena = arena,
        .harts = harts,
        .quantum = quantum,
        .turn = harts, /* no round is under way */
    };
}

/* --- a round of a seed ------------------------------------------------------ */

/* marker: interleave-draw */
/* SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
 * Generators, 2014): a sequence of states a golden ratio apart, each mixed. */
#define GOLDEN 0x9e3779b97f4a7c15u

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint32_t draw(uint64_t *state, uint32_t below)
{
    *state += GOLDEN;
    return (uint32_t)(mixed(*state) % below);
}

/* Round n of a seed depends on these two alone: the state begins at the n-th
 * number of the seed's own sequence. First the length is drawn, from 1 to the
 * quantum, then the order, by swapping from the end (Fisher and Yates). */
static void round_draw(const struct interleave *il, struct hv_round *round)
{
    uint64_t state = mixed(il->seed + il->number * GOLDEN);

    round->length = 1 + draw(&state, il->quantum);
    for (uint32_t left = il->harts; left > 1; left--) {
        uint32_t j = draw(&state, left);
        uint8_t  hart = round->order[left - 1];

        round->order[left - 1] = round->order[j];
        round->order[j] = hart;
    }
}
/* marker: end */

/* --- lists ------------------------------------------------------------------- */

/* False: no memory, and the list as it was. */
static bool rounds_add(struct rounds *rounds, struct arena *arena,
                       const struct hv_round *round)
{
    if (rounds->len == rounds->cap) {
        uint32_t         cap = rounds->cap ? 2 * rounds->cap : 256;
        struct hv_round *list = NULL;

        if (cap > rounds->cap) /* no overflow */
            list = arena_resize(arena, rounds->list, cap * sizeof(*list));
        if (!list)
            return false;
        rounds->list = list;
        rounds->cap = cap;
    }
    rounds->list[rounds->len++] = *round;
    return true;
}

bool round_ok(const struct hv_round *round, uint32_t harts)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < harts; i++) {
        if (round->order[i] >= harts)
            return false;
        seen |= 1u << round->order[i];
    }
    return round->length >= 1 && seen == (1u << harts) - 1;
}

bool interleave_ask(struct interleave *il, const struct hv_round *round)
{
    return round_ok(round, il->harts) &&
           rounds_add(&il->asked, il->arena, round);
}

/* --- the next round ----------------------------------------------------------- */

static struct hv_round round_next(struct interleave *il, uint64_t cycle)
{
    struct hv_round round = { .length = 0 };

    if (il->next < il->asked.len)
        return il->asked.list[il->next++];
    for (uint32_t i = 0; i < il->harts; i++)
        round.order[i] = (uint8_t)i;
    if (il->seed)
        round_draw(il, &round);
    else
        round.length = il->quantum - (uint32_t)(cycle % il->quantum);
    return round;
}

void interleave_begin(struct interleave *il, uint64_t cycle)
{
    il->number++;
    il->round = round_next(il, cycle);
    il->turn = 0;
    il->end = cycle + il->round.length;
    if (il->end < cycle) /* the last round that there is time for */
        il->end = CYCLE_NEVER;
    if (il->recording && !il->lost)
        il->lost = !rounds_add(&il->made, il->arena, &il->round);
}

uint64_t interleave_hash(const struct interleave *il, uint64_t hash)
{
    if (il->harts == 1) /* has no rounds */
        return hash;
    hash = mixed(hash ^ il->end);
    for (uint32_t i = il->turn; i < il->harts; i++)
        hash = mixed(hash ^ il->round.order[i]);
    return hash;
}

/* --- the interface ------------------------------------------------------------ */

int hv_interleave_seed(hv_host *host, uint64_t seed)
{
    if (!host)
        return HV_ERR_INVALID;
    host->interleave.seed = seed;
    return HV_OK;
}

int hv_interleave_set(hv_host *host, const struct hv_round *rounds, uint32_t n)
{
    struct rounds asked = { .len = n, .cap = n };

    if (!host || (!rounds && n))
        return HV_ERR_INVALID;
    struct interleave *il = &host->interleave;
    for (uint32_t i = 0; i < n; i++)
        if (!round_ok(&rounds[i], il->harts))
            return HV_ERR_INVALID;
    if (n) {
        asked.list = arena_alloc(il->arena, n * sizeof(*asked.list));
        if (!asked.list)
            return HV_ERR_NO_MEMORY;
        memcpy(asked.list, rounds, n * sizeof(*asked.list));
    }
    arena_release(il->arena, il->asked.list);
    il->asked = asked;
    il->next = 0;
    return HV_OK;
}

int hv_interleave_record(hv_host *host, int on)
{
    if (!host)
        return HV_ERR_INVALID;
    host->interleave.recording = on != 0;
    if (on) {
        host->interleave.made.len = 0;
        host->interleave.lost = false;
    }
    return HV_OK;
}

int hv_interleave_get(hv_host *host, uint32_t first, struct hv_round *out,
                      uint32_t max, uint32_t *count)
{
    if (!host || !count || (!out && max))
        return HV_ERR_INVALID;
    const struct interleave *il = &host->interleave;
    if (il->lost)
        return HV_ERR_NO_MEMORY;
    *count = il->made.len;
    for (uint32_t i = 0; i < max && first < il->made.len; i++)
        out[i] = il->made.list[first++];
    return HV_OK;
}
