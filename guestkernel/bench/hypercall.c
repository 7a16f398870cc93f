/* hypercall.c - hypercalls of a paravirtual kernel, again and again: the
 * shortest there is, which asks for the interface's version. */
#include "abi/sbi.h"
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 200000
#endif

uint32_t rounds = ROUNDS;

enum {
#define HYPERCALL(nr, name, nargs, version, signature, doc) HCALL_##name = nr,
#include "abi/hypercalls.def"
#undef HYPERCALL
};

KERNEL_CODE uint32_t supervisor(uint32_t n)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        register uint32_t a0 __asm__("a0") = 0;
        register uint32_t a1 __asm__("a1") = 0;
        register uint32_t a6 __asm__("a6") = HCALL_features;
        register uint32_t a7 __asm__("a7") = SBI_EXT_HV;

        __asm__ volatile("ecall"
                         : "+r"(a0), "+r"(a1)
                         : "r"(a6), "r"(a7)
                         : "memory");
        sum += a1;
    }
    return sum;
}
