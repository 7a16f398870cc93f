/* hostile-wx.c - executes data, and rewrites the code that it executes.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * A page without X must not run, whatever lies there. Code that was changed
 * must run as it is after fence.i, though a machine may have decoded it, and
 * though it was written through another address; a hypervisor that reads the
 * instruction again after the machine trapped on it can be shown another one
 * (CVE-2010-0306). What must happen: page faults for data, and the new
 * code. */
#include "hostile/lib/hostile.h"

#define DATA 0x40000000u
#define CODE 0x40001000u
/* li a0, n */
#define LI_A0(n) ((n) << 20 | 0x00000513u)

static uint32_t answer;

static void call(uint32_t va)
{
    answer = ((uint32_t (*)(void))(uintptr_t)va)();
}

void attack(void)
{
    paging_prepare();
    paging_on(root);
    page[0][0] = INSN_RET;
    fence_i();
    map(DATA, pte(address(page[0]), PTE_R | PTE_W | LEAF));
    check_jump(DATA, CAUSE_FETCH_PAGE, "data is no code");
    map(DATA, pte(address(page[0]), PTE_R | PTE_W | PTE_U | PTE_X | LEAF));
    check_jump(DATA, CAUSE_FETCH_PAGE, "the user's code is not the kernel's");

    map(DATA, pte(address(page[1]), PTE_R | PTE_W | LEAF));
    map(CODE, pte(address(page[1]), PTE_X | LEAF));
    for (uint32_t n = 0; n < 100; n++) {
        *word_at(DATA) = LI_A0(n);
        *word_at(DATA + 4) = INSN_RET;
        fence_i();
        check(attempt(call, CODE) && answer == n, "code as it is now");
    }
    /* An instruction that traps, made harmless by the handler's kernel before
     * it runs again, and the other way round. */
    for (uint32_t n = 0; n < 10; n++) {
        *word_at(DATA) = 0; /* not an instruction */
        fence_i();
        check(!can_jump(CODE), "not an instruction");
        check_fault(CAUSE_ILLEGAL, 0, "not an instruction");
        check(fault.epc == CODE, "not an instruction");
        *word_at(DATA) = LI_A0(n);
        fence_i();
        check(attempt(call, CODE) && answer == n, "an instruction again");
    }
}
