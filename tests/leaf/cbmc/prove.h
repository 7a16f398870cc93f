/* prove.h - what holds for all arguments, said once and checked in two ways:
 * by CBMC, a bounded model checker, which takes any_u32() for every number at
 * once; and natively, where it is drawn, so that no harness rots where there
 * is no CBMC. */
#ifndef HV_TESTS_PROVE_H
#define HV_TESTS_PROVE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __CPROVER__
uint32_t nondet_u32(void);
#define any_u32     nondet_u32
#define ASSUME(c)   __CPROVER_assume(c)
#define PROVE(cond) __CPROVER_assert(cond, #cond)
#else
/* prove.c */
uint32_t any_u32(void);
void proved(bool holds, const char *what);
#define ASSUME(c)   \
    do {            \
        if (!(c))   \
            return; \
    } while (0)
#define PROVE(cond) proved(cond, #cond)
#endif

static inline uint64_t any_u64(void)
{
    uint64_t high = any_u32();

    return high << 32 | any_u32();
}

#endif
