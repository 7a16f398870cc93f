/* calls.c - a walk over code in many pages: every call leaves its page, as the
 * parts of a large program do. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 400000
#endif

uint32_t rounds = ROUNDS;

#define PART(n, val)                                                  \
    __attribute__((noinline, aligned(4096))) static uint32_t part##n( \
        uint32_t sum, uint32_t i)                                     \
    {                                                                 \
        if (i & (1u << n))                                            \
            sum += val;                                               \
        return mix(sum, i);                                           \
    }
PART(0, 3)
PART(1, 5)
PART(2, 7)
PART(3, 11)
PART(4, 13)
PART(5, 17)
PART(6, 19)
PART(7, 23)

uint32_t main(uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        sum = part0(sum, i);
        sum = part3(sum, i);
        sum = part6(sum, i);
        sum = part1(sum, i);
        sum = part4(sum, i);
        sum = part7(sum, i);
        sum = part2(sum, i);
        sum = part5(sum, i);
    }
    return sum;
}
