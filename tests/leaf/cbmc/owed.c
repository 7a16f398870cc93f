/* owed.c - what a VM is owed, and has or gave back, is never more than its
 * memory. */
#include "hyp/p2m.c"
#include "prove.h"

void prove_owed(void);

void prove_owed(void)
{
    struct p2m p2m = { .count = any_u32() };

    p2m.gone = any_u32();
    p2m.own = any_u32();
    p2m.minimum = any_u32();
    ASSUME(p2m.count <= 0x40000 && p2m.gone <= p2m.count);
    ASSUME(p2m.own <= p2m.count - p2m.gone);
    uint32_t owed = p2m_owed(&p2m);
    PROVE(owed <= p2m.count - p2m.gone - p2m.own);
    PROVE(owed <= p2m.minimum);
    PROVE(owed == 0 || owed + p2m.own == p2m.minimum ||
          owed + p2m.own == p2m.count - p2m.gone);
}
