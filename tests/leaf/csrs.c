/* csrs.c - a guest kernel's CSRs: which there are, what of a write is kept, and
 * who may touch them. The second opinion is a table of numbers from the
 * Privileged Specification, 10.1, and from the one page that says what TRV32
 * chooses. */
#include "hyp/vcsr.c"
#include "leaf_check.h"
#include <string.h>

static const struct {
    uint32_t csr, kept;
} regs[] = {
    { 0x100, 0x000c0122 }, /* sstatus: SIE SPIE SPP SUM MXR */
    { 0x104, 0x00000222 }, /* sie: SSIE STIE SEIE */
    { 0x105, 0xfffffffd }, /* stvec: direct or vectored */
    { 0x106, 0x00000007 }, /* scounteren: CY TM IR */
    { 0x140, 0xffffffff }, /* sscratch */
    { 0x141, 0xfffffffc }, /* sepc: IALIGN is 32 */
    { 0x142, 0xffffffff }, /* scause */
    { 0x143, 0xffffffff }, /* stval */
    { 0x180, 0x803fffff }, /* satp: no ASIDs */
};

static const uint32_t *kept_of(uint32_t csr)
{
    for (uint32_t i = 0; i < COUNT_OF(regs); i++)
        if (regs[i].csr == csr)
            return &regs[i].kept;
    return NULL;
}

/* A write that changes anything but what it names. */
static bool check_write(struct leaf *out, uint32_t csr, uint32_t val)
{
    struct vcpu     vcpu = { .mode = PRIV_S };
    struct vcsr     before;
    const uint32_t *kept = kept_of(csr);
    uint32_t        got = 0;

    for (uint32_t i = 0; i < COUNT_OF(regs); i++)
        vcsr_write(&vcpu, regs[i].csr, 0x5a5a5a58);
    vcpu.csr.sip = MIP_STIP;
    before = vcpu.csr;
    bool written = vcsr_write(&vcpu, csr, val);
    SAME("there is such a CSR", kept || csr == 0x144, written, csr, val, 0, 0);
    if (csr == 0x144)
        SAME("sip", (val & 2) | MIP_STIP, vcpu.csr.sip, csr, val, 0, 0);
    if (!written)
        SAME("changes nothing", 0, memcmp(&before, &vcpu.csr, sizeof(before)),
             csr, val, 0, 0);
    if (!kept)
        return true;
    SAME("can be read", true, vcsr_read(&vcpu, csr, &got), csr, val, 0, 0);
    SAME("what is kept", val & *kept, got, csr, val, 0, 0);
    for (uint32_t i = 0; i < COUNT_OF(regs); i++) {
        vcsr_read(&vcpu, regs[i].csr, &got);
        if (regs[i].csr != csr)
            SAME("leaves the others", 0x5a5a5a58 & regs[i].kept, got, csr, val,
                 regs[i].csr, 0);
    }
    return true;
}

/* The number says it: bits 9 and 8 for whom, 11 and 10 if read-only. */
static bool permitted(uint32_t csr, uint32_t mode, bool write, uint32_t open)
{
    uint32_t lowest = csr >> 8 & 3;

    if (lowest > mode || (write && csr >> 10 == 3))
        return false;
    return lowest > 0 || mode == 1 || (open >> csr % 32 & 1) != 0;
}

static bool check_permitted(struct leaf *out, uint32_t csr)
{
    for (uint32_t open = 0; open < 8; open++)
        for (uint32_t mode = 0; mode < 2; mode++)
            for (int write = 0; write < 2; write++) {
                struct vcpu vcpu = { .mode = mode };

                vcpu.csr.scounteren = open;
                SAME("vcsr_permitted", permitted(csr, mode, write, open),
                     vcsr_permitted(&vcpu, csr, write), csr, mode, write, open);
            }
    return true;
}

bool leaf_csrs(struct leaf *out)
{
    for (uint32_t csr = 0; csr < 4096; csr++) {
        if (!check_permitted(out, csr))
            return false;
        for (uint32_t bit = 0; bit < 32; bit++)
            if (!check_write(out, csr, 1u << bit) ||
                !check_write(out, csr, ~(1u << bit)))
                return false;
    }
    return true;
}
