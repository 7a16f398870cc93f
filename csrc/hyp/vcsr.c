/* vcsr.c - the guest's own supervisor CSRs, with the machine's WARL rules.
 *
 * The registers of M-mode do not exist for a guest: on a bare machine the
 * firmware has them, here the hypervisor does. */
#include "hyp/vcsr.h"
#include "abi/csr.h"
#include "hyp/hyp.h"

#define CSR_IS_READ_ONLY(csr) ((csr) >> 10 == 3)
#define CSR_MIN_PRIV(csr)     ((csr) >> 8 & 3)

/* A register that is all state and mask: where it is, and what exists. */
static uint32_t *plain(struct vcpu *vcpu, uint32_t csr, uint32_t *mask)
{
    struct vcsr *v = &vcpu->csr;

    *mask = 0xffffffff;
    switch (csr) {
    case CSR_SSTATUS:
        *mask = SSTATUS_MASK;
        return &v->sstatus;
    case CSR_SIE:
        *mask = SIP_MASK;
        return &v->sie;
    case CSR_STVEC:
        *mask = 0xfffffffd; /* direct or vectored */
        return &v->stvec;
    case CSR_SCOUNTEREN:
        *mask = COUNTEREN_MASK;
        return &v->scounteren;
    case CSR_SSCRATCH:
        return &v->sscratch;
    case CSR_SEPC:
        *mask = 0xfffffffc;
        return &v->sepc;
    case CSR_SCAUSE:
        return &v->scause;
    case CSR_STVAL:
        return &v->stval;
    case CSR_SATP:
        *mask = SATP_MODE | SATP_PPN_MASK; /* no ASIDs */
        return &v->satp;
    default:
        return NULL;
    }
}

/* What is computed rather than kept. */
static bool read_special(struct vcpu *vcpu, uint32_t csr, uint32_t *val)
{
    uint64_t wide;

    switch (csr & ~(uint32_t)(CSR_CYCLEH - CSR_CYCLE)) {
    case CSR_CYCLE:
        wide = vcpu_cycles(vcpu);
        break;
    case CSR_TIME:
        wide = vcpu_time(vcpu);
        break;
    case CSR_INSTRET:
        wide = vcpu->insns;
        break;
    case CSR_SIP:
        *val = vcpu_sip(vcpu);
        return csr == CSR_SIP;
    default:
        return false;
    }
    *val = (uint32_t)(csr & (CSR_CYCLEH - CSR_CYCLE) ? wide >> 32 : wide);
    return true;
}

bool vcsr_read(struct vcpu *vcpu, uint32_t csr, uint32_t *val)
{
    uint32_t  mask;
    uint32_t *field = plain(vcpu, csr, &mask);

    if (!field)
        return read_special(vcpu, csr, val);
    *val = *field;
    return true;
}

bool vcsr_write(struct vcpu *vcpu, uint32_t csr, uint32_t val)
{
    uint32_t  mask;
    uint32_t *field = plain(vcpu, csr, &mask);

    if (csr == CSR_SIP) { /* only the software interrupt is the kernel's */
        vcpu->csr.sip = (vcpu->csr.sip & ~(uint32_t)MIP_SSIP) |
                        (val & MIP_SSIP);
        return true;
    }
    if (!field)
        return false;
    *field = val & mask;
    return true;
}

static bool counter_open(const struct vcpu *vcpu, uint32_t csr)
{
    return vcpu->mode == PRIV_S || vcpu->csr.scounteren >> (csr & 31) & 1;
}

bool vcsr_permitted(const struct vcpu *vcpu, uint32_t csr, bool write)
{
    if (CSR_MIN_PRIV(csr) > vcpu->mode || (write && CSR_IS_READ_ONLY(csr)))
        return false;
    return CSR_MIN_PRIV(csr) != PRIV_U || counter_open(vcpu, csr);
}
