/* format.h - what the files of csrc/hvp share: rows, kinds, records. */
#ifndef HV_HVP_FORMAT_H
#define HV_HVP_FORMAT_H

#include "include/hvp.h"
#include <stdbool.h>

enum hvp_op {
#define HVP_OP(number, name, phase, who, a, b, c, weight, feature, doc) \
    HVP_##name,
#include "hvp/ops.def"
#undef HVP_OP
    HVP_NR_OPS
};

enum hvp_kind {
#define HVP_OPERAND(name, doc) HVP_KIND_##name,
#include "hvp/operands.def"
#undef HVP_OPERAND
    HVP_NR_KINDS
};

enum hvp_phase { HVP_PHASE_BUILD, HVP_PHASE_ANY };
enum hvp_who { HVP_WHO_GUEST, HVP_WHO_HOST };
enum hvp_form { HVP_LITERAL, HVP_LIVE, HVP_STALE, HVP_BOUNDARY };

/* Features of a program without a header. */
#define HVP_FEATURE_DEFAULT 0x1fff

struct hvp_row {
    const char *name, *doc;
    uint8_t     phase, who, kind[3], weight;
    uint16_t    feature;
};

struct hvp_record {
    uint8_t  op; /* enum hvp_op */
    uint8_t  actor;
    uint16_t arg[3];
};

static inline uint32_t hvp_actor_vm(struct hvp_record r)
{
    return r.actor & 3;
}

static inline uint32_t hvp_actor_vcpu(struct hvp_record r)
{
    return r.actor >> 2 & 3;
}

static inline bool hvp_actor_kernel(struct hvp_record r)
{
    return r.actor & 16;
}

/* Of the header's `world`: the first VM has a style, the others have one. */
static inline uint32_t hvp_world_style(uint32_t world, uint32_t place)
{
    return (world >> (place ? 8 : 5) & 7) % HV_NR_STYLES;
}

static inline enum hvp_form hvp_form(uint16_t arg)
{
    return (enum hvp_form)(arg >> 14);
}

static inline uint32_t hvp_number(uint16_t arg)
{
    return arg & 0x3fff;
}

struct hvp_decoded {
    uint32_t          flags, world, seed, nbuild, nvary;
    uint32_t          count;
    struct hvp_record record[HVP_MAX_RECORDS];
};

/* The row of this opcode, modulo their number. */
const struct hvp_row *hvp_row(uint32_t op);
/* Total: every string of bytes is a program. */
void hvp_decode(const uint8_t *program, size_t n, struct hvp_decoded *out);

#endif
