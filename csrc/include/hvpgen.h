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

/* The table of sequences, for the book and for other generators. */
uint32_t hvp_idiom_count(void);
const char *hvp_idiom_name(uint32_t idiom); /* NULL past the end */
const char *hvp_idiom_doc(uint32_t idiom);
uint32_t hvp_idiom_features(uint32_t idiom); /* all of which it needs */

enum hvp_part { /* who does a step */
                HVP_PART_KERNEL,
                HVP_PART_USER,
                HVP_PART_OTHER,  /* the kernel of the next VM */
                HVP_PART_CHILD,  /* that of the first place which was empty */
                HVP_PART_SECOND, /* the kernel on the VM's next vCPU */
};

/* How the operand of a step is read, above its low 16 bits. */
enum hvp_wanted {
    HVP_WANTED_LITERAL = 0,    /* the low bits are the operand */
    HVP_WANTED_ANY = 0x10000,  /* to be drawn for its kind */
    HVP_WANTED_EDGE = 0x20000, /* some boundary */
    /* Handle number 0-3 of the sequence, to be drawn once for all its steps. */
    HVP_WANTED_LIVE = 0x30000,
    HVP_WANTED_STALE = 0x40000,
    HVP_WANTED_BOARD = 0x50000, /* the address of some register of a device */
};

struct hvp_step {
    uint32_t op, who; /* enum hvp_part */
    uint32_t operand[3];
};
/* Step `at` of a sequence; 0: it has no such step, and nothing is written. */
int hvp_idiom_step(uint32_t idiom, uint32_t at, struct hvp_step *out);

/* Many programs, with seeds from `first` on. NULL: no memory, or no such
 * strategy. What comes of a batch depends on its three arguments alone. */
typedef struct hvp_batch hvp_batch;
hvp_batch *hvp_batch_new(uint32_t strategy, uint64_t first, uint64_t count);
void hvp_batch_free(hvp_batch *batch);

struct hvp_progress { /* sums, to which a call adds */
    uint64_t executed, operations, checks;
    uint64_t seed;   /* of the last program */
    uint32_t states; /* of HVP_MAP, that this batch has met */
    uint32_t length; /* of the last program, which is: */
    uint8_t  program[HVP_MAX_LENGTH];
};

/* Go on until a program breaks a property, `limit` of them were run, or the
 * batch is done. HV_OK, and the verdict on the last program; or an error of
 * hvp_execute(), with the program that it was about not counted. */
int hvp_batch_run(hvp_batch *batch, hvp_context *context, uint64_t limit,
                  struct hvp_progress *out, struct hvp_verdict *verdict);
/* Only write the next program there: for who expects it to crash the core. */
void hvp_batch_peek(const hvp_batch *batch, struct hvp_progress *out);
/* HVP_MAP bytes: which states it has met. */
const uint8_t *hvp_batch_map(const hvp_batch *batch);

/* cdef: end */

#endif
