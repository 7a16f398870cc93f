/* generate.c - whole programs at random: a header, then records.
 *
 * The low three bits of a seed choose a program, the others its world: the
 * header, and a random subset of features ("swarm testing", A. Groce and
 * others, ISSTA 2012: a test that may do everything seldom does enough of one
 * thing). So eight seeds in a row share a prepared world.
 *
 *   g0  all bytes alike                 finds: that decoding is total
 *   g1  operations by weight            ... what needs no context
 *   g2  + sequences of idioms.def       ... what went wrong before
 *   g3  + operands that are handles     ... what needs several steps on one
 *                                           page, table or VM
 *   g4  a state is built by operations that seldom fail, then at most eight
 *       follow: short, so there are many; from a state that is not empty */
#include "hvp/draw.h"
#include <string.h>

#define SEEDS_OF_A_WORLD 3 /* bits */

struct generator {
    struct hvp_random random;
    struct hvp_taste  taste;
    uint32_t          idioms; /* percent */
    uint8_t          *to;
    uint32_t          at, room; /* records */
};

static bool lucky(struct hvp_random *world, uint32_t percent, uint32_t flag,
                  uint32_t *flags)
{
    if (!hvp_chance(world, percent))
        return false;
    *flags |= flag;
    return true;
}

static uint32_t draw_flags(struct hvp_random *world)
{
    uint32_t flags = 0;

    /* One second run at most: each doubles the work. */
    if (lucky(world, 20, HVP_TWIN, &flags))
        lucky(world, 30, HVP_STRICT, &flags);
    else if (!lucky(world, 12, HVP_FILL, &flags))
        lucky(world, 15, HVP_BARE, &flags);
    lucky(world, 35, HVP_UNFENCED, &flags);
    return flags;
}

/* All features in a quarter of the worlds, else each by a coin. */
static uint32_t draw_features(struct hvp_random *world)
{
    uint32_t coins = hvp_draw(world);

    if (hvp_chance(world, 25))
        coins = 0xffff;
    return (coins & HVP_FEATURE_DEFAULT) | HVP_FEATURE_BASE;
}

static uint32_t draw_world(struct hvp_random *world)
{
    uint32_t bits = hvp_draw(world) & 0xfffc;

    return bits | (hvp_chance(world, 80) ? 1 : hvp_below(world, 4));
}

static bool has_style(uint32_t world, uint32_t style)
{
    return hvp_world_style(world, 0) == style ||
           ((world & 3) && hvp_world_style(world, 1) == style);
}

/* How many of the steps are sequences: some mistakes need one of them and a
 * state that nobody thought of, some need two of them and nothing else. */
static uint32_t draw_idioms(struct hvp_random *world)
{
    static const uint8_t percent[] = { 10, 20, 45, 70 };

    return HVP_PICK(world, percent);
}

/* The header of a seed's world, without counts. */
static void start(struct generator *g, uint64_t seed)
{
    struct hvp_random world = hvp_stream(1, seed >> SEEDS_OF_A_WORLD);
    uint32_t          flags = draw_flags(&world);
    uint32_t          features = draw_features(&world);
    uint32_t          bits = draw_world(&world);

    if (!has_style(bits, HV_STYLE_DIRECT))
        features &= ~(uint32_t)HVP_FEATURE_DIRECT; /* in vain */
    memcpy(g->to, "HVP1", 4);
    hvp_put_half(g->to + 4, flags);
    hvp_put_half(g->to + 6, bits);
    hvp_put_half(g->to + 8, features);
    hvp_put_half(g->to + 10, hvp_draw(&world));
    g->idioms = draw_idioms(&world);
    g->taste.features = features;
    g->taste.vms = (bits & 3) + 1;
}

/* `count` more records, or as many as there is room for. */
static void fill(struct generator *g, uint32_t count)
{
    uint32_t end = count < g->room - g->at ? g->at + count : g->room;

    while (g->at < end) {
        uint8_t *at = g->to + HVP_HEADER + HVP_RECORD * g->at;
        uint32_t n = 0;

        if (hvp_chance(&g->random, g->idioms))
            n = hvp_draw_idiom(&g->random, &g->taste, at, end - g->at);
        if (n == 0) {
            hvp_put(at, hvp_draw_record(&g->random, &g->taste));
            n = 1;
        }
        g->at += n;
    }
}

/* Mostly short: a short program that breaks something is half shrunk. */
static uint32_t draw_count(struct hvp_random *random)
{
    static const uint8_t most[] = { 8, 16, 16, 32, 32, 64, 128 };
    uint32_t             limit = HVP_PICK(random, most);

    return 1 + hvp_below(random, limit);
}

/* A state without page tables is hardly one, whatever the features. */
static uint32_t draw_prefix(struct generator *g)
{
    struct hvp_taste kept = g->taste;

    g->taste.build = true;
    g->taste.features |= HVP_FEATURE_PAGING;
    fill(g, 4 + hvp_below(&g->random, 21));
    g->taste = kept;
    return g->at;
}

/* The state, what only a twin's second run does, and the rest. */
static void compose(struct generator *g, bool built)
{
    uint32_t nbuild = built ? draw_prefix(g) : 0;
    uint32_t before = g->at;

    /* Who does more takes more time: for all to be the same, time included, the
     * first VM must differ in its secrets alone. */
    if ((g->to[4] & HVP_TWIN) &&
        (!(g->to[4] & HVP_STRICT) || hvp_chance(&g->random, 30))) {
        uint32_t vms = g->taste.vms;

        g->taste.vms = 1; /* the first VM has the secrets */
        fill(g, 1 + hvp_below(&g->random, 6));
        g->taste.vms = vms;
    }
    hvp_put_half(g->to + 12, nbuild);
    hvp_put_half(g->to + 14, g->at - before);
    fill(g, built ? 1 + hvp_below(&g->random, 8) : draw_count(&g->random));
}

static size_t uniform_bytes(struct generator *g)
{
    uint32_t count = draw_count(&g->random);
    size_t   n = HVP_RECORD * (size_t)(count < g->room ? count : g->room);

    for (size_t i = 0; i < n; i++)
        g->to[HVP_HEADER + i] = (uint8_t)hvp_draw(&g->random);
    hvp_put_half(g->to + 12, hvp_below(&g->random, 8));
    hvp_put_half(g->to + 14, hvp_below(&g->random, 8));
    return HVP_HEADER + n;
}

size_t hvp_generate(uint32_t strategy, uint64_t seed, uint8_t *to, size_t max)
{
    struct generator g = { .to = to };

    if (strategy >= HVP_NR_STRATEGIES || max < HVP_HEADER + HVP_RECORD)
        return 0;
    if (max > HVP_MAX_LENGTH)
        max = HVP_MAX_LENGTH;
    if (strategy == HVP_G5)
        strategy = seed & 1 ? HVP_G4 : HVP_G3;
    g.random = hvp_stream(2 + strategy, seed);
    g.room = (uint32_t)((max - HVP_HEADER) / HVP_RECORD);
    start(&g, seed);
    if (strategy == HVP_G0)
        return uniform_bytes(&g);
    if (strategy < HVP_G2)
        g.idioms = 0;
    g.taste.handles = strategy >= HVP_G3;
    compose(&g, strategy == HVP_G4);
    return HVP_HEADER + HVP_RECORD * (size_t)g.at;
}
