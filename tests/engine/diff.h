/* diff.h - what Python may call of diff.c. */
#ifndef HV_TESTS_ENGINE_DIFF_H
#define HV_TESTS_ENGINE_DIFF_H

#include <stdint.h>

struct diff_result {
    uint64_t seed; /* of the scenario that differed, if any */
    int      differs;
    char     why[200]; /* what differed first */
    uint64_t scenarios, runs, executed, traps, interrupts, accesses;
    uint64_t guest_runs, guest_traps; /* that ended with V = 1; into VS */
    uint64_t exits[4];                /* runs by enum hart_exit */
};

/* Run scenarios from `seed` on until so many instructions have been executed
 * (by each engine) or the engines differ. */
void diff_run(uint64_t seed, uint64_t insns, struct diff_result *result);

#endif
