/* touch.c - memory touched for the first time: one store to each page of 8
 * MiB. A virtual machine's shadow tables are filled by it, and its frames
 * given; the guest's own tables are complete. */
#include "bench.h"
#include "abi/pte.h"

#ifndef ROUNDS
#define ROUNDS 1
#endif

uint32_t rounds = ROUNDS;

#define PAGES 2048

static volatile uint32_t arena[PAGES][PAGE_SIZE / 4];

uint32_t main(uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        for (uint32_t page = 0; page < PAGES; page++) {
            arena[page][page % 1024] = i ^ page;
            sum = mix(sum, arena[page][page % 1024]);
        }
    return sum;
}
