/* hostile-flood.c - writes to its console for ever.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: contained
 *
 * Output costs somebody else: a buffer in the host that grows without bound, a
 * terminal, a log file (the class of XSA-115 and CVE-2016-5403, what a guest
 * may make the host remember). What must happen: the host drains or throttles
 * and others run; the flood ends with the budget. */
#include "hostile/lib/hostile.h"

static const char line[] = "all work and no play makes this a dull console\n";

void attack(void)
{
    for (;;)
        sbi_call(SBI_EXT_DBCN, SBI_DBCN_WRITE, sizeof(line) - 1, address(line),
                 0, 0);
}
