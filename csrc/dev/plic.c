/* plic.c - the platform-level interrupt controller. */
#include "dev/plic.h"

#define PRIORITY_MASK 7

void plic_reset(struct plic *plic, uint32_t nr_contexts)
{
    *plic = (struct plic){
        .nr_contexts = nr_contexts < PLIC_CONTEXTS ? nr_contexts
                                                   : PLIC_CONTEXTS,
    };
}

/* A source whose line is up asks, unless it is already being served. */
static void plic_sample(struct plic *plic)
{
    plic->pending |= plic->lines & ~plic->claimed;
}

void plic_set_line(struct plic *plic, uint32_t source, bool up)
{
    if (source < 1 || source > PLIC_SOURCES)
        return;
    if (up)
        plic->lines |= 1u << source;
    else
        plic->lines &= ~(1u << source);
    plic_sample(plic);
}

/* The source that a context would be given: highest priority, then lowest
 * number; 0 if none is above the floor. */
static uint32_t plic_best(const struct plic *plic, uint32_t context,
                          uint32_t floor)
{
    uint32_t asking = plic->pending & plic->enable[context];
    uint32_t best = 0;

    for (uint32_t source = 1; asking && source <= PLIC_SOURCES; source++) {
        if ((asking >> source & 1) && plic->priority[source] > floor) {
            best = source;
            floor = plic->priority[source];
        }
    }
    return best;
}

bool plic_pending(const struct plic *plic, uint32_t context)
{
    return context < plic->nr_contexts &&
           plic_best(plic, context, plic->threshold[context]) != 0;
}

/* A claim does not look at the threshold: it may be polled with a high one. */
static uint32_t plic_claim(struct plic *plic, uint32_t context)
{
    uint32_t source = plic_best(plic, context, 0);

    if (source) {
        plic->pending &= ~(1u << source);
        plic->claimed |= 1u << source;
    }
    return source;
}

static void plic_complete(struct plic *plic, uint32_t context, uint32_t source)
{
    if (source < 1 || source > PLIC_SOURCES ||
        !(plic->enable[context] >> source & 1))
        return;
    plic->claimed &= ~(1u << source);
    plic_sample(plic);
}

bool plic_load(struct plic *plic, uint32_t offset, uint32_t size, uint32_t *val)
{
    uint32_t source = (offset - PLIC_PRIORITY) / 4;
    uint32_t enable = (offset - PLIC_ENABLE) / PLIC_ENABLE_STEP;
    uint32_t context = (offset - PLIC_CONTEXT) / PLIC_CONTEXT_STEP;

    if (size != 4 || offset % 4 != 0)
        return false;
    *val = 0;
    if (source <= PLIC_SOURCES)
        *val = plic->priority[source];
    else if (offset == PLIC_PENDING)
        *val = plic->pending;
    else if (enable < plic->nr_contexts && offset % PLIC_ENABLE_STEP == 0)
        *val = plic->enable[enable];
    else if (context < plic->nr_contexts && offset % PLIC_CONTEXT_STEP == 0)
        *val = plic->threshold[context];
    else if (context < plic->nr_contexts && offset % PLIC_CONTEXT_STEP == 4)
        *val = plic_claim(plic, context);
    return true;
}

bool plic_store(struct plic *plic, uint32_t offset, uint32_t size, uint32_t val)
{
    uint32_t source = (offset - PLIC_PRIORITY) / 4;
    uint32_t enable = (offset - PLIC_ENABLE) / PLIC_ENABLE_STEP;
    uint32_t context = (offset - PLIC_CONTEXT) / PLIC_CONTEXT_STEP;

    if (size != 4 || offset % 4 != 0)
        return false;
    if (source >= 1 && source <= PLIC_SOURCES)
        plic->priority[source] = val & PRIORITY_MASK;
    else if (enable < plic->nr_contexts && offset % PLIC_ENABLE_STEP == 0)
        plic->enable[enable] = val & ~1u; /* there is no source 0 */
    else if (context < plic->nr_contexts && offset % PLIC_CONTEXT_STEP == 0)
        plic->threshold[context] = val & PRIORITY_MASK;
    else if (context < plic->nr_contexts && offset % PLIC_CONTEXT_STEP == 4)
        plic_complete(plic, context, val);
    return true;
}
