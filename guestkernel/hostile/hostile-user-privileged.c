/* hostile-user-privileged.c - privileged instructions from user mode.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * The guest's kernel and its programs both run in real user mode, so every
 * privileged instruction of either traps to the hypervisor, which must ask who
 * it was. One that forgets lets a program become its kernel (XSA-105,
 * CVE-2009-3722). What must happen: all 4096 CSRs, sret, mret, wfi, fences and
 * reserved encodings are illegal instructions, told to the guest's kernel,
 * with the instruction's own word, and nothing has changed. */
#include "hostile/lib/hostile.h"

#define CANARY 0x13579bdfu
/* csrrs a0, csr, x0; csrrw a0, csr, a1; csrrci a0, csr, 31 */
#define CSR_GET(csr) ((csr) << 20 | 0x00002573u)
#define CSR_PUT(csr) ((csr) << 20 | 0x00059573u)
#define CSR_ZAP(csr) ((csr) << 20 | 0x000ff573u)

static void refused(uint32_t insn)
{
    uint32_t a0 = CANARY;

    check(!user_can_execute(insn, &a0, 0xffffffff), "a privileged instruction");
    check_fault(CAUSE_ILLEGAL, insn, "a privileged instruction");
    check(a0 == CANARY && fault.x[REG_A1] == 0xffffffff, "it wrote a register");
}

static bool is_counter(uint32_t csr)
{
    return (csr & ~(uint32_t)0x80) - CSR_CYCLE < 3;
}

void attack(void)
{
    static const uint32_t others[] = {
        0x10200073, /* sret */
        0x30200073, /* mret */
        0x10500073, /* wfi */
        0x12000073, /* sfence.vma */
        0x12b50073, /* sfence.vma a0, a1 */
        0x22000073, /* hfence.vvma */
        0x62000073, /* hfence.gvma */
        0x60054573, /* hlv.b a0, (a0) */
        0x00200073, /* uret */
        0x7b200073, /* dret */
        0x00004073, /* funct3 = 4 */
        0x00300073, /* no such SYSTEM instruction */
        0xfff00073, 0x00000000, 0xffffffff,
    };
    static const uint32_t kernels[] = {
        CSR_SSTATUS,  CSR_SIE,     CSR_STVEC,   CSR_SCOUNTEREN,
        CSR_SSCRATCH, CSR_SEPC,    CSR_SCAUSE,  CSR_STVAL,
        CSR_SIP,      CSR_SATP,    CSR_MSTATUS, CSR_MTVEC,
        CSR_MIE,      CSR_MEDELEG, CSR_MHARTID, CSR_MIP,
    };

    if (!paravirtual)
        csr_write("scounteren", 0);
    for (uint32_t csr = 0; csr < 4096; csr++)
        if (!paravirtual || !is_counter(csr))
            refused(CSR_GET(csr));
    for (uint32_t i = 0; i < COUNT(kernels); i++) {
        refused(CSR_PUT(kernels[i]));
        refused(CSR_ZAP(kernels[i]));
    }
    for (uint32_t n = 0; n < 3; n++) /* read-only for everybody */
        refused(CSR_PUT(CSR_CYCLE + n));
    for (uint32_t i = 0; i < COUNT(others); i++)
        refused(others[i]);
}
