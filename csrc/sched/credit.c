/* credit.c - weights, by cycles that are given out once in a period.
 *
 * Who has credit goes before who has none, in the order of coming; and who has
 * some and just woke goes first, until it has used up a slice's worth of its
 * boost in this period. Of those who have none, the one that owes least for its
 * weight is next. So a guest that waits for input is quick to answer, and
 * still gets no more than its share. How much each is given: refill.c.
 *
 * The model is Xen's credit scheduler (2006), but for two mistakes: that took
 * credits from whoever ran at the tick (sampled.c still does), and its boost
 * had no bound. */
#include "sched/credit.h"

/* marker: lab-credit-rank */
static enum rank rank_of(const struct vcpu *vcpu)
{
    const struct sched_credit *c = &vcpu->sched.credit;

    if (c->credit <= 0)
        return OVER;
    return c->boosted && c->boost > 0 ? BOOSTED : UNDER;
}
/* marker: end */

/* What it owes, against its VM's weight: no more than 2^60. */
static uint64_t owes(const struct vcpu *vcpu)
{
    uint64_t owed = (uint64_t)-vcpu->sched.credit.credit;
    uint64_t active = sched_active(vcpu->vm) + 1;

    if (owed > 1ull << 40)
        owed = 1ull << 40;
    return owed * active * WEIGHT_MAX / vcpu->vm->sched.weight;
}

/* marker: lab-credit-key */
uint64_t credit_key(const struct vcpu *vcpu)
{
    enum rank rank = rank_of(vcpu);

    return (uint64_t)rank << RANK_SHIFT |
           (rank == OVER ? owes(vcpu) : ++vcpu->vm->hyp->sched.seq);
}
/* marker: end */

/* marker: lab-credit-boost */
void credit_wake(struct vcpu *vcpu, uint64_t now)
{
    struct sched_credit *c = &vcpu->sched.credit;

    (void)now;
    c->active = true;
    c->boosted = true;
    vcpu->sched.key = credit_key(vcpu);
}

uint64_t credit_requeue(struct vcpu *vcpu, uint64_t now)
{
    struct sched_credit *c = &vcpu->sched.credit;

    (void)now;
    c->boosted = rank_of(vcpu) == BOOSTED;
    return credit_key(vcpu);
}
/* marker: end */

/* marker: lab-credit-charge */
static void credit_charge(struct vcpu *vcpu, uint64_t cycles)
{
    struct sched_credit *c = &vcpu->sched.credit;

    c->credit -= (int64_t)cycles;
    if (c->boosted)
        c->boost -= (int64_t)cycles;
}
/* marker: end */

/* marker: lab-credit-limit */
/* A boost ends when it is used up, not with the slice. */
uint64_t credit_limit(struct vcpu *vcpu, uint64_t now)
{
    const struct hyp *hyp = vcpu->vm->hyp;
    uint64_t          ticks = hyp->config.slice;

    (void)now;
    if (rank_of(vcpu) == BOOSTED) {
        uint64_t left = (uint64_t)vcpu->sched.credit.boost / hyp->tick + 1;

        ticks = left < ticks ? left : ticks;
    }
    return ticks;
}
/* marker: end */

bool credit_preempts(const struct vcpu *woken, const struct vcpu *current)
{
    return rank_of(woken) < rank_of(current);
}

bool credit_steals(const struct vcpu *theirs, const struct vcpu *mine)
{
    return theirs->sched.key >> RANK_SHIFT < mine->sched.key >> RANK_SHIFT;
}

const struct policy policy_credit = {
    .name = "credit",
    .account = credit_account,
    .wake = credit_wake,
    .requeue = credit_requeue,
    .limit = credit_limit,
    .charge = credit_charge,
    .preempts = credit_preempts,
    .steals = credit_steals,
};
