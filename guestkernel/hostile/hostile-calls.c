/* hostile-calls.c - calls that do not exist.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * Numbers at every boundary, for the extension and for the function: a
 * dispatcher that indexes a table with them reads beyond it (XSA-475 and many
 * others are an index that nobody checked). What must happen: the answer is
 * "not supported", every time, and nothing has changed. */
#include "hostile/lib/hostile.h"

static const uint32_t wild[] = {
    9,          0xf,        0x11,       0x7f,       0xff,       0x100,
    0x7fff,     0x8000,     0xffff,     0x10000,    0x08000000, 0x09000000,
    0x0a000000, 0x0a004855, 0x0a004857, 0x0affffff, 0x40000000, 0x7fffffff,
    0x80000000, 0x80000010, 0xfffffff8, 0xfffffffe, 0xffffffff,
};

static const uint32_t functions[] = {
    200,        201,        31,         32,         63,
    64,         255,        256,        1023,       0x7fff,
    0x8000,     0xffff,     0x10000,    0x10000000, 0x40000000,
    0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
};

static void no_such(uint32_t ext, uint32_t fn)
{
    struct ret ret = sbi_call(ext, fn, 0x11, 0x22, 0x33, 0x44);

    check(ret.error == SBI_ERR_NOT_SUPPORTED, "a call that does not exist");
}

void attack(void)
{
    static const uint32_t exts[] = { SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI,
                                     SBI_EXT_RFNC, SBI_EXT_HSM,  SBI_EXT_SRST,
                                     SBI_EXT_DBCN, SBI_EXT_HV };

    for (uint32_t i = 0; i < COUNT(wild); i++) {
        for (uint32_t fn = 0; fn < 4; fn++)
            no_such(wild[i], fn);
        no_such(wild[i], 0xffffffff);
    }
    for (uint32_t i = 0; i < COUNT(exts); i++)
        for (uint32_t n = 0; n < COUNT(functions); n++)
            no_such(exts[i], functions[n]);
    for (uint32_t fn = NR_HCALLS; fn < NR_HCALLS + 64; fn++)
        no_such(SBI_EXT_HV, fn);
    for (uint32_t fn = 0; !paravirtual && fn < NR_HCALLS; fn++)
        no_such(SBI_EXT_HV, fn); /* it never asked for them */
    check(sbi_call(SBI_EXT_BASE, SBI_BASE_PROBE, 0xffffffff, 0, 0, 0).value ==
              0,
          "no such extension");
}
