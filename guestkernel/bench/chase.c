/* chase.c - a chain of pointers through 2,048 pages, in random order: every
 * hop misses the TLB. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 3000
#endif

uint32_t rounds = ROUNDS;

#define PAGES 2048
#define WORDS 1024

struct link { struct link *next; };

static uint32_t arena[PAGES][WORDS];
static uint16_t order[PAGES];

/* One line of each page, chosen so that a host's second-level cache, where the
 * address picks the set, has room for them all: translation is what is slow. */
static struct link *at(uint32_t page)
{
    return (struct link *)&arena[page][(page >> 4) * 16 % WORDS];
}

uint32_t main(uint32_t n)
{
    uint32_t seed = 1, sum = 0;

    for (uint32_t i = 0; i < PAGES; i++)
        order[i] = (uint16_t)i;
    for (uint32_t i = PAGES - 1; i > 0; i--) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t j = (uint32_t)((uint64_t)seed * (i + 1) >> 32);
        uint16_t swap = order[i];

        order[i] = order[j];
        order[j] = swap;
    }
    for (uint32_t i = 0; i < PAGES; i++)
        at(order[i])->next = at(order[(i + 1) % PAGES]);
    struct link *here = at(0);
    for (uint32_t round = 0; round < n; round++) {
        for (uint32_t i = 0; i < PAGES; i++)
            here = here->next;
        sum = mix(sum, (uint32_t)here);
    }
    return sum;
}
