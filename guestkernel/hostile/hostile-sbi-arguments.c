/* hostile-sbi-arguments.c - standard calls with arguments that make no sense.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * Harts that do not exist (XSA-475, CVE-2016-9777: a hart number used as an
 * index), address ranges that wrap (XSA-29, XSA-212), buffers outside memory,
 * in devices and across its end, resets of no known kind. What must happen:
 * the error of the SBI specification, and nothing has changed: no byte on the
 * console, no hart started, the VM still runs. */
#include "hostile/lib/hostile.h"

#define PARAM SBI_ERR_INVALID_PARAM

static void harts(void)
{
    static const uint32_t bases[] = { 1,          2,  8,          31,
                                      32,         33, 0x7fffffff, 0x80000000,
                                      0xfffffffe, 64 };

    for (uint32_t i = 0; i < COUNT(bases); i++) {
        uint32_t base = bases[i];

        check_sbi(PARAM, SBI_EXT_IPI, SBI_IPI_SEND, 1, base, 0, "an IPI");
        check_sbi(PARAM, SBI_EXT_IPI, SBI_IPI_SEND, ~0u, base, 0, "an IPI");
        check_sbi(PARAM, SBI_EXT_RFNC, SBI_RFNC_FENCE_I, 1, base, 0, "a fence");
        check_sbi(PARAM, SBI_EXT_RFNC, SBI_RFNC_SFENCE, 1u << 31, base, 0,
                  "a fence");
        check_sbi(PARAM, SBI_EXT_HSM, SBI_HSM_START, base, KERNEL_BASE, 0,
                  "a hart that does not exist");
        check_sbi(PARAM, SBI_EXT_HSM, SBI_HSM_STATUS, base, 0, 0,
                  "a hart that does not exist");
    }
    check_sbi(PARAM, SBI_EXT_IPI, SBI_IPI_SEND, 2, 0, 0, "an IPI");
    check_sbi(PARAM, SBI_EXT_IPI, SBI_IPI_SEND, 1u << 31, 0, 0, "an IPI");
    check(sbi_call(SBI_EXT_HSM, SBI_HSM_START, 0, KERNEL_BASE, 0, 0).error != 0,
          "we were started already");
    if (!paravirtual)
        check((csr_read("sip") & MIP_SSIP) == 0, "an IPI arrived");
}

static void ranges(void)
{
    static const uint32_t range[][2] = {
        { 0, 0 },
        { 0, 0xffffffff },
        { 0xffffffff, 0xffffffff },
        { 0xfffff000, ~0u },
        { 0x80000000, 1 },
        { 1, 0xfffffffe },
        { 0xfff, 4096 },
    };

    /* Any range may be fenced: all of it is only a lot of work. */
    for (uint32_t i = 0; i < COUNT(range); i++)
        for (uint32_t fn = SBI_RFNC_SFENCE; fn <= SBI_RFNC_SFENCE_ASID; fn++)
            check(sbi_call(SBI_EXT_RFNC, fn, 1, 0, range[i][0], range[i][1])
                          .error == SBI_SUCCESS,
                  "a fence of a wild range");
}

static void console(void)
{
    const uint32_t bad[][2] = {
        { 4, 0 },          { 4, UART_BASE },   { 4, RAM_BASE - 4 },
        { 4, ram_end },    { 8, ram_end - 4 }, { ~0u, ram_end - 4 },
        { ~0u, RAM_BASE }, { ~0u, 1 },         { 0x80000000, RAM_BASE },
        { 4, 0xfffffffc }, { 8, 0xfffffffc },  { ~0u - 3, KERNEL_BASE },
    };

    for (uint32_t i = 0; i < COUNT(bad); i++)
        for (uint32_t fn = SBI_DBCN_WRITE; fn <= SBI_DBCN_READ; fn++)
            check_sbi(PARAM, SBI_EXT_DBCN, fn, bad[i][0], bad[i][1], 0,
                      "a buffer outside memory");
    /* The third argument is the high half of the address. */
    for (uint32_t high = 1; high; high <<= 1)
        check_sbi(PARAM, SBI_EXT_DBCN, SBI_DBCN_READ, 4, address(page[0]), high,
                  "an address of more than 32 bits");
    check(sbi_call(SBI_EXT_DBCN, SBI_DBCN_WRITE, 0, KERNEL_BASE, 0, 0).value ==
              0,
          "nothing to write");
}

static void resets(void)
{
    static const uint32_t wild[] = { 3,          4,          0xff,      0x10000,
                                     0xefffffff, 0xf0000000, 0xffffffff };

    for (uint32_t i = 0; i < COUNT(wild); i++) {
        check_sbi(PARAM, SBI_EXT_SRST, SBI_SRST_RESET, wild[i], 0, 0,
                  "no such reset");
        check_sbi(PARAM, SBI_EXT_SRST, SBI_SRST_RESET, 0, wild[i] | 2, 0,
                  "no such reason");
    }
}

void attack(void)
{
    harts();
    ranges();
    console();
    resets();
}
