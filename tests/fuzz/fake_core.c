/* fake_core.c - an executor that executes nothing, for tests of campaigns.
 *
 * With csrc/hvp's generator it makes a core that is done in a moment and has
 * bugs that are known: a load after an unmap breaks P7; a balloon_give after a
 * pin breaks P2; and a fork after a share ends the process, if FAKE_CRASH is
 * defined, or never ends, if FAKE_HANG is. Its states are pairs of
 * operations. */
#include "hvp/format.h"
#include "include/hvpgen.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hvp_context { uint8_t *map; };

hvp_context *hvp_new(uint32_t oracles, uint32_t audit_every)
{
    (void)oracles;
    (void)audit_every;
    return calloc(1, sizeof(hvp_context));
}

void hvp_free(hvp_context *context)
{
    free(context);
}

void hvp_watch(hvp_context *context, uint8_t *map)
{
    context->map = map;
}

void hvp_mute(hvp_context *context, uint64_t properties)
{
    (void)context;
    (void)properties;
}

static void broken(struct hvp_verdict *out, const char *property,
                   const struct hvp_decoded *program, uint32_t i)
{
    snprintf(out->property, sizeof(out->property), "%s", property);
    snprintf(out->what, sizeof(out->what), "record %u", i);
    out->op = i;
    out->kind = program->record[i].op;
}

int hvp_execute(hvp_context *context, const uint8_t *program, size_t n,
                struct hvp_verdict *out)
{
    static struct hvp_decoded decoded;
    bool                      seen[HVP_NR_OPS] = { false };
    uint32_t                  last = 0;

    memset(out, 0, sizeof(*out));
    hvp_decode(program, n, &decoded);
    for (uint32_t i = 0; i < decoded.count && !out->property[0]; i++) {
        uint32_t op = decoded.record[i].op;

        if (context->map)
            context->map[op * 64 + last] = 1;
        if (op == HVP_load && seen[HVP_unmap])
            broken(out, "P7", &decoded, i);
        if (op == HVP_balloon_give && seen[HVP_pin])
            broken(out, "P2", &decoded, i);
#ifdef FAKE_CRASH
        if (op == HVP_fork && seen[HVP_share])
            abort();
#endif
#ifdef FAKE_HANG
        for (volatile bool on = op == HVP_fork && seen[HVP_share]; on;)
            continue;
#endif
        seen[op] = true;
        last = op;
        out->done++;
        out->steps += 2;
        out->checks += 3;
        out->hash = out->hash * 31 + op;
    }
    return HV_OK;
}
