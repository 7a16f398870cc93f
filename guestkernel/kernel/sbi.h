/* sbi.h - a call of the firmware, or of the hypervisor in its place. */
#ifndef KERNEL_SBI_H
#define KERNEL_SBI_H

#include "abi/sbi.h"
#include <stdint.h>

struct sbi_ret {
    int32_t  error; /* SBI_ERR_x */
    uint32_t value;
};

static inline struct sbi_ret sbi_call(uint32_t extension, uint32_t function,
                                      uint32_t arg0, uint32_t arg1,
                                      uint32_t arg2)
{
    register uint32_t a0 __asm__("a0") = arg0;
    register uint32_t a1 __asm__("a1") = arg1;
    register uint32_t a2 __asm__("a2") = arg2;
    register uint32_t a3 __asm__("a3") = 0;
    register uint32_t a6 __asm__("a6") = function;
    register uint32_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_ret){ (int32_t)a0, a1 };
}

#endif
