/* credit.h - what credit.c, sampled.c and refill.c share. */
#ifndef HV_SCHED_CREDIT_H
#define HV_SCHED_CREDIT_H

#include "hyp/hyp.h"

/* Who goes first; in the top bits of the key. */
enum rank { BOOSTED, UNDER, OVER };
#define RANK_SHIFT 62

/* The key that it has with what it has now. */
uint64_t credit_key(const struct vcpu *vcpu);

/* struct policy: credit.c ... */
void credit_wake(struct vcpu *vcpu, uint64_t now);
uint64_t credit_requeue(struct vcpu *vcpu, uint64_t now);
uint64_t credit_limit(struct vcpu *vcpu, uint64_t now);
bool credit_preempts(const struct vcpu *woken, const struct vcpu *current);
bool credit_steals(const struct vcpu *theirs, const struct vcpu *mine);
/* ... and refill.c */
void credit_account(struct hyp *hyp, uint64_t now);

#endif
