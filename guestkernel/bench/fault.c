/* fault.c - page faults that the kernel mends: every store finds its page
 * unmapped. */
#include "abi/pte.h"
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 4000
#endif

uint32_t rounds = ROUNDS;

#define PAGES 32

__attribute__((
    section(".bss.window"),
    aligned(PAGE_SIZE))) static volatile uint32_t window[PAGES][PAGE_SIZE / 4];

uint32_t main(uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        for (uint32_t page = 0; page < PAGES; page++) {
            window[page][page] = i ^ page; /* the fault */
            sum = mix(sum, window[page][page]);
        }
    return sum;
}
