/* hostile-trap-storm.c - exits as fast as it can.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: contained
 *
 * Illegal instructions, access faults, calls that fail, device registers:
 * every other instruction enters the hypervisor, so this guest makes it work
 * far more than its own instructions cost. A hypervisor that does not charge
 * that work to the guest gives it more than its share (Zhou and others, 2011,
 * got 98 % of a hart by being elsewhere when it was counted). What must
 * happen: the neighbours' share stays theirs. */
#include "hostile/lib/hostile.h"

void attack(void)
{
    uint32_t val, a0 = 0;

    for (;;) {
        can_execute(0, &a0, 0);
        can_load(0, 4, &val);
        can_load(UART_BASE + 5, 1, &val);
        sbi_call(0xffffffff, 0, 0, 0, 0, 0);
    }
}
