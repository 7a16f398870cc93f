/* prove.c - the native half of prove.h: numbers, half of them at an edge of a
 * power of two, and the first claim that did not hold. */
#include "prove.h"
#include <stddef.h>

void prove_seed(uint64_t seed);
const char *prove_failed(void);
uint64_t prove_count(void);

static uint64_t    state, count;
static const char *failed;

void prove_seed(uint64_t seed)
{
    state = seed;
    failed = NULL;
    count = 0;
}

const char *prove_failed(void)
{
    return failed;
}

uint64_t prove_count(void)
{
    return count;
}

void proved(bool holds, const char *what)
{
    count++;
    if (!holds && !failed)
        failed = what;
}

/* SplitMix64: see csrc/api/interleave.c. */
uint32_t any_u32(void)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t x = (state ^ state >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    uint32_t edge = (uint32_t)1 << (x >> 32 & 31);
    switch (x >> 40 & 7) {
    case 0:
        return edge;
    case 1:
        return edge - 1;
    case 2:
        return 0 - edge;
    case 3:
        return (uint32_t)x % 18;
    default:
        return (uint32_t)x;
    }
}
