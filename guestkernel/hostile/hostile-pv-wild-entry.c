/* hostile-pv-wild-entry.c - a trap entry in a device, at the end of memory.
 *
 * styles: pv, direct
 * expect: killed "trap loop"
 *
 * The entry is registered at the last word of the address space, the kernel's
 * stack in a device. What must happen: both are numbers and the call succeeds
 * (XSA-296: no assertion may be in the way); the next trap loops in the guest,
 * and nothing was written to the device by the hypervisor. */
#include "hostile/lib/hostile.h"

void attack(void)
{
    static const uint32_t wild[] = { UART_BASE, PLIC_BASE, 0, 0x7ffffffc,
                                     0xfffffffc };

    for (uint32_t i = 0; i < COUNT(wild); i++)
        check_hv(SBI_SUCCESS, HCALL_set_entry, wild[i], UART_BASE,
                 "an entry is a number");
    __asm__ volatile(".word 0");
    breach("back from a trap that has no handler");
}
