/* trap.c - system calls that do nothing: user to supervisor and back. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 2000000
#endif

uint32_t rounds = ROUNDS;

uint32_t main(uint32_t n)
{
    register uint32_t a0 __asm__("a0") = 0;
    register uint32_t a7 __asm__("a7") = 1;

    for (uint32_t i = 0; i < n; i++)
        __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
    return a0 + n;
}
