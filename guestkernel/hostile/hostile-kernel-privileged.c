/* hostile-kernel-privileged.c - what even a kernel may not do.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * The registers of M-mode belong to whoever is beneath: the firmware, or the
 * hypervisor. An emulator that knows more CSRs than the guest has leaks its
 * own state or lets it be changed. A paravirtual kernel has no privileged
 * instruction at all. What must happen: illegal instructions, told to the
 * kernel, with nothing changed. */
#include "hostile/lib/hostile.h"

#define CANARY       0x2468ace0u
#define CSR_GET(csr) ((csr) << 20 | 0x00002573u)
#define CSR_PUT(csr) ((csr) << 20 | 0x00059573u)

static void refused(uint32_t insn)
{
    uint32_t a0 = CANARY;

    check(!can_execute(insn, &a0, 0xffffffff), "not a kernel's instruction");
    check_fault(CAUSE_ILLEGAL, insn, "not a kernel's instruction");
    check(fault.x[REG_A0] == CANARY, "it wrote a register");
}

static bool is_counter(uint32_t csr)
{
    return (csr & ~(uint32_t)0x80) - CSR_CYCLE < 3;
}

static bool is_kernels(uint32_t csr)
{
    static const uint32_t list[] = {
        CSR_SSTATUS, CSR_SIE,    CSR_STVEC, CSR_SCOUNTEREN, CSR_SSCRATCH,
        CSR_SEPC,    CSR_SCAUSE, CSR_STVAL, CSR_SIP,        CSR_SATP,
    };

    if (paravirtual)
        return false;
    for (uint32_t i = 0; i < COUNT(list); i++)
        if (list[i] == csr)
            return true;
    return false;
}

void attack(void)
{
    static const uint32_t never[] = {
        0x30200073, /* mret */
        0x22000073, /* hfence.vvma */
        0x62000073, /* hfence.gvma */
        0x60054573, /* hlv.b a0, (a0) */
        0x7b200073, /* dret */
        0x00004073, /* funct3 = 4 */
        0xfff00073, 0x00000000, 0xffffffff,
    };
    static const uint32_t native[] = { 0x10200073, 0x10500073, 0x12000073 };

    for (uint32_t csr = 0; csr < 4096; csr++) {
        if (is_counter(csr)) {
            refused(CSR_PUT(csr));
        } else if (!is_kernels(csr)) {
            refused(CSR_GET(csr));
            refused(CSR_PUT(csr));
        }
    }
    for (uint32_t i = 0; i < COUNT(never); i++)
        refused(never[i]);
    for (uint32_t i = 0; paravirtual && i < COUNT(native); i++)
        refused(native[i]);
}
