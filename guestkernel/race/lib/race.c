/* race.c - starts the second hart, waits for it, and powers off. */
#include "race/lib/race.h"

shared_t        faulted;
static shared_t returned; /* the second hart */

static void sbi(uint32_t ext, uint32_t fn, uint32_t arg0, uint32_t arg1,
                uint32_t arg2)
{
    register uint32_t a0 __asm__("a0") = arg0;
    register uint32_t a1 __asm__("a1") = arg1;
    register uint32_t a2 __asm__("a2") = arg2;
    register uint32_t a3 __asm__("a3") = ~0u; /* RFENCE: all addresses */
    register uint32_t a6 __asm__("a6") = fn;
    register uint32_t a7 __asm__("a7") = ext;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a6), "r"(a7)
                     : "memory");
}

static _Noreturn void power_off(uint32_t reason)
{
    sbi(SBI_EXT_SRST, SBI_SRST_RESET, SBI_SRST_SHUTDOWN, reason, 0);
    for (;;)
        ;
}

__attribute__((weak)) void prepare(void)
{
}

void must(bool holds)
{
    if (!holds)
        power_off(SBI_SRST_REASON_FAILURE);
}

void send_ipi(uint32_t hart)
{
    sbi(SBI_EXT_IPI, SBI_IPI_SEND, 1u << hart, 0, 0);
}

void fence_remote(uint32_t hart)
{
    sbi(SBI_EXT_RFNC, SBI_RFNC_SFENCE, 1u << hart, 0, 0);
}

void wait_for_ipi(void)
{
    __asm__ volatile("csrs sie, %0\n"
                     "wfi\n"
                     "csrc sip, %0"
                     :
                     : "r"(MIP_SSIP)
                     : "memory");
}

void second_main(void);
void second_main(void)
{
    second();
    returned = 1;
}

void race_main(void);
void race_main(void)
{
    extern char second_start[];

    prepare();
    sbi(SBI_EXT_HSM, SBI_HSM_START, 1, (uint32_t)second_start, 0);
    first();
    while (!returned)
        ;
    power_off(SBI_SRST_REASON_NONE);
}
