/* vcsr.h - the CSRs that a deprivileged kernel believes it has. */
#ifndef HV_HYP_VCSR_H
#define HV_HYP_VCSR_H

#include "hyp/vcpu.h"

/*
 * As the guest's kernel mode reads and writes them. False: no such register,
 * or (write) it is read-only; nothing has changed then.
 */
bool vcsr_read(struct vcpu *vcpu, uint32_t csr, uint32_t *val);
bool vcsr_write(struct vcpu *vcpu, uint32_t csr, uint32_t val);

/* May the guest's present mode touch it? */
bool vcsr_permitted(const struct vcpu *vcpu, uint32_t csr, bool write);

#endif
