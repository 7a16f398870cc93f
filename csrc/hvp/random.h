/* random.h - random numbers: a seed means the same everywhere.
 *
 * The generator is SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast
 * splittable pseudorandom number generators", OOPSLA 2014), for which seeds
 * that are near each other are as good as any. Numbers are drawn one by one,
 * never two in one expression: in what order C evaluates those is the
 * compiler's choice. */
#ifndef HV_HVP_RANDOM_H
#define HV_HVP_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct hvp_random { uint64_t state; };

static inline uint32_t hvp_draw(struct hvp_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

/* One stream for each purpose and seed. */
static inline struct hvp_random hvp_stream(uint64_t purpose, uint64_t seed)
{
    struct hvp_random random = { seed ^ purpose << 56 };

    random.state = (uint64_t)hvp_draw(&random) << 32 ^ seed ^ purpose;
    return random;
}

/* Below `n`, which is at least 1. */
static inline uint32_t hvp_below(struct hvp_random *random, uint32_t n)
{
    return (uint32_t)((uint64_t)hvp_draw(random) * n >> 32);
}

static inline bool hvp_chance(struct hvp_random *random, uint32_t percent)
{
    return hvp_below(random, 100) < percent;
}

#define HVP_PICK(random, array) \
    ((array)[hvp_below(random, sizeof(array) / sizeof((array)[0]))])

#endif
