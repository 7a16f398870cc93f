/* hostile-pv-console.c - console buffers that are not memory.
 *
 * styles: pv, direct
 * expect: refused
 *
 * An address and a length: gpa + len wraps (XSA-29, XSA-212), the second page
 * is somebody else's (CVE-2013-1796), the length is believed (D01 of VENOM's
 * kind), the buffer is a device or code. What must happen: an error and no
 * byte moved; otherwise at most 4096 bytes are taken, and reading when there
 * is no input writes nothing. */
#include "hostile/lib/hostile.h"

#define OUTSIDE SBI_ERR_INVALID_ADDRESS

static void refused(uint32_t at, uint32_t len)
{
    check_hv(OUTSIDE, HCALL_console_write, at, len, "a write from outside");
    check_hv(OUTSIDE, HCALL_console_read, at, len, "a read to outside");
}

void attack(void)
{
    const uint32_t outside[] = { 0,          TEST_BASE,    UART_BASE,
                                 PLIC_BASE,  RAM_BASE - 1, ram_end + 1,
                                 0xffffffff, 0x7fffffff };
    const uint32_t inside[] = { RAM_BASE, KERNEL_BASE, ram_end - 1,
                                ram_end - PAGE_SIZE, address(page[0]) };

    for (uint32_t i = 0; i < COUNT(outside); i++) {
        refused(outside[i], 1);
        refused(outside[i], 4096);
        refused(outside[i], 0xffffffff);
        refused(outside[i], 0u - outside[i]);       /* to address 0 exactly */
        refused(outside[i], RAM_BASE - outside[i]); /* to the start of RAM */
    }
    for (uint32_t i = 0; i < COUNT(inside); i++) {
        refused(inside[i], 0xffffffff);
        refused(inside[i], 0u - inside[i]);
        refused(inside[i], 1u - inside[i]);
        refused(inside[i], ram_end - inside[i] + 1);
    }
    refused(ram_end, 1);
    check_hv(SBI_SUCCESS, HCALL_console_write, ram_end, 0, "nothing, there");

    /* Nobody types: nothing is written, not to the kernel's code either. */
    uint32_t before = *word_at(KERNEL_BASE);
    memset(page[0], 0x5a, PAGE_SIZE);
    struct ret ret = hv_call(HCALL_console_read, KERNEL_BASE, 4096);
    check(ret.error == 0 && ret.value == 0, "input out of nothing");
    check(*word_at(KERNEL_BASE) == before, "our code was changed");
    ret = hv_call(HCALL_console_read, address(page[0]) + 4090, 12);
    check(ret.error == 0 && ret.value == 0, "input out of nothing");
    check(page[0][1023] == 0x5a5a5a5a && page[1][0] == 0, "a byte was written");

    /* More than it takes at a time, across pages that were never touched. */
    uint32_t fresh = address(image_end) + 0x100000 - 7;
    *(volatile uint8_t *)(uintptr_t)fresh = '\n';
    ret = hv_call(HCALL_console_write, fresh, 2);
    check(ret.error == 0 && ret.value == 2, "a byte, and one never touched");
    ret = hv_call(HCALL_console_write, fresh, 5000);
    check(ret.error == 0 && ret.value == PV_CONSOLE_MAX, "at most a page");
}
