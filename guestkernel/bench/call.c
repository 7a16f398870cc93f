/* call.c - calls from the kernel to what is beneath it, again and again: the
 * SBI's version, which the firmware gives, or the hypervisor in its place. */
#include "abi/sbi.h"
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 200000
#endif

uint32_t rounds = ROUNDS;

KERNEL_CODE uint32_t supervisor(uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        register uint32_t a0 __asm__("a0") = i;
        register uint32_t a1 __asm__("a1") = i;
        register uint32_t a6 __asm__("a6") = SBI_BASE_SPEC_VERSION;
        register uint32_t a7 __asm__("a7") = SBI_EXT_BASE;

        __asm__ volatile("ecall"
                         : "+r"(a0), "+r"(a1)
                         : "r"(a6), "r"(a7)
                         : "memory");
        sum += a0; /* success is 0; versions may differ */
    }
    return sum + n;
}
