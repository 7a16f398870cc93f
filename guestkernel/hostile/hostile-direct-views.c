/* hostile-direct-views.c - its programs reach for its own memory.
 *
 * styles: direct
 * expect: refused
 *
 * Every page has U, so only the second root keeps programs from their kernel
 * (CVE-2010-0298 and its class: the mode was not asked). User mode loads,
 * stores and jumps to the kernel's addresses, and makes calls. What must
 * happen: user mode sees what its root has and nothing else, also right after
 * the kernel touched the same addresses; and a program makes no calls. */
#include "hostile/lib/direct.h"

void attack(void)
{
    uint32_t val, x[32] = { [REG_A7] = SBI_EXT_HV, [REG_A6] = HCALL_pt_unpin };

    direct_on();
    for (uint32_t va = KERNEL_BASE; va < address(image_end); va += PAGE_SIZE) {
        check(can_load(va, 4, &val), "the kernel reads its own memory");
        check(!user_can_load(va, &val), "a program does not");
        check_fault(CAUSE_LOAD_PAGE, va, "a page fault");
    }
    check(!user_can_store(address(&page[0]), 1), "a store");
    check_fault(CAUSE_STORE_PAGE, address(&page[0]), "a page fault");
    check(page[0][0] == 0, "and nothing stored");
    check(!user_can_jump(KERNEL_BASE), "a jump");
    check_fault(CAUSE_FETCH_PAGE, KERNEL_BASE, "a page fault");
    check(!user_can_store(user_base, 1), "its own code is read-only");
    check_load(user_base, 4, CAUSE_LOAD_PAGE, "which the kernel has not");
    /* user_page begins with code that ends in ecall: x says unpin. */
    x[REG_A0] = address(kernel_root);
    user_run(x, user_base + (address(user_page) & PAGE_MASK));
    check(fault.cause != 0, "it came back to us");
    check(pin(kernel_root, 1) == DENIED, "and was no call");
}
