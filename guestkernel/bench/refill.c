/* refill.c - translations that are missing: a fence of everything, then one
 * store to each page of 8 MiB. On the bare machine each is a TLB miss; in a
 * virtual machine the fence drops the shadow tables, too, and the hypervisor
 * fills them again. */
#include "abi/pte.h"
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 20
#endif

uint32_t rounds = ROUNDS;

#define PAGES 2048

static volatile uint32_t arena[PAGES][PAGE_SIZE / 4];

KERNEL_CODE uint32_t supervisor(uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        __asm__ volatile("sfence.vma" ::: "memory");
        for (uint32_t page = 0; page < PAGES; page++)
            arena[page][page % 1024] = i ^ page;
        sum = mix(sum, arena[i % PAGES][i % 1024]);
    }
    return sum;
}
