/* plic.c - which source is served, and which register an offset is: over all
 * words of the device, and over all states of four sources. The second opinion
 * on the order is a sort, on the offsets a table of the specification's. */
#include "dev/plic.c"
#include "leaf_check.h"
#include <string.h>

#define CONTEXTS 3
#define CROWD    4 /* sources that matter; of those, two priorities */

static const uint32_t sources[CROWD] = { 1, 7, 30, 31 };

static uint32_t best(uint32_t asking, uint32_t enabled,
                     const uint32_t *priority, uint32_t floor)
{
    uint32_t found = 0, at = floor;

    for (uint32_t p = 7; p > floor; p--)
        for (uint32_t i = 0; i < CROWD && !found; i++)
            if ((asking & enabled) >> i & 1 && priority[i] == p) {
                found = sources[i];
                at = p;
            }
    (void)at;
    return found;
}

static bool check_order(struct leaf *out, uint32_t asking, uint32_t enabled,
                        const uint32_t *priority, uint32_t threshold)
{
    struct plic plic;
    uint32_t    val = 0, bits = 0;

    plic_reset(&plic, CONTEXTS);
    for (uint32_t i = 0; i < CROWD; i++) {
        bits |= (enabled >> i & 1) << sources[i];
        plic_store(&plic, 4 * sources[i], 4, priority[i]);
        plic_set_line(&plic, sources[i], asking >> i & 1);
    }
    plic_store(&plic, 0x2080, 4, bits);
    plic_store(&plic, 0x201000, 4, threshold);
    SAME("pending", best(asking, enabled, priority, threshold) != 0,
         plic_pending(&plic, 1), asking, enabled, threshold, 0);
    SAME("another context", false, plic_pending(&plic, 0), asking, enabled,
         threshold, 0);
    for (uint32_t left = asking;;) {
        uint32_t want = best(left, enabled, priority, 0);

        plic_load(&plic, 0x201004, 4, &val);
        SAME("claim", want, val, asking, enabled, left, 0);
        if (!want)
            return true;
        for (uint32_t i = 0; i < CROWD; i++)
            left &= sources[i] == want ? ~(1u << i) : ~0u;
    }
}

static bool check_orders(struct leaf *out)
{
    static const uint32_t levels[] = { 0, 1, 3, 7 };

    for (uint32_t n = 0; n < 256; n++) {
        uint32_t priority[CROWD];

        for (uint32_t i = 0; i < CROWD; i++)
            priority[i] = levels[n >> 2 * i & 3];
        for (uint32_t state = 0; state < 256; state++)
            for (uint32_t t = 0; t < COUNT_OF(levels); t++)
                if (!check_order(out, state & 15, state >> 4, priority,
                                 levels[t]))
                    return false;
    }
    return true;
}

/* What a word of all ones leaves there. */
static uint32_t keeps(uint32_t offset)
{
    if (offset >= 4 && offset <= 4 * 31)
        return 7;
    for (uint32_t c = 0; c < CONTEXTS; c++) {
        if (offset == 0x2000 + 0x80 * c)
            return 0xfffffffe;
        if (offset == 0x200000 + 0x1000 * c)
            return 7;
    }
    return 0;
}

static bool check_offsets(struct leaf *out)
{
    struct plic plic, before;

    for (uint32_t offset = 0; offset < 0x600000; offset += 4) {
        uint32_t val = 0;

        plic_reset(&plic, CONTEXTS);
        before = plic;
        plic_store(&plic, offset, 4, 0xffffffff);
        plic_load(&plic, offset, 4, &val);
        SAME("register", keeps(offset), val, offset, 0, 0, 0);
        if (!keeps(offset))
            SAME("no register", 0, memcmp(&plic, &before, sizeof(plic)) != 0,
                 offset, 0, 0, 0);
    }
    for (uint32_t offset = 0; offset < 64; offset++)
        for (uint32_t size = 1; size <= 4; size *= 2)
            SAME("width", size == 4 && offset % 4 == 0,
                 plic_store(&plic, offset, size, 1), offset, size, 0, 0);
    return true;
}

bool leaf_plic(struct leaf *out)
{
    for (uint32_t i = 0; i < COUNT_OF(edges); i++) {
        struct plic plic;
        uint32_t    lines = 0;

        plic_reset(&plic, CONTEXTS);
        plic_set_line(&plic, edges[i], true);
        if (edges[i] >= 1 && edges[i] <= 31)
            lines = 1u << edges[i];
        SAME("line", lines, plic.lines, edges[i], 0, 0, 0);
    }
    return check_orders(out) && check_offsets(out);
}
