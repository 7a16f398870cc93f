/* lockstep.h - compare the bare machine with a VM, after every step. */
#ifndef LOCKSTEP_H
#define LOCKSTEP_H

#include "privgen.h"

/* cdef: begin */
enum divergence_kind {
    DIVERGED_NOT,
    DIVERGED_REGISTER, /* where: a register number of hv.h */
    DIVERGED_MEMORY,   /* where: a guest-physical address */
    DIVERGED_STOP,     /* one can go on, the other cannot: hv_step's statuses */
    DIVERGED_AUDIT,    /* the hypervisor's own audit failed */
    DIVERGED_BROKEN,   /* an HV_ASSERT was reached */
    DIVERGED_SETUP,    /* the test itself could not start */
};

struct divergence {
    uint64_t seed;
    uint32_t kind; /* enum divergence_kind */
    uint32_t step;
    uint32_t where;
    uint32_t bare, vm;
    char     why[160];
    struct {
        uint32_t pc, priv;
    } trail[16]; /* the last steps, by step % 16 */
};

/* Flags. */
enum { LOCKSTEP_AUDIT = 1, LOCKSTEP_TINY_POOL = 2 };

/* Run the programs of `count` seeds, `max` steps each; stop at the first that
 * diverges. Returns how many steps were compared. */
uint64_t lockstep_many(uint64_t first, uint64_t count, uint32_t max,
                       uint32_t flags, struct divergence *d);
struct program;
uint32_t program_words(void);
void     program_make(uint64_t seed, uint32_t *words);
/* cdef: end */

#define TRAIL 16

void lockstep(uint64_t seed, const struct program *p, uint32_t max,
              uint32_t flags, struct divergence *d);

#endif
