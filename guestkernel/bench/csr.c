/* csr.c - a privileged instruction, again and again: sscratch is swapped. In
 * a virtual machine each one is a trap, emulated by the hypervisor. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 200000
#endif

uint32_t rounds = ROUNDS;

KERNEL_CODE uint32_t supervisor(uint32_t n)
{
    uint32_t val = 1;

    for (uint32_t i = 0; i < n; i++)
        __asm__ volatile("csrrw %0, sscratch, %0" : "+r"(val));
    return val + n;
}
