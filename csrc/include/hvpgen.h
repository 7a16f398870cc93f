/* hvpgen.h - hypervisor programs at random, and many of them in one call.
 *
 * The same seed means the same program on every computer. Seeds that differ
 * in their low six bits only share a world and a set of features, so that a
 * context (hvp.h) prepares each world once. */
#ifndef HV_HVPGEN_H
#define HV_HVPGEN_H

#include "include/hvp.h"

/* cdef: begin */

#define HVP_MAX_LENGTH 4112 /* header and HVP_MAX_RECORDS records */

/* A ladder: each strategy knows something that the one before does not. */
enum hvp_strategy {
    HVP_G0, /* bytes */
    HVP_G1, /* weighted operations, small integers */
    HVP_G2, /* and sequences that once went wrong somewhere (idioms.def) */
    HVP_G3, /* and operands that name live, stale or boundary handles */
    HVP_G4, /* a state is built, then a few operations follow */
    HVP_G5, /* mutations of what led to new states; alone, as g3 or g4 */
    HVP_NR_STRATEGIES,
};

/* Write the program of this seed: its length, at most `max`, which is at least
 * HVP_HEADER + HVP_RECORD. 0: there is no such strategy, or no room. */
size_t hvp_generate(uint32_t strategy, uint64_t seed, uint8_t *to, size_t max);
/* Change a program of `n` bytes in place: remove, repeat, swap, alter, insert
 * records, or alter the header. Its new length, at most `max`. */
size_t hvp_mutate(uint64_t seed, uint8_t *program, size_t n, size_t max);

/* The table of sequences, for the book. */
uint32_t hvp_idiom_count(void);
const char *hvp_idiom_name(uint32_t idiom); /* NULL past the end */
const char *hvp_idiom_doc(uint32_t idiom);

/* cdef: end */

#endif
