/* clint.c - the core-local interruptor. */
#include "dev/clint.h"

#define MTIMECMP_NEVER UINT64_MAX

void clint_reset(struct clint *clint, uint32_t nr_harts)
{
    clint->nr_harts = nr_harts < CLINT_HARTS ? nr_harts : CLINT_HARTS;
    for (uint32_t i = 0; i < CLINT_HARTS; i++) {
        clint->msip[i] = false;
        clint->mtimecmp[i] = MTIMECMP_NEVER;
    }
}

/* The half of a 64-bit register that an offset names. */
static uint32_t half(uint64_t val, uint32_t offset)
{
    return (uint32_t)(offset & 4 ? val >> 32 : val);
}

bool clint_load(const struct clint *clint, uint32_t offset, uint32_t size,
                uint64_t now, uint32_t *val)
{
    uint32_t msip = (offset - CLINT_MSIP) / 4;
    uint32_t timer = (offset - CLINT_MTIMECMP) / 8;

    if (size != 4 || offset % 4 != 0)
        return false;
    *val = 0;
    if (msip < clint->nr_harts)
        *val = clint->msip[msip];
    else if (timer < clint->nr_harts)
        *val = half(clint->mtimecmp[timer], offset);
    else if (offset == CLINT_MTIME || offset == CLINT_MTIME + 4)
        *val = half(now, offset);
    return true;
}

bool clint_store(struct clint *clint, uint32_t offset, uint32_t size,
                 uint32_t val)
{
    uint32_t msip = (offset - CLINT_MSIP) / 4;
    uint32_t timer = (offset - CLINT_MTIMECMP) / 8;

    if (size != 4 || offset % 4 != 0)
        return false;
    if (msip < clint->nr_harts) {
        clint->msip[msip] = val & 1;
    } else if (timer < clint->nr_harts) {
        uint64_t *cmp = &clint->mtimecmp[timer];

        if (offset & 4)
            *cmp = (uint64_t)val << 32 | (uint32_t)*cmp;
        else
            *cmp = *cmp >> 32 << 32 | val;
    }
    return true;
}

bool clint_software(const struct clint *clint, uint32_t hart)
{
    return hart < clint->nr_harts && clint->msip[hart];
}
