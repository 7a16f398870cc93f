/* copy.c - a loop that copies 256 KiB by words, again and again. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 400
#endif

uint32_t rounds = ROUNDS;

#define WORDS 65536

static uint32_t from[WORDS], to[WORDS];

/* Not inlined, and no call of a library's memcpy. */
__attribute__((noinline)) static void copy(volatile uint32_t *dst,
                                           const uint32_t *src, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++)
        dst[i] = src[i];
}

uint32_t main(uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < WORDS; i++)
        from[i] = mix(i, i);
    for (uint32_t round = 0; round < n; round++) {
        from[round % WORDS]++;
        copy(to, from, WORDS);
    }
    for (uint32_t i = 0; i < WORDS; i++)
        sum = mix(sum, to[i]);
    return sum;
}
