/* format.c - the table of operations, and what bytes mean. */
#include "hvp/format.h"
#include <string.h>

static const struct hvp_row rows[] = {
#define HVP_OP(number, name, phase, who, a, b, c, weight, feature, doc) \
    { #name,                                                            \
      doc,                                                              \
      HVP_PHASE_##phase,                                                \
      HVP_WHO_##who,                                                    \
      { HVP_KIND_##a, HVP_KIND_##b, HVP_KIND_##c },                     \
      weight,                                                           \
      HVP_FEATURE_##feature },
#include "hvp/ops.def"
#undef HVP_OP
};

static const char *const kinds[] = {
#define HVP_OPERAND(name, doc) #name,
#include "hvp/operands.def"
#undef HVP_OPERAND
};

#define HVP_OP(number, name, phase, who, a, b, c, weight, feature, doc) \
    _Static_assert((int)HVP_##name == (number), "rows are in order");
#include "hvp/ops.def"
#undef HVP_OP

const struct hvp_row *hvp_row(uint32_t op)
{
    return &rows[op % HVP_NR_OPS];
}

uint32_t hvp_op_count(void)
{
    return HVP_NR_OPS;
}

const char *hvp_op_name(uint32_t op)
{
    return op < HVP_NR_OPS ? rows[op].name : NULL;
}

const char *hvp_op_doc(uint32_t op)
{
    return op < HVP_NR_OPS ? rows[op].doc : NULL;
}

const char *hvp_op_operand(uint32_t op, uint32_t i)
{
    if (op >= HVP_NR_OPS || i > 2 || rows[op].kind[i] == HVP_KIND_NONE)
        return NULL;
    return kinds[rows[op].kind[i]];
}

uint32_t hvp_op_weight(uint32_t op)
{
    return op < HVP_NR_OPS ? rows[op].weight : 0;
}

uint32_t hvp_op_feature(uint32_t op)
{
    return op < HVP_NR_OPS ? rows[op].feature : 0;
}

int hvp_op_builds(uint32_t op)
{
    return op < HVP_NR_OPS && rows[op].phase == HVP_PHASE_BUILD;
}

static uint32_t half(const uint8_t *at)
{
    return (uint32_t)(at[0] | at[1] << 8);
}

static struct hvp_record record(const uint8_t *at)
{
    return (struct hvp_record){
        .op = at[0] % HVP_NR_OPS,
        .actor = at[1],
        .arg = { (uint16_t)half(at + 2), (uint16_t)half(at + 4),
                 (uint16_t)half(at + 6) },
    };
}

void hvp_decode(const uint8_t *program, size_t n, struct hvp_decoded *out)
{
    static const char magic[4] = "HVP1";
    size_t            at = 0;

    *out = (struct hvp_decoded){ .seed = HVP_FEATURE_DEFAULT };
    if (n >= HVP_HEADER && memcmp(program, magic, 4) == 0) {
        out->flags = half(program + 4);
        out->world = half(program + 6);
        out->seed = half(program + 8) | half(program + 10) << 16;
        out->nbuild = half(program + 12);
        out->nvary = half(program + 14);
        at = HVP_HEADER;
    }
    while (n - at >= HVP_RECORD && out->count < HVP_MAX_RECORDS) {
        out->record[out->count++] = record(program + at);
        at += HVP_RECORD;
    }
    if (out->nbuild > out->count)
        out->nbuild = out->count;
    if (out->nvary > out->count - out->nbuild)
        out->nvary = out->count - out->nbuild;
}
