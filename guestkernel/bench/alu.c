/* alu.c - nothing but arithmetic: a generator of random numbers. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 20000000
#endif

uint32_t rounds = ROUNDS;

uint32_t main(uint32_t n)
{
    uint32_t x = 2463534242u, sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        sum += x;
    }
    return sum;
}
