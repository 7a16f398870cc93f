/* edf.h - what edf.c and edf_admit.c share. */
#ifndef HV_SCHED_EDF_H
#define HV_SCHED_EDF_H

#include "hyp/hyp.h"

static inline bool edf_reserved(const struct vcpu *vcpu)
{
    return vcpu->vm->sched.budget != 0;
}

/* edf.c: its first period under these parameters begins now. */
void edf_begin(struct vcpu *vcpu, uint64_t now);

/* struct policy: edf_admit.c */
bool edf_admit(struct vm *vm, const struct sched_params *params,
               const char **why);
void edf_forget(struct vm *vm);

/* Of a host that was saved: the vCPUs with a budget are put down at their homes
 * in the order of their VMs; has each hart the time that is promised there? */
void edf_relist(struct hyp *hyp);
bool edf_keeps(const struct hyp *hyp);

#endif
