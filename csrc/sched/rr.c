/* rr.c - round robin: whoever has waited longest, wherever it waits, is next.
 *
 * Keys are the order of coming, of all harts together, so that three vCPUs on
 * two harts get two thirds of a hart each. Weights mean nothing here. */
#include "hyp/hyp.h"

static void rr_wake(struct vcpu *vcpu, uint64_t now)
{
    (void)now;
    vcpu->sched.key = ++vcpu->vm->hyp->sched.seq;
}

static uint64_t rr_requeue(struct vcpu *vcpu, uint64_t now)
{
    (void)now;
    return ++vcpu->vm->hyp->sched.seq;
}

static bool rr_steals(const struct vcpu *theirs, const struct vcpu *mine)
{
    return theirs->sched.key < mine->sched.key;
}

const struct policy policy_rr = {
    .name = "rr",
    .wake = rr_wake,
    .requeue = rr_requeue,
    .steals = rr_steals,
};
