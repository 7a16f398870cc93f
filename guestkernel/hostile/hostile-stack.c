/* hostile-stack.c - traps with a stack pointer that points nowhere.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * A hypervisor that writes a trap's frame where the guest's sp points writes
 * where the guest wants (XSA-215 is the best known of that class). Ours writes
 * no frame: sp is a register like any other. What must happen: traps from both
 * modes arrive, with the wild sp reported exactly, and no byte is written
 * there. */
#include "hostile/lib/hostile.h"

static void illegal_with_sp(uint32_t sp)
{
    __asm__ volatile("mv sp, %0\n\t.word 0" ::"r"(sp) : "memory");
}

void attack(void)
{
    const uint32_t wild[] = {
        0,
        1,
        4,
        0x7fffffff,
        RAM_BASE - 16,
        RAM_BASE,
        ram_end,
        UART_BASE,
        TEST_BASE,
        PLIC_BASE,
        0xfffffff0,
        0xffffffff,
        address(&page[0][512]),
        address(&page[1][0]),
    };
    uint32_t x[32] = { 0 }, a0 = 0;

    user_can_execute(0, &a0, 0); /* an illegal instruction in user_page */
    uint32_t pc = fault.epc;

    for (uint32_t i = 0; i < COUNT(wild); i++) {
        check(!attempt(illegal_with_sp, wild[i]), "a trap with a wild sp");
        check_fault(CAUSE_ILLEGAL, 0, "a trap with a wild sp");
        check(fault.x[REG_SP] == wild[i], "sp as it was");
        x[REG_SP] = wild[i];
        user_run(x, pc);
        check_fault(CAUSE_ILLEGAL, 0, "a trap from user mode");
        check(fault.x[REG_SP] == wild[i], "the user's sp");
    }
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        check(page[0][i] == 0 && page[1][i] == 0, "something was pushed");
}
