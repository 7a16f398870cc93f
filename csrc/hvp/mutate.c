/* mutate.c - change a program a little: records are the unit.
 *
 * What is inserted comes from the same distribution as what g3 generates, and
 * is drawn from the features that the program's header names. */
#include "hvp/draw.h"
#include <string.h>

struct program {
    struct hvp_random *random;
    uint8_t           *bytes;
    uint32_t           count, room; /* records */
    struct hvp_taste   taste;
};

static uint8_t *record_at(const struct program *p, uint32_t i)
{
    return p->bytes + HVP_HEADER + HVP_RECORD * i;
}

static uint32_t get_half(const uint8_t *at)
{
    return (uint32_t)(at[0] | at[1] << 8);
}

/* Make room for `n` records at `at`, or for as many as fit; how many. */
static uint32_t open_gap(struct program *p, uint32_t at, uint32_t n)
{
    if (n > p->room - p->count)
        n = p->room - p->count;
    memmove(record_at(p, at + n), record_at(p, at),
            HVP_RECORD * (size_t)(p->count - at));
    p->count += n;
    return n;
}

static void remove_some(struct program *p)
{
    uint32_t at = hvp_below(p->random, p->count);
    uint32_t n = 1 + hvp_below(p->random, 4);

    if (n > p->count - at)
        n = p->count - at;
    if (n == p->count) /* something must be left to mutate */
        return;
    memmove(record_at(p, at), record_at(p, at + n),
            HVP_RECORD * (size_t)(p->count - at - n));
    p->count -= n;
}

static void insert(struct program *p)
{
    uint32_t at = hvp_below(p->random, p->count + 1);

    if (open_gap(p, at, 1) == 1)
        hvp_put(record_at(p, at), hvp_draw_record(p->random, &p->taste));
}

static void insert_idiom(struct program *p)
{
    uint8_t  idiom[8 * HVP_RECORD];
    uint32_t at = hvp_below(p->random, p->count + 1);
    uint32_t n = hvp_draw_idiom(p->random, &p->taste, idiom, 8);

    n = open_gap(p, at, n);
    memcpy(record_at(p, at), idiom, HVP_RECORD * (size_t)n);
}

static void repeat(struct program *p)
{
    uint8_t  copy[8 * HVP_RECORD];
    uint32_t from = hvp_below(p->random, p->count);
    uint32_t n = 1 + hvp_below(p->random, 8);
    uint32_t at = hvp_below(p->random, p->count + 1);

    if (n > p->count - from)
        n = p->count - from;
    memcpy(copy, record_at(p, from), HVP_RECORD * (size_t)n);
    n = open_gap(p, at, n);
    memcpy(record_at(p, at), copy, HVP_RECORD * (size_t)n);
}

static void swap(struct program *p)
{
    uint8_t  kept[HVP_RECORD];
    uint8_t *a = record_at(p, hvp_below(p->random, p->count));
    uint8_t *b = record_at(p, hvp_below(p->random, p->count));

    memcpy(kept, a, HVP_RECORD);
    memmove(a, b, HVP_RECORD);
    memcpy(b, kept, HVP_RECORD);
}

/* Another actor or operand of the same operation; or, seldom, any bits. */
static void alter(struct program *p)
{
    uint8_t              *at = record_at(p, hvp_below(p->random, p->count));
    const struct hvp_row *row = hvp_row(at[0]);
    uint32_t              what = hvp_below(p->random, 5);

    if (what == 4) {
        uint32_t byte = hvp_below(p->random, HVP_RECORD);

        at[byte] ^= (uint8_t)(1u << hvp_below(p->random, 8));
    } else if (what == 3 || row->kind[what] == HVP_KIND_NONE ||
               row->kind[what] == HVP_KIND_INSN) {
        at[1] = hvp_draw_actor(p->random, p->taste.vms);
    } else {
        enum hvp_kind kind = (enum hvp_kind)row->kind[what];

        hvp_put_half(at + 2 + 2 * what,
                     hvp_draw_operand(p->random, kind, true));
    }
}

static void alter_header(struct program *p)
{
    uint8_t *half = p->bytes + 4 + 2 * hvp_below(p->random, 6);
    uint32_t bit = 1u << hvp_below(p->random, 16);

    hvp_put_half(half, get_half(half) ^ bit);
}

static void mutate_once(struct program *p)
{
    uint32_t kind = hvp_below(p->random, 100);

    if (kind < 40)
        alter(p);
    else if (kind < 60)
        insert(p);
    else if (kind < 70)
        insert_idiom(p);
    else if (kind < 80)
        remove_some(p);
    else if (kind < 90)
        repeat(p);
    else if (kind < 97)
        swap(p);
    else
        alter_header(p);
}

size_t hvp_mutate(uint64_t seed, uint8_t *program, size_t n, size_t max)
{
    struct hvp_random random = hvp_stream(1 + HVP_NR_STRATEGIES * 2, seed);
    struct program    p = { .random = &random, .bytes = program };

    if (max > HVP_MAX_LENGTH)
        max = HVP_MAX_LENGTH;
    if (max < HVP_HEADER + HVP_RECORD)
        return n;
    if (n > max)
        n = max;
    if (n < HVP_HEADER + HVP_RECORD || memcmp(program, "HVP1", 4) != 0)
        return hvp_generate(HVP_G3, seed, program, max);
    p.count = (uint32_t)((n - HVP_HEADER) / HVP_RECORD);
    p.room = (uint32_t)((max - HVP_HEADER) / HVP_RECORD);
    p.taste = (struct hvp_taste){
        .features = get_half(program + 8) | HVP_FEATURE_BASE,
        .vms = (get_half(program + 6) & 3) + 1,
        .handles = true,
    };
    /* One change mostly, sometimes many. */
    uint32_t changes = 1 + hvp_below(&random, 1u << hvp_below(&random, 5));

    while (changes-- > 0)
        mutate_once(&p);
    return HVP_HEADER + HVP_RECORD * (size_t)p.count;
}
