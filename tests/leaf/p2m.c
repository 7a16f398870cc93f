/* p2m.c - which guest frames there are, who may write them, and what a VM is
 * still owed of what it was promised. */
#include "hyp/p2m.c"
#include "leaf_check.h"

#define COUNT 3
#define FIRST (RAM_BASE >> PAGE_SHIFT)

static bool check_entry(struct leaf *out, uint32_t gfn, bool there,
                        uint8_t state)
{
    uint32_t  hfns[COUNT + 1] = { NO_FRAME, NO_FRAME, NO_FRAME };
    uint8_t   states[COUNT + 1] = { 0 };
    struct vm vm = {
        .p2m = { .first = FIRST, .count = COUNT, .hfn = hfns, .state = states }
    };
    hfn_t hfn = { 0 };
    bool  inside = gfn >= FIRST && gfn < FIRST + COUNT;
    bool  gone = state & P2M_GONE;

    if (inside) {
        hfns[gfn - FIRST] = there ? 0x80007 : NO_FRAME;
        states[gfn - FIRST] = state;
    }
    SAME("p2m_has", inside && !gone, p2m_has(&vm, (gfn_t){ gfn }), gfn, there,
         state, 0);
    SAME("p2m_lookup", inside && !gone && there,
         p2m_lookup(&vm, (gfn_t){ gfn }, &hfn), gfn, there, state, 0);
    SAME("p2m_may_write", inside && there && state == 0,
         p2m_may_write(&vm, (gfn_t){ gfn }), gfn, there, state, 0);
    if (inside && !gone && there)
        SAME("the frame", 0x80007, hfn.raw, gfn, there, state, 0);
    return true;
}

/* It has `own` of its own; of what is not in the balloon, so many were
 * promised. */
static bool check_owed(struct leaf *out)
{
    for (int64_t gone = 0; gone <= 6; gone++)
        for (int64_t minimum = 0; minimum <= 8; minimum++)
            for (int64_t own = 0; own <= 6 - gone; own++) {
                struct p2m p2m = { .count = 6,
                                   .gone = (uint32_t)gone,
                                   .minimum = (uint32_t)minimum,
                                   .own = (uint32_t)own };
                int64_t    want = (minimum < 6 - gone ? minimum : 6 - gone);

                want = want > own ? want - own : 0;
                SAME("p2m_owed", want, p2m_owed(&p2m), gone, minimum, own, 0);
            }
    return true;
}

bool leaf_p2m(struct leaf *out)
{
    static const uint32_t more[] = { FIRST - 1, FIRST,         FIRST + 1,
                                     FIRST + 2, FIRST + COUNT, FIRST + 4 };

    for (uint32_t there = 0; there < 2; there++)
        for (uint8_t state = 0; state < 8; state++) {
            for (uint32_t i = 0; i < COUNT_OF(edges); i++)
                if (!check_entry(out, edges[i], there, state))
                    return false;
            for (uint32_t i = 0; i < COUNT_OF(more); i++)
                if (!check_entry(out, more[i], there, state))
                    return false;
        }
    return check_owed(out);
}
