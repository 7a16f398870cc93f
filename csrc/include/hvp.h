/* hvp.h - hypervisor programs: one byte format for every fuzzer.
 *
 * A hypervisor program (HVP) makes a small host with a few VMs, does to them
 * what its records say, and checks after each of these that every property of
 * isolation still holds. Every string of bytes is a program. What a program
 * does, and its verdict, depend on its bytes alone.
 *
 *   header   16 bytes: "HVP1", flags u16, world u16, seed u32, nbuild u16,
 *            nvary u16; all little-endian
 *   records  8 bytes each: op u8, actor u8, a u16, b u16, c u16
 *            first nbuild that build a state; then nvary that only the second
 *            run of a twin makes; then the rest
 *
 * Decoding is total: without the magic the whole string is records after a
 * default header; an op is taken modulo the number of rows of ops.def; a
 * count is cut to what is there; trailing bytes that are no record count for
 * nothing. actor: VM in bits 0-1, vCPU in bits 2-3, kernel mode in bit 4. */
#ifndef HV_HVP_H
#define HV_HVP_H

#include "include/hv.h"

/* cdef: begin */

#define HVP_HEADER      16
#define HVP_RECORD      8
#define HVP_MAX_RECORDS 512 /* the others are not executed */

enum hvp_flags {
    HVP_TWIN = 1,   /* run twice, with other secrets in VM 1: P18, P19 */
    HVP_FILL = 2,   /* run twice, with other fill of fresh memory: P22 */
    HVP_BARE = 4,   /* ignored; a bare machine has no host and no second VM:
                        * P13 is compared by hv_lockstep() instead */
    HVP_STRICT = 8, /* fixed slots; in a twin, who runs when counts as well */
    HVP_UNFENCED = 16, /* do not put in the fences that a program forgot */
};

/* Bits of `world`: VMs less one (0-1), memory (2-3: tight to ample), harts
 * (4: 1 or 2), style of VM 1 (5-7) and of the others (8-10, modulo), lazy,
 * traced or told (11-12), policy (13-14), over-commit (15). Bits of `seed`: as
 * many shadow tables as a VM can use, not just enough (16); edf where the policy
 * is round robin (17); who owes the fence of one page makes that one, not a
 * whole one (18); if both are set, VMs end after a few instructions (19, 20). */

enum hvp_feature { /* of `seed`, bits 0-15: what a generator draws from */
                   HVP_FEATURE_BASE = 1,
                   HVP_FEATURE_PAGING = 2,
                   HVP_FEATURE_SCHED = 4,
                   HVP_FEATURE_SMP = 8,
                   HVP_FEATURE_CALLS = 16,
                   HVP_FEATURE_BALLOON = 32,
                   HVP_FEATURE_DIRECT = 64,
                   HVP_FEATURE_LIFE = 128,
                   HVP_FEATURE_SHARE = 256,
                   HVP_FEATURE_LOG = 512,
                   HVP_FEATURE_MOVE = 1024,
                   HVP_FEATURE_FAULT = 2048,
                   HVP_FEATURE_SNAP = 4096,
};

/* How thoroughly each operation is followed by checks. */
enum hvp_oracle {
    HVP_ORACLE_AUDIT = 1,  /* hv_audit(): every so many operations, and last */
    HVP_ORACLE_EACH = 2,   /* ... after each */
    HVP_ORACLE_ACCESS = 4, /* what an access must see: tables, registers */
    HVP_ORACLE_OTHERS = 8, /* nobody else changed: P15, P18 */
    HVP_ORACLE_RESIDUE = 16, /* no tag of another VM is to be seen: P21 */
    HVP_ORACLE_ERRORS = 32,  /* an error changed nothing: P28 */
    HVP_ORACLE_WORK = 64,    /* an operation costs no more than it may: P25 */
    HVP_ORACLE_END = 128,    /* after all VMs are gone, every frame is free */
    HVP_ORACLE_SCHED = 256,  /* what the policy promises: P19 P23 P24 P26 */
    HVP_ORACLE_ALL = 511,
};

struct hvp_verdict {
    char     property[8]; /* "P7", and so on; empty: all held */
    char     what[120];   /* in words; from hv_audit(), or from the checks */
    uint32_t op;          /* index of the record at which it broke */
    uint32_t kind;        /* its row in ops.def */
    uint32_t done;        /* records executed */
    uint64_t steps;       /* operations and guest steps in all */
    uint64_t hash;        /* of the host at the end */
    uint64_t trace[4];    /* of what each VM has seen */
    uint32_t checks;      /* made in all */
};

/* The table of operations, for printers and parsers. */
uint32_t hvp_op_count(void);
const char *hvp_op_name(uint32_t op); /* NULL past the end */
const char *hvp_op_doc(uint32_t op);
/* Kind of operand i (0-2) of an op, by name; NULL if it has none. */
const char *hvp_op_operand(uint32_t op, uint32_t i);
uint32_t hvp_op_weight(uint32_t op);
uint32_t hvp_op_feature(uint32_t op);
/* 1: may stand among the records that build a state. */
int hvp_op_builds(uint32_t op);

/* States met, for fuzzers that look for new ones: a map of counters, one byte
 * each, which only grow. */
#define HVP_MAP 65536

typedef struct hvp_context hvp_context;

/* Keeps prepared worlds, so that programs on the same world start at once. A
 * context gives the same verdicts whatever it has run before. NULL: no memory.
 * `audit_every` is for HVP_ORACLE_AUDIT. */
hvp_context *hvp_new(uint32_t oracles, uint32_t audit_every);
void hvp_free(hvp_context *context);
/* Where states are counted (HVP_MAP bytes, or NULL: nowhere). */
void hvp_watch(hvp_context *context, uint8_t *map);
/* Say nothing of these properties, bit n is Pn: to see what others say. Of what
 * hv_audit() finds, the first in its order is all that there is to be said. */
void hvp_mute(hvp_context *context, uint64_t properties);
/* HV_OK, and the verdict; only NO_MEMORY and INVALID are errors. */
int hvp_execute(hvp_context *context, const uint8_t *program, size_t n,
                struct hvp_verdict *out);
/* To look at what the last program left, until the next one: its host, and the
 * ids of its VMs by place (0-3). NULL, 0: there is none. */
hv_host *hvp_host(hvp_context *context);
uint32_t hvp_vm_id(const hvp_context *context, uint32_t place);
/* The VM whose guest did the last operation; 0: the host did it, or nobody: a
 * vCPU that is stopped or paused does nothing. */
uint32_t hvp_actor_id(hvp_context *context);
/* The same in a context of its own, with all oracles: for replays. */
int hvp_run(const uint8_t *program, size_t n, struct hvp_verdict *out);

/* cdef: end */

#endif
