/* hostile-pv-noiret.c - returns from a trap before there is a shared page.
 *
 * styles: pv, direct
 * expect: killed "no trap entry"
 *
 * iret reads the shared page, and there is none: nothing says where to return
 * to, so there is no way to go on. Before that, calls that need the page less
 * are refused, alone and in a list. What must happen: no read of "page 0"
 * (XSA-327 and its kin), no assertion (XSA-296); the VM is killed. */
#include "hostile/lib/hostile.h"

void attack_at_start(void)
{
    uint32_t *record = page[0];

    check_hv(SBI_ERR_DENIED, HCALL_block, 0, 0, "block without a page");
    record[0] = HCALL_iret;
    check_hv(SBI_SUCCESS, HCALL_multicall, address(record), 1, "a list");
    check((int32_t)record[1] == SBI_ERR_DENIED, "iret in a list");
    hv_call(HCALL_iret, 0, 0);
    breach("back from iret");
}

void attack(void)
{
}
