/* sbi.c - the firmware's services, where there is no device for them. */
#include "abi/sbi.h"
#include "kernel/native.h"

struct sbi_ret {
    int32_t  error;
    uint32_t value;
};

static struct sbi_ret sbi_call(uint32_t extension, uint32_t function,
                               uint32_t arg0, uint32_t arg1)
{
    register uint32_t a0 __asm__("a0") = arg0;
    register uint32_t a1 __asm__("a1") = arg1;
    register uint32_t a2 __asm__("a2") = 0;
    register uint32_t a6 __asm__("a6") = function;
    register uint32_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbi_ret){ (int32_t)a0, a1 };
}

void sbi_set_timer(uint64_t when)
{
    uint32_t low = (uint32_t)when, high = (uint32_t)(when >> 32);

    if (sbi_call(SBI_EXT_TIME, SBI_TIME_SET, low, high).error != SBI_SUCCESS)
        sbi_call(SBI_LEGACY_SET_TIMER, 0, low, high);
}

void sbi_put(char byte)
{
    uint32_t word = (uint8_t)byte;

    if (sbi_call(SBI_EXT_DBCN, SBI_DBCN_WRITE_BYTE, word, 0).error !=
        SBI_SUCCESS)
        sbi_call(SBI_LEGACY_PUTCHAR, 0, word, 0);
}

int sbi_get(void)
{
    return sbi_call(SBI_LEGACY_GETCHAR, 0, 0, 0).error;
}

void sbi_power_off(bool failed)
{
    sbi_call(SBI_EXT_SRST, SBI_SRST_RESET, SBI_SRST_SHUTDOWN,
             failed ? SBI_SRST_REASON_FAILURE : SBI_SRST_REASON_NONE);
    sbi_call(SBI_LEGACY_SHUTDOWN, 0, 0, 0);
}
