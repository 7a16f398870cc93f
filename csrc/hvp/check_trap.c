/* check_trap.c - what a kernel is told of a trap can be true: P14.
 *
 * Whichever translation the instruction was fetched by, an old one or a new
 * one: the word that is called illegal is one that some hart refuses. Words of
 * the base and of M that every hart executes in every mode are none, by the
 * listings of the Unprivileged Specification 20240411, chapter 35. */
#include "hvp/run.h"

static bool is_shift(uint32_t insn, bool right)
{
    uint32_t f7 = insn >> 25;

    return f7 == 0 || (right && f7 == 0x20);
}

/* Between two registers. */
static bool is_op(uint32_t insn, uint32_t f3)
{
    switch (insn >> 25) {
    case 0:
    case 1: /* M */
        return true;
    case 0x20:
        return f3 == 0 || f3 == 5;
    default:
        return false;
    }
}

/* No word of which somebody could doubt it. */
static bool is_ordinary(uint32_t insn)
{
    uint32_t f3 = insn >> 12 & 7;

    switch (insn & 0x7f) {
    case 0x37: /* lui */
    case 0x17: /* auipc */
    case 0x6f: /* jal */
        return true;
    case 0x67: /* jalr */
        return f3 == 0;
    case 0x63: /* branches */
        return f3 != 2 && f3 != 3;
    case 0x03: /* loads */
        return f3 != 3 && f3 < 6;
    case 0x23: /* stores */
        return f3 < 3;
    case 0x13: /* with an immediate */
        return (f3 != 1 && f3 != 5) || is_shift(insn, f3 == 5);
    case 0x33:
        return is_op(insn, f3);
    default:
        return false;
    }
}

void hvp_check_trap(struct hvp_run *run)
{
    if (!hvp_checks(run, HVP_ORACLE_ACCESS) || !run->last.trapped ||
        run->last.cause != CAUSE_ILLEGAL)
        return;
    run->out->checks++;
    if (is_ordinary(run->last.tval))
        hvp_fail(run, "P14", "%#x was called an illegal instruction",
                 (unsigned)run->last.tval);
}
