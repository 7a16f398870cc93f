/* hostile-user-calls.c - hypercalls from user mode.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * Only the guest's kernel may call the hypervisor. One that looks at the
 * register with the number, and not at who made the call, lets any program
 * switch its VM off or rewrite its page tables (XSA-76). What must happen: an
 * ecall from user mode, whatever is in its registers, is the program's own
 * system call and comes to the kernel as such, registers untouched. */
#include "hostile/lib/hostile.h"

static void call(uint32_t ext, uint32_t fn)
{
    uint32_t x[32], a0 = 0, pc;

    for (uint32_t i = 0; i < 32; i++)
        x[i] = 0x01010101 * i;
    x[REG_A0] = 0;
    x[REG_A1] = address(page[0]);
    x[REG_A7] = ext;
    x[REG_A6] = fn;
    /* The slot in user_page holds a nop, and an ecall follows it. */
    user_can_execute(0x00000013, &a0, 0);
    pc = fault.epc - 4;
    user_run(x, pc);
    check_fault(CAUSE_ECALL_U, 0, "a call from user mode");
    check(fault.epc == pc + 4, "where the call was made");
    for (uint32_t i = 1; i < 32; i++)
        check(fault.x[i] == x[i], "a register of the caller");
}

void attack(void)
{
    static const uint32_t exts[] = {
        SBI_EXT_HV,  SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI, SBI_EXT_RFNC,
        SBI_EXT_HSM, SBI_EXT_SRST, SBI_EXT_DBCN, 0xffffffff,
    };

    page[0][0] = 0x600dbeef;
    for (uint32_t i = 0; i < COUNT(exts); i++)
        for (uint32_t fn = 0; fn < 20; fn++)
            call(exts[i], fn);
    for (uint32_t ext = 0; ext <= SBI_LEGACY_SHUTDOWN; ext++)
        call(ext, 0);
    check(page[0][0] == 0x600dbeef, "memory was written");
}
