/* sbi.c - the firmware's services, where there is no device for them. */
#include "kernel/sbi.h"
#include "kernel/native.h"

void sbi_set_timer(uint64_t when)
{
    uint32_t low = (uint32_t)when, high = (uint32_t)(when >> 32);

    if (sbi_call(SBI_EXT_TIME, SBI_TIME_SET, low, high, 0).error != SBI_SUCCESS)
        sbi_call(SBI_LEGACY_SET_TIMER, 0, low, high, 0);
}

void sbi_put(char byte)
{
    uint32_t word = (uint8_t)byte;

    if (sbi_call(SBI_EXT_DBCN, SBI_DBCN_WRITE_BYTE, word, 0, 0).error !=
        SBI_SUCCESS)
        sbi_call(SBI_LEGACY_PUTCHAR, 0, word, 0, 0);
}

int sbi_get(void)
{
    return sbi_call(SBI_LEGACY_GETCHAR, 0, 0, 0, 0).error;
}

void sbi_power_off(bool failed)
{
    sbi_call(SBI_EXT_SRST, SBI_SRST_RESET, SBI_SRST_SHUTDOWN,
             failed ? SBI_SRST_REASON_FAILURE : SBI_SRST_REASON_NONE, 0);
    sbi_call(SBI_LEGACY_SHUTDOWN, 0, 0, 0, 0);
}
